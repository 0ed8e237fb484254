// In which form the client wants objects (its Accept header): as they are, as a Table, or as metadata only.
#pragma once

#include <string>
#include <vector>

#include "sandbox/apiserver/resource_kind.h"
#include "sandbox/apiserver/store.h"

namespace holdfast::sandbox {

enum class Form { object, table, metadata };

struct Representation {
  Form form = Form::object;
  std::string group_version = "meta.k8s.io/v1";  ///< of Table and PartialObjectMetadata
};

/// The first form of an Accept header that we serve. unsupported (406) where there is none.
[[nodiscard]] Result<Representation> choose_representation(std::string_view accept);

/// The object in the version of `kind`; a stored object knows only the version it was written in.
[[nodiscard]] json::value versioned(const ResourceKind& kind, const json::value& object);

[[nodiscard]] json::value represent(const Representation& form, const ResourceKind& kind, const Object& object,
                                    Time now);
struct ListHead {
  uint64_t revision = 0;
  std::string continue_token;
  int64_t remaining = 0;
};
[[nodiscard]] json::value represent_list(const Representation& form, const ResourceKind& kind,
                                         const std::vector<Object>& objects, const ListHead& head, Time now);

}  // namespace holdfast::sandbox
