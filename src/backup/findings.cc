#include "backup/findings.h"

namespace holdfast::backup {

void Findings::add(velero::Findings& list, const std::string& ns, std::string_view message) {
  (ns.empty() ? list.cluster : list.namespaces[ns]).emplace_back(message);
}

void Findings::error(const std::string& ns, std::string_view message) {
  log_.error(message, {{"namespace", ns}});
  std::lock_guard lock(mutex_);
  add(results_.errors, ns, message);
}

void Findings::warning(const std::string& ns, std::string_view message) {
  log_.warning(message, {{"namespace", ns}});
  std::lock_guard lock(mutex_);
  add(results_.warnings, ns, message);
}

void Findings::run_error(std::string_view message) {
  log_.error(message);
  std::lock_guard lock(mutex_);
  results_.errors.velero.emplace_back(message);
}

void Findings::run_warning(std::string_view message) {
  log_.warning(message);
  std::lock_guard lock(mutex_);
  results_.warnings.velero.emplace_back(message);
}

size_t Findings::errors() const {
  std::lock_guard lock(mutex_);
  return results_.errors.count();
}

size_t Findings::warnings() const {
  std::lock_guard lock(mutex_);
  return results_.warnings.count();
}

velero::Results Findings::results() const {
  std::lock_guard lock(mutex_);
  return results_;
}

}  // namespace holdfast::backup
