// The command line, as data: a tree of commands with tables of options, from which parsing, environment, file keys,
// help, completion and the docs pages are derived.
//
//   Command backup_create{.name = "create", .summary = "Create a backup", .options = {{.name = "ttl", .kind =
//   Kind::duration,
//       .help = "how long the backup is kept", .fallback = "720h0m0s"}}, .run = create_backup};
//
// A value comes from the command line, else the option's environment variable, else the configuration file, else its
// fallback. Options of a command are also taken after its subcommands' names ("global flags before or after the verb").
// Boolean options may be given bare or as --name=false. Pure but for `run`; no environment is read here: it is handed
// in.
#pragma once

#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/json.h"
#include "base/result.h"

namespace holdfast::config {

enum class Kind {
  boolean,   ///< --name or --name=true|false
  text,      ///< --name VALUE
  number,    ///< a whole number
  duration,  ///< a Go duration: 1h30m
  size,      ///< a Kubernetes quantity of bytes: 160Mi
  list,      ///< repeatable, and comma-separated
  repeated,  ///< repeatable, commas are part of the value
  map,       ///< key=value, repeatable and comma-separated
};

class Arguments;
/// What may be typed where a value is wanted, for completion; the arguments are those typed so far. Never fails: what
/// cannot be asked has no candidates.
using Candidates = std::function<std::vector<std::string>(const Arguments&)>;

struct Option {
  std::string name;  ///< long name, without dashes
  Kind kind = Kind::text;
  std::string help;
  std::string fallback = {};                ///< as on the command line; empty: none
  char letter = 0;                          ///< short form
  std::string environment = {};             ///< variable that is asked where the command line is silent
  std::string value_name = {};              ///< in help; a default by kind
  std::vector<std::string> choices = {};    ///< where not empty, the only values taken
  std::vector<std::string> old_names = {};  ///< taken as well, not shown
  bool secret = false;                      ///< never shown with its value
  Candidates candidates = {};               ///< where there are no choices
};

struct Positional {
  std::string name;  ///< as shown in usage: "NAME"
  std::string help;
  bool required = true;
  bool repeated = false;  ///< takes all the rest; only for the last
  Candidates candidates = {};
};

/// What the parser found.
class Arguments {
 public:
  /// True where the value came from the command line, the environment or the file.
  [[nodiscard]] bool given(std::string_view name) const;
  [[nodiscard]] std::string text(std::string_view name) const;
  [[nodiscard]] bool boolean(std::string_view name) const;
  /// nullopt where it was not given and has no fallback: cobra's third state of a boolean.
  [[nodiscard]] std::optional<bool> optional_boolean(std::string_view name) const;
  [[nodiscard]] int64_t number(std::string_view name) const;
  [[nodiscard]] Duration duration(std::string_view name) const;
  [[nodiscard]] uint64_t size(std::string_view name) const;
  [[nodiscard]] std::vector<std::string> list(std::string_view name) const;
  [[nodiscard]] std::map<std::string, std::string> map(std::string_view name) const;
  [[nodiscard]] const std::vector<std::string>& positionals() const { return positionals_; }
  /// The n-th positional; empty where it is missing.
  [[nodiscard]] std::string positional(size_t n) const { return n < positionals_.size() ? positionals_[n] : ""; }
  /// Names of the commands from the root to the one that runs.
  [[nodiscard]] const std::vector<std::string>& path() const { return path_; }

 private:
  friend class Parser;
  struct Value {
    Kind kind;
    std::vector<std::string> words;  ///< already checked against the kind
    bool given = false;
  };
  [[nodiscard]] const Value& value_of(std::string_view name) const;
  std::map<std::string, Value, std::less<>> values_;
  std::vector<std::string> positionals_;
  std::vector<std::string> path_;
};

struct Command {
  std::string name;
  std::string summary;                     ///< one line, for the parent's list
  std::string description = {};            ///< more, for its own help
  std::vector<std::string> examples = {};  ///< whole command lines; a line starting with # explains the next
  std::vector<Option> options = {};
  std::vector<Positional> positionals = {};
  std::vector<Command> subcommands = {};
  std::vector<std::string> aliases = {};
  bool hidden = false;
  /// Runs it; the answer is the exit code. A command with subcommands may have none: then its help is shown.
  std::function<int(const Arguments&)> run = {};
};

using Environment = std::function<std::optional<std::string>(const std::string& name)>;
/// The process environment.
[[nodiscard]] Environment process_environment();

struct Parsed {
  const Command* command = nullptr;  ///< the deepest one named
  Arguments arguments;
  bool help_wanted = false;
};

/// Parses words (without the program's name). invalid errors name the option and what it takes. `file`: values of a
/// configuration file by option name, or null.
[[nodiscard]] Result<Parsed> parse(const Command& root, const std::vector<std::string>& words,
                                   const Environment& environment, const json::object* file = nullptr);

/// The help text of a command; `path`: the names that led to it.
[[nodiscard]] std::string help(const Command& root, const std::vector<std::string>& path);
/// A page of Markdown with every command and option below `root`.
[[nodiscard]] std::string markdown(const Command& root);
/// Completion script for "bash", "zsh" or "fish", which asks the program's hidden command `__complete`.
[[nodiscard]] Result<std::string> completion_script(std::string_view shell, std::string_view program);
/// What may follow those words (the last one is being typed): commands, options, the choices and candidates of values.
[[nodiscard]] std::vector<std::string> completions(const Command& root, const std::vector<std::string>& words,
                                                   const Environment& environment);

/// Parses and runs (`help WORDS` as `WORDS --help`): help to standard output, mistakes to standard error with exit code
/// `usage_exit`.
int run_main(const Command& root, int argc, const char* const* argv, int usage_exit = 1);

}  // namespace holdfast::config
