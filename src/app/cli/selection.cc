#include "app/cli/selection.h"

#include <fmt/format.h>

#include "base/text.h"

namespace holdfast::app {

std::vector<config::Option> selection_options(const std::string& verb, const std::string& what, Confirm confirm) {
  using config::Kind;
  std::vector<config::Option> out{{.name = "all", .kind = Kind::boolean, .help = fmt::format("{} all {}", verb, what)},
                                  {.name = "selector",
                                   .help = fmt::format("{} the {} with these labels", verb, what),
                                   .letter = 'l',
                                   .value_name = "SELECTOR"}};
  if (confirm == Confirm::yes)
    out.push_back({.name = "confirm", .kind = Kind::boolean, .help = "do it without asking"});
  return out;
}

Status check_selection(const config::Arguments& arguments, std::string_view what) {
  const int ways = (arguments.positionals().empty() ? 0 : 1) + (arguments.boolean("all") ? 1 : 0) +
                   (arguments.text("selector").empty() ? 0 : 1);
  if (ways == 1) return {};
  return Error(ErrorCode::invalid,
               fmt::format("name the {}, or use --all or --selector: exactly one of the three", what));
}

bool confirmed(const Surroundings& surroundings, const config::Arguments& arguments) {
  if (arguments.boolean("confirm")) return true;
  while (true) {
    surroundings.out("Are you sure you want to continue (Y/N)? ");
    const std::optional<std::string> line = surroundings.read_line();
    if (!line) {
      surroundings.out("error reading user input: EOF\n");
      return false;
    }
    const std::string answer = to_lower(trim(*line));
    if (answer == "y") return true;
    if (answer == "n") return false;
  }
}

}  // namespace holdfast::app
