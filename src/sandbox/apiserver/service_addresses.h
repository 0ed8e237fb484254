// Cluster addresses and node ports of Services: handed out when a Service is created. Any thread.
#pragma once

#include <string>

#include "sandbox/apiserver/store.h"

namespace holdfast::sandbox {

class ServiceAddresses {
 public:
  /// `network`: the first two numbers of a /16 ("10.96").
  ServiceAddresses(const Store& store, std::string network) : store_(store), network_(std::move(network)) {}
  /// Fills in clusterIP(s) and node ports of a new Service; keeps those asked for. invalid: taken, or not of the
  /// network. Two Services created at the same instant may be given the same address; the caller serialises creates.
  [[nodiscard]] Status assign(json::object& service) const;

 private:
  const Store& store_;
  const std::string network_;
};

}  // namespace holdfast::sandbox
