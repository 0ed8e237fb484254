// The one registry of metrics, rendered in Prometheus' text form. prometheus-cpp does the work behind this seam.
//
// Names and labels are declared where they are used; asking twice for the same series gives the same one. Handles stay
// valid as long as the registry; every call may come from any thread.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

namespace holdfast::metrics {

using Labels = std::map<std::string, std::string>;

class Counter {
 public:
  virtual ~Counter() = default;
  /// Adds; negative amounts are a bug.
  virtual void add(double amount = 1) = 0;
};
class Gauge {
 public:
  virtual ~Gauge() = default;
  virtual void set(double value) = 0;
};
class Histogram {
 public:
  virtual ~Histogram() = default;
  virtual void observe(double value) = 0;
};

class Registry {
 public:
  Registry();
  ~Registry();
  Counter& counter(const std::string& name, const std::string& help, const Labels& labels = {});
  Gauge& gauge(const std::string& name, const std::string& help, const Labels& labels = {});
  /// Buckets count only the first time a name is asked for.
  Histogram& histogram(const std::string& name, const std::string& help, const Labels& labels,
                       const std::vector<double>& buckets);
  /// Everything, in the text exposition format 0.0.4.
  [[nodiscard]] std::string render() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace holdfast::metrics
