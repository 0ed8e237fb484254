// Parsing by CLI11: every command becomes a CLI::App, every option a list of words that is checked by its kind
// afterwards, so that the command line, the environment and the file go through the same checks.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdlib>
#include <memory>

#include "base/text.h"
#include "config/command.h"

namespace holdfast::config {

namespace {

Error bad_value(const Option& option, std::string_view word, std::string_view wanted) {
  const std::string shown = option.secret ? "the given value" : fmt::format("\"{}\"", word);
  return Error(ErrorCode::invalid, fmt::format("--{}: {} is not {}", option.name, shown, wanted));
}

Status check_word(const Option& option, const std::string& word) {
  if (!option.choices.empty() &&
      std::find(option.choices.begin(), option.choices.end(), word) == option.choices.end()) {
    return bad_value(option, word, fmt::format("one of {}", fmt::join(option.choices, ", ")));
  }
  switch (option.kind) {
    case Kind::boolean:
      if (word != "true" && word != "false") return bad_value(option, word, "true or false");
      return {};
    case Kind::number:
      if (!parse_int(word)) return bad_value(option, word, "a whole number");
      return {};
    case Kind::duration:
      if (!parse_go_duration(word)) return bad_value(option, word, "a duration like 90s or 1h30m");
      return {};
    case Kind::size:
      if (!parse_quantity(word)) return bad_value(option, word, "a size like 160Mi");
      return {};
    case Kind::map:
      if (word.find('=') == std::string::npos) return bad_value(option, word, "key=value");
      return {};
    case Kind::text:
    case Kind::list:
    case Kind::repeated:
      return {};
  }
  return {};
}

bool takes_many(Kind kind) {
  return kind == Kind::list || kind == Kind::repeated || kind == Kind::map;
}

/// The words of an option, split where its kind says so, each checked.
Result<std::vector<std::string>> accept(const Option& option, const std::vector<std::string>& raw) {
  std::vector<std::string> words;
  for (const std::string& text : raw) {
    if (option.kind == Kind::list || option.kind == Kind::map) {
      for (std::string& part : split(text, ',')) {
        if (!part.empty()) words.push_back(std::move(part));
      }
    } else {
      words.push_back(text);
    }
  }
  for (const std::string& word : words) TRY(check_word(option, word));
  // The last of several wins, as in cobra.
  if (!takes_many(option.kind) && words.size() > 1) words.erase(words.begin(), words.end() - 1);
  return words;
}

std::string flag_names(const Option& option) {
  std::string names = "--" + option.name;
  if (option.letter != 0) names = fmt::format("-{},{}", option.letter, names);
  for (const std::string& old : option.old_names) names += ",--" + old;
  return names;
}

}  // namespace

class Parser {
 public:
  Parser(const Environment& environment, const json::object* file) : environment_(environment), file_(file) {}

  Result<Parsed> parse(const Command& root, const std::vector<std::string>& words) {
    CLI::App app;
    std::vector<std::string> reversed = find_path(root, words);
    build(app, root, 0);
    // CLI11 takes the words in reverse.
    std::reverse(reversed.begin(), reversed.end());
    bool help_wanted = false;
    try {
      app.parse(reversed);
    } catch (const CLI::CallForHelp&) {
      help_wanted = true;
    } catch (const CLI::ParseError& error) {
      return Error(ErrorCode::invalid, error.what(), "--help shows what is taken");
    }
    Parsed parsed;
    parsed.help_wanted = help_wanted;
    TRY(collect(app, root, 0, parsed));
    return parsed;
  }

 private:
  struct Slot {
    const Option* option;
    std::vector<std::string> raw;
  };

  /// What stands for a command's name in the words that CLI11 gets: nothing that a user types.
  static std::string marked(const Command& command) { return "\x01" + command.name; }

  /// True where the next word is this option's value.
  bool takes_next(const Command& root, const std::string& word) const {
    if (word.find('=') != std::string::npos || (word[1] != '-' && word.size() > 2)) return false;
    std::vector<const Command*> known = path_;
    known.push_back(&root);
    for (const Command* command : known) {
      for (const Option& option : command->options) {
        const bool named = word[1] == '-' ? word.substr(2) == option.name ||
                                                std::find(option.old_names.begin(), option.old_names.end(),
                                                          word.substr(2)) != option.old_names.end()
                                          : word.size() == 2 && option.letter == word[1];
        if (named) return option.kind != Kind::boolean;
      }
    }
    return false;
  }

  /// Finds the commands that the words name and marks them. CLI11 would take any later word that is a command's name
  /// for that command; an object may be named like a verb.
  std::vector<std::string> find_path(const Command& root, std::vector<std::string> words) {
    const Command* at = &root;
    for (size_t i = 0; i < words.size() && words[i] != "--"; ++i) {
      std::string& word = words[i];
      if (word.size() > 1 && word[0] == '-') {
        if (takes_next(root, word)) ++i;
        continue;
      }
      const auto found = std::find_if(at->subcommands.begin(), at->subcommands.end(), [&](const Command& sub) {
        return sub.name == word || std::find(sub.aliases.begin(), sub.aliases.end(), word) != sub.aliases.end();
      });
      if (found == at->subcommands.end()) break;
      at = &*found;
      path_.push_back(at);
      word = marked(*at);
    }
    return words;
  }

  void build(CLI::App& app, const Command& command, size_t depth) {
    if (depth == 0) app.name(command.name);
    app.set_help_flag();
    app.add_flag("-h,--help")->configurable(false);
    app.fallthrough();
    app.allow_extras(false);
    for (const Option& option : command.options) {
      auto& slot = slots_.emplace_back(std::make_unique<Slot>(Slot{&option, {}}));
      by_app_[&app].push_back(slot.get());
      if (option.kind == Kind::boolean) {
        app.add_flag(flag_names(option), slot->raw);
      } else {
        app.add_option(flag_names(option), slot->raw)->take_all()->expected(1)->allow_extra_args(false);
      }
    }
    auto& rest = positionals_.emplace_back(std::make_unique<std::vector<std::string>>());
    positionals_of_[&app] = rest.get();
    if (!command.positionals.empty()) {
      app.add_option(command.positionals.front().name, *rest)->expected(-1);
    }
    if (depth < path_.size()) build(*app.add_subcommand(marked(*path_[depth])), *path_[depth], depth + 1);
  }

  Status collect(CLI::App& app, const Command& command, size_t depth, Parsed& parsed) {
    parsed.command = &command;
    parsed.arguments.path_.push_back(command.name);
    if (app.count("--help") > 0) parsed.help_wanted = true;
    for (Slot* slot : by_app_[&app]) {
      parsed.arguments.values_.insert_or_assign(slot->option->name, TRY(decide(*slot)));
    }
    if (depth < path_.size()) {
      CLI::App* child = app.get_subcommand(marked(*path_[depth]));
      if (child->parsed()) return collect(*child, *path_[depth], depth + 1, parsed);
    }
    parsed.arguments.positionals_ = *positionals_of_[&app];
    if (parsed.help_wanted) return {};
    return check_positionals(command, parsed.arguments.positionals_);
  }

  static Status check_positionals(const Command& command, const std::vector<std::string>& words) {
    const auto wanted = static_cast<size_t>(std::count_if(command.positionals.begin(), command.positionals.end(),
                                                          [](const Positional& p) { return p.required; }));
    if (words.size() < wanted) {
      return Error(ErrorCode::invalid,
                   fmt::format("{}: {} is missing", command.name, command.positionals[words.size()].name),
                   "--help shows what is taken");
    }
    const bool open_ended = !command.positionals.empty() && command.positionals.back().repeated;
    if (!open_ended && words.size() > command.positionals.size()) {
      return Error(ErrorCode::invalid,
                   fmt::format("{}: \"{}\" is one argument too many", command.name, words[command.positionals.size()]));
    }
    return {};
  }

  Result<Arguments::Value> decide(const Slot& slot) {
    const Option& option = *slot.option;
    if (!slot.raw.empty()) return Arguments::Value{option.kind, TRY(accept(option, slot.raw)), true};
    if (!option.environment.empty()) {
      if (const std::optional<std::string> text = environment_(option.environment);
          text.has_value() && !text->empty()) {
        return Arguments::Value{option.kind, TRY(accept(option, {*text}).in(option.environment)), true};
      }
    }
    if (file_ != nullptr) {
      if (const json::value* v = file_->if_contains(option.name)) {
        std::vector<std::string> raw;
        if (v->is_array()) {
          raw = json::strings(v->get_array());
        } else {
          raw = {v->is_string() ? std::string(v->get_string()) : json::compact(*v)};
        }
        return Arguments::Value{option.kind, TRY(accept(option, raw).in("configuration file")), true};
      }
    }
    if (option.fallback.empty()) return Arguments::Value{option.kind, {}, false};
    return Arguments::Value{option.kind, TRY(accept(option, {option.fallback})), false};
  }

  const Environment& environment_;
  const json::object* file_;
  std::vector<const Command*> path_;  // below the root
  std::vector<std::unique_ptr<Slot>> slots_;
  std::map<const CLI::App*, std::vector<Slot*>> by_app_;
  std::vector<std::unique_ptr<std::vector<std::string>>> positionals_;
  std::map<const CLI::App*, std::vector<std::string>*> positionals_of_;
};

const Arguments::Value& Arguments::value_of(std::string_view name) const {
  const auto found = values_.find(name);
  CHECK(found != values_.end());  // a command asked for an option that it did not declare
  return found->second;
}

bool Arguments::given(std::string_view name) const {
  const auto found = values_.find(name);
  return found != values_.end() && found->second.given;
}

std::string Arguments::text(std::string_view name) const {
  const Value& value = value_of(name);
  return value.words.empty() ? "" : value.words.back();
}

bool Arguments::boolean(std::string_view name) const {
  return text(name) == "true";
}

std::optional<bool> Arguments::optional_boolean(std::string_view name) const {
  const Value& value = value_of(name);
  if (value.words.empty()) return std::nullopt;
  return value.words.back() == "true";
}

int64_t Arguments::number(std::string_view name) const {
  const std::string word = text(name);
  return word.empty() ? 0 : parse_int(word).value();
}

Duration Arguments::duration(std::string_view name) const {
  const std::string word = text(name);
  return word.empty() ? Duration::zero() : parse_go_duration(word).value();
}

uint64_t Arguments::size(std::string_view name) const {
  const std::string word = text(name);
  return word.empty() ? 0 : parse_quantity(word).value();
}

std::vector<std::string> Arguments::list(std::string_view name) const {
  return value_of(name).words;
}

std::map<std::string, std::string> Arguments::map(std::string_view name) const {
  std::map<std::string, std::string> out;
  for (const std::string& word : value_of(name).words) {
    const size_t equals = word.find('=');
    out[word.substr(0, equals)] = word.substr(equals + 1);
  }
  return out;
}

Environment process_environment() {
  return [](const std::string& name) -> std::optional<std::string> {
    const char* value = std::getenv(name.c_str());
    if (value == nullptr) return std::nullopt;
    return value;
  };
}

Result<Parsed> parse(const Command& root, const std::vector<std::string>& words, const Environment& environment,
                     const json::object* file) {
  return Parser(environment, file).parse(root, words);
}

}  // namespace holdfast::config
