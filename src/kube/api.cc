#include "kube/api.h"

#include <algorithm>

namespace holdfast::kube {

namespace {
constexpr int kUpdateAttempts = 8;
constexpr int kListAttempts = 4;  // the first, and 3 after a 410

Result<ListPage> list_pages(Api& api, const ResourceType& type, const std::string& ns, ListOptions options,
                            const std::stop_token& stop) {
  ListPage whole;
  options.continue_from.clear();
  do {
    ListPage page = TRY(api.list(type, ns, options, stop));
    whole.items.insert(whole.items.end(), std::make_move_iterator(page.items.begin()),
                       std::make_move_iterator(page.items.end()));
    whole.resource_version = std::move(page.resource_version);
    options.continue_from = std::move(page.continue_from);
  } while (!options.continue_from.empty());
  return whole;
}
}  // namespace

bool ResourceType::can(std::string_view verb) const {
  return std::find(verbs.begin(), verbs.end(), verb) != verbs.end();
}

Result<ListPage> list_all(Api& api, const ResourceType& type, const std::string& ns, const ListOptions& options,
                          std::stop_token stop) {
  for (int attempt = 1;; ++attempt) {
    Result<ListPage> whole = list_pages(api, type, ns, options, stop);
    if (!whole.is(ErrorCode::conflict) || attempt == kListAttempts) return std::move(whole).in("list " + type.plural);
  }
}

Result<json::value> update_with_retry(Api& api, const ResourceType& type, const std::string& ns,
                                      const std::string& name, const std::function<Status(json::value&)>& mutate,
                                      const WriteOptions& options, std::stop_token stop) {
  for (int attempt = 1;; ++attempt) {
    json::value object = TRY(api.get(type, ns, name, stop));
    const json::value before = object;
    TRY(mutate(object));
    if (object == before) return object;
    Result<json::value> written = api.update(type, ns, object, options, stop);
    if (!written.is(ErrorCode::conflict) || attempt == kUpdateAttempts || stop.stop_requested()) return written;
  }
}

}  // namespace holdfast::kube
