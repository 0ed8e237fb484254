// Certificates for tests, made on the spot by OpenSSL: an authority, and what it signs.
#pragma once

#include <string>
#include <vector>

namespace holdfast::net {

/// A certificate and its key in PEM form.
struct TestIdentity {
  std::string certificate_pem = {};
  std::string key_pem = {};
};

struct TestSubject {
  std::string common_name;
  std::vector<std::string> organizations = {};
  std::vector<std::string> dns_names = {};
  std::vector<std::string> addresses = {};
};

/// A self-signed authority, valid from an hour ago for a day.
[[nodiscard]] TestIdentity make_test_authority(const std::string& common_name);
/// A certificate for servers and clients, signed by the authority, valid as long.
[[nodiscard]] TestIdentity issue_test_identity(const TestIdentity& authority, const TestSubject& subject);

}  // namespace holdfast::net
