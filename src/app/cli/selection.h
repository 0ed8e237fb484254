// Which objects a delete, pause or unpause is about: names, --all or a selector, exactly one of them; and the question
// before something is lost.
#pragma once

#include <string>
#include <vector>

#include "app/cli/cluster.h"

namespace holdfast::app {

/// --all, --selector and, where `confirm` is asked for, --confirm. `verb` and `what` make the help: "delete backups".
enum class Confirm { no, yes };
[[nodiscard]] std::vector<config::Option> selection_options(const std::string& verb, const std::string& what,
                                                            Confirm confirm);
/// invalid unless exactly one way of naming objects was used.
[[nodiscard]] Status check_selection(const config::Arguments& arguments, std::string_view what);
/// True with --confirm or the answer y; asks on standard output. Anything else than y or n is asked again.
[[nodiscard]] bool confirmed(const Surroundings& surroundings, const config::Arguments& arguments);

/// The chosen objects. Names that do not exist are left out and told on standard error.
template <class T>
[[nodiscard]] Result<std::vector<T>> selected(const Surroundings& surroundings, const Cluster& cluster,
                                              const config::Arguments& arguments) {
  if (arguments.positionals().empty()) return list_objects<T>(cluster, arguments.text("selector"));
  std::vector<T> out;
  for (const std::string& name : arguments.positionals()) {
    Result<T> object = get_object<T>(cluster, name);
    if (object.is(ErrorCode::not_found)) {
      surroundings.err(object.error().message() + "\n");
      continue;
    }
    if (!object) return std::move(object).error();
    out.push_back(*std::move(object));
  }
  return out;
}

}  // namespace holdfast::app
