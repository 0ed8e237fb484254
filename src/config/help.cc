#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdio>

#include "base/file.h"
#include "config/command.h"

namespace holdfast::config {

namespace {

std::string value_name(const Option& option) {
  if (!option.value_name.empty()) return option.value_name;
  switch (option.kind) {
    case Kind::boolean:
      return "";
    case Kind::text:
      return option.choices.empty() ? "TEXT" : fmt::format("{}", fmt::join(option.choices, "|"));
    case Kind::number:
      return "N";
    case Kind::duration:
      return "DURATION";
    case Kind::size:
      return "SIZE";
    case Kind::list:
      return "A,B,...";
    case Kind::repeated:
      return "TEXT...";
    case Kind::map:
      return "KEY=VALUE,...";
  }
  return "";
}

std::string left_column(const Option& option) {
  const std::string value = value_name(option);
  return fmt::format("  {} --{}{}{}", option.letter == 0 ? "   " : fmt::format("-{},", option.letter), option.name,
                     value.empty() ? "" : " ", value);
}

std::string right_column(const Option& option) {
  std::string text = option.help;
  if (!option.fallback.empty() && option.fallback != "false" && !option.secret)
    text += fmt::format(" (default {})", option.fallback);
  if (!option.environment.empty()) text += fmt::format(" [{}]", option.environment);
  return text;
}

void append_options(std::string& out, std::string_view title, const std::vector<Option>& options) {
  if (options.empty()) return;
  out += fmt::format("\n{}:\n", title);
  for (const Option& option : options) {
    const std::string left = left_column(option);
    out += left.size() <= 38 ? fmt::format("{:<40}{}\n", left, right_column(option))
                             : fmt::format("{}\n{:<40}{}\n", left, "", right_column(option));
  }
}

std::string usage_line(const Command& command, const std::vector<std::string>& path) {
  std::string line = fmt::format("{}", fmt::join(path, " "));
  if (!command.subcommands.empty()) line += " COMMAND";
  for (const Positional& positional : command.positionals) {
    const std::string name = positional.name + (positional.repeated ? "..." : "");
    line += positional.required ? " " + name : " [" + name + "]";
  }
  if (!command.options.empty()) line += " [OPTIONS]";
  return line;
}

const Command* child_named(const Command& command, std::string_view name) {
  for (const Command& sub : command.subcommands) {
    if (sub.name == name || std::find(sub.aliases.begin(), sub.aliases.end(), name) != sub.aliases.end()) return &sub;
  }
  return nullptr;
}

void append_markdown(std::string& out, const Command& command, std::vector<std::string> path) {
  if (command.hidden) return;
  path.push_back(command.name);
  out += fmt::format("\n## {}\n\n{}\n", fmt::join(path, " "), command.summary);
  if (!command.description.empty()) out += "\n" + command.description + "\n";
  out += fmt::format("\n```\n{}\n```\n", usage_line(command, path));
  if (!command.options.empty()) {
    out += "\n| option | meaning |\n|---|---|\n";
    for (const Option& option : command.options) {
      const std::string value = value_name(option);
      out += fmt::format("| `--{}{}{}` | {} |\n", option.name, value.empty() ? "" : " ", value, right_column(option));
    }
  }
  for (const Command& sub : command.subcommands) append_markdown(out, sub, path);
}

}  // namespace

std::string help(const Command& root, const std::vector<std::string>& path) {
  const Command* command = &root;
  std::vector<const Command*> parents;
  for (size_t i = 1; i < path.size(); ++i) {
    const Command* next = child_named(*command, path[i]);
    if (next == nullptr) break;
    parents.push_back(command);
    command = next;
  }
  std::string out = command->summary + "\n";
  if (!command->description.empty()) out += "\n" + command->description + "\n";
  out += fmt::format("\nUsage:\n  {}\n", usage_line(*command, path));
  if (!command->subcommands.empty()) {
    out += "\nCommands:\n";
    for (const Command& sub : command->subcommands) {
      if (!sub.hidden) out += fmt::format("  {:<20} {}\n", sub.name, sub.summary);
    }
  }
  if (!command->positionals.empty()) {
    out += "\nArguments:\n";
    for (const Positional& positional : command->positionals) {
      out += fmt::format("  {:<20} {}\n", positional.name, positional.help);
    }
  }
  append_options(out, "Options", command->options);
  for (auto parent = parents.rbegin(); parent != parents.rend(); ++parent) {
    append_options(out, fmt::format("Options of {}", (*parent)->name), (*parent)->options);
  }
  if (!command->examples.empty()) {
    out += "\nExamples:\n";
    for (const std::string& example : command->examples) out += "  " + example + "\n";
  }
  return out;
}

std::string markdown(const Command& root) {
  std::string out = fmt::format("# {}\n", root.name);
  append_markdown(out, root, {});
  return out;
}

Result<std::string> completion_script(std::string_view shell, std::string_view program) {
  if (shell == "bash") {
    return fmt::format(
        "_{0}_complete() {{\n  local IFS=$'\\n'\n"
        "  COMPREPLY=($({0} __complete -- \"${{COMP_WORDS[@]:1:COMP_CWORD}}\" 2>/dev/null))\n}}\n"
        "complete -o default -F _{0}_complete {0}\n",
        program);
  }
  if (shell == "zsh") {
    return fmt::format(
        "#compdef {0}\n_{0}() {{\n  local -a words_found\n"
        "  words_found=(${{(f)\"$({0} __complete -- \"${{(@)words[2,CURRENT]}}\" 2>/dev/null)\"}})\n"
        "  compadd -a words_found || _files\n}}\ncompdef _{0} {0}\n",
        program);
  }
  if (shell == "fish") {
    return fmt::format(
        "complete -c {0} -a '({0} __complete -- (commandline -opc)[2..-1] (commandline -ct) 2>/dev/null)'\n", program);
  }
  return Error(ErrorCode::invalid, fmt::format("no completion for the shell \"{}\"", shell), "use bash, zsh or fish");
}

namespace {

/// A line that is being typed.
struct Line {
  std::vector<const Command*> chain;  ///< from the root
  const Option* wanted = nullptr;     ///< the option whose value is being typed
  size_t positionals = 0;             ///< complete ones
};

const Option* option_named(const std::vector<const Command*>& chain, std::string_view word) {
  for (const Command* command : chain) {
    for (const Option& option : command->options) {
      if (word == "--" + option.name || (option.letter != 0 && word == std::string{'-', option.letter})) return &option;
      for (const std::string& old : option.old_names) {
        if (word == "--" + old) return &option;
      }
    }
  }
  return nullptr;
}

Line line_of(const Command& root, const std::vector<std::string>& words) {
  Line out;
  out.chain = {&root};
  for (size_t i = 0; i + 1 < words.size(); ++i) {
    const std::string& word = words[i];
    out.wanted = nullptr;
    if (word.starts_with('-') && word.size() > 1) {
      const Option* option = option_named(out.chain, word);
      if (option == nullptr || option->kind == Kind::boolean || word.find('=') != std::string::npos) continue;
      if (i + 2 == words.size()) out.wanted = option;
      ++i;
    } else if (const Command* next = out.positionals == 0 ? child_named(*out.chain.back(), word) : nullptr) {
      out.chain.push_back(next);
    } else {
      ++out.positionals;
    }
  }
  return out;
}

/// The values so far; nothing where the line cannot be read yet.
std::optional<Arguments> arguments_so_far(const Command& root, std::vector<std::string> words,
                                          const Environment& environment, const Option* wanted) {
  if (!words.empty()) words.pop_back();
  if (wanted != nullptr && !words.empty()) words.pop_back();
  // Help is shown for a line that is not complete.
  words.insert(words.begin(), "--help");
  Result<Parsed> parsed = parse(root, words, environment);
  if (!parsed) return std::nullopt;
  return std::move(parsed->arguments);
}

}  // namespace

std::vector<std::string> completions(const Command& root, const std::vector<std::string>& words,
                                     const Environment& environment) {
  const Line line = line_of(root, words);
  const Command* command = line.chain.back();
  const std::string typed = words.empty() ? "" : words.back();
  std::vector<std::string> out;
  const auto offer = [&](const std::vector<std::string>& all) {
    for (const std::string& word : all) {
      if (word.starts_with(typed)) out.push_back(word);
    }
  };
  const auto offer_candidates = [&](const Candidates& candidates) {
    if (!candidates) return;
    if (const auto arguments = arguments_so_far(root, words, environment, line.wanted)) offer(candidates(*arguments));
  };
  if (line.wanted != nullptr) {
    offer(line.wanted->choices);
    offer_candidates(line.wanted->candidates);
    return out;
  }
  if (typed.starts_with('-')) {
    for (const Command* level : line.chain) {
      for (const Option& option : level->options) offer({"--" + option.name});
    }
    offer({"--help"});
    return out;
  }
  for (const Command& sub : command->subcommands) {
    if (!sub.hidden) offer({sub.name});
  }
  if (command->positionals.empty()) return out;
  const Positional& last = command->positionals.back();
  if (line.positionals < command->positionals.size()) {
    offer_candidates(command->positionals[line.positionals].candidates);
  } else if (last.repeated) {
    offer_candidates(last.candidates);
  }
  return out;
}

int run_main(const Command& root, int argc, const char* const* argv, int usage_exit) {
  std::vector<std::string> words(argv + 1, argv + argc);
  if (!words.empty() && words.front() == "__complete") {
    std::vector<std::string> rest(words.begin() + 1, words.end());
    if (!rest.empty() && rest.front() == "--") rest.erase(rest.begin());
    for (const std::string& word : completions(root, rest, process_environment())) fmt::print("{}\n", word);
    return 0;
  }
  if (!words.empty() && words.front() == "help" && child_named(root, "help") == nullptr) {
    words.erase(words.begin());
    words.emplace_back("--help");
  }
  const Result<Parsed> parsed = parse(root, words, process_environment());
  if (!parsed) {
    fmt::print(stderr, "{}: {}\n", root.name, parsed.error().to_string());
    return usage_exit;
  }
  if (parsed->help_wanted || !parsed->command->run) {
    const std::string text = help(root, parsed->arguments.path());
    fmt::print(parsed->help_wanted ? stdout : stderr, "{}", text);
    return parsed->help_wanted ? 0 : usage_exit;
  }
  return parsed->command->run(parsed->arguments);
}

}  // namespace holdfast::config
