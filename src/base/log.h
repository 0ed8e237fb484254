// Structured logs in logrus' text form or as JSON lines.
//
//   log.info("backup completed", {{"backup", name}, {"items", count}});
//   time="2026-11-21T06:18:56Z" level=info msg="backup completed" backup=b1 items=54
//
// A Logger is a cheap value: fields that every line carries, and a sink. A sink may be a file of one backup, a counter,
// or several at once (tee). A failure is returned or logged, never both: one line per failed unit of work, at the loop
// that owns it. Loggers may be used from any thread; sinks see one record at a time.
#pragma once

#include <fmt/format.h>

#include <functional>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"

namespace holdfast::log {

enum class Level { debug, info, warning, error };
enum class Format { text, json };

[[nodiscard]] std::string_view to_string(Level level);
/// "debug", "info", "warning" or "warn", "error".
[[nodiscard]] Result<Level> parse_level(std::string_view text);
/// "text" or "json".
[[nodiscard]] Result<Format> parse_format(std::string_view text);

struct Field {
  template <typename T>
  Field(std::string_view k, const T& v) : key(k), value(fmt::format("{}", v)) {}
  Field(std::string_view k, const Error& e) : key(k), value(e.to_string()) {}
  std::string key;
  std::string value;
};
using Fields = std::vector<Field>;

struct Record {
  Time time;
  Level level;
  std::string message;
  Fields fields;
};

/// One line with its newline. Values are quoted as logrus does: where they hold anything but letters, digits and
/// -._/@^+
[[nodiscard]] std::string render(const Record& record, Format format);

class Sink {
 public:
  virtual ~Sink() = default;
  /// Called with one record at a time. Must not fail and must not log.
  virtual void write(const Record& record) = 0;
};

/// Lines of at least `level` to a file descriptor (2 for standard error), one write(2) each.
[[nodiscard]] std::shared_ptr<Sink> descriptor_sink(int descriptor, Level level, Format format);
/// Keeps every record in memory, for tests and for logs that are stored whole.
class MemorySink final : public Sink {
 public:
  void write(const Record& record) override;
  [[nodiscard]] std::vector<Record> records() const;
  /// Rendered text of all records.
  [[nodiscard]] std::string text(Format format = Format::text) const;

 private:
  mutable std::mutex mutex_;
  std::vector<Record> records_;
};
/// Hands each record to all.
[[nodiscard]] std::shared_ptr<Sink> tee_sink(std::vector<std::shared_ptr<Sink>> sinks);
/// Calls a function for each record.
[[nodiscard]] std::shared_ptr<Sink> function_sink(std::function<void(const Record&)> function);

class Logger {
 public:
  /// Writes nowhere.
  Logger() = default;
  explicit Logger(std::shared_ptr<Sink> sink, Clock* clock = &system_clock()) : sink_(std::move(sink)), clock_(clock) {}

  /// The same logger with more fields on every line.
  [[nodiscard]] Logger with(Fields fields) const;
  /// The same fields, and every line to `extra` as well.
  [[nodiscard]] Logger also_to(std::shared_ptr<Sink> extra) const;

  void debug(std::string_view message, Fields fields = {}) const { write(Level::debug, message, std::move(fields)); }
  void info(std::string_view message, Fields fields = {}) const { write(Level::info, message, std::move(fields)); }
  void warning(std::string_view message, Fields fields = {}) const {
    write(Level::warning, message, std::move(fields));
  }
  void error(std::string_view message, Fields fields = {}) const { write(Level::error, message, std::move(fields)); }
  void write(Level level, std::string_view message, Fields fields) const;

 private:
  std::shared_ptr<Sink> sink_;
  Clock* clock_ = &system_clock();
  Fields fields_;
};

}  // namespace holdfast::log
