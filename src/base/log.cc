#include "base/log.h"

#include <unistd.h>

#include <algorithm>

#include "base/json.h"

namespace holdfast::log {

std::string_view to_string(Level level) {
  switch (level) {
    case Level::debug:
      return "debug";
    case Level::info:
      return "info";
    case Level::warning:
      return "warning";
    case Level::error:
      return "error";
  }
  return "error";
}

Result<Level> parse_level(std::string_view text) {
  if (text == "debug") return Level::debug;
  if (text == "info") return Level::info;
  if (text == "warning" || text == "warn") return Level::warning;
  if (text == "error") return Level::error;
  return Error(ErrorCode::invalid, fmt::format("unknown log level \"{}\"", text), "use debug, info, warning or error");
}

Result<Format> parse_format(std::string_view text) {
  if (text == "text") return Format::text;
  if (text == "json") return Format::json;
  return Error(ErrorCode::invalid, fmt::format("unknown log format \"{}\"", text), "use text or json");
}

namespace {

bool plain(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("-._/@^+").find(c) != std::string_view::npos;
}

std::string quoted_if_needed(const std::string& text) {
  if (!text.empty() && std::all_of(text.begin(), text.end(), plain)) return text;
  return json::compact(json::value(text));
}

class DescriptorSink final : public Sink {
 public:
  DescriptorSink(int descriptor, Level level, Format format)
      : descriptor_(descriptor), level_(level), format_(format) {}
  void write(const Record& record) override {
    if (record.level < level_) return;
    const std::string line = render(record, format_);
    std::lock_guard lock(mutex_);
    size_t done = 0;
    while (done < line.size()) {
      const ssize_t n = ::write(descriptor_, line.data() + done, line.size() - done);
      if (n <= 0) {
        if (n < 0 && errno == EINTR) continue;
        return;  // nowhere left to tell
      }
      done += static_cast<size_t>(n);
    }
  }

 private:
  std::mutex mutex_;
  const int descriptor_;
  const Level level_;
  const Format format_;
};

class TeeSink final : public Sink {
 public:
  explicit TeeSink(std::vector<std::shared_ptr<Sink>> sinks) : sinks_(std::move(sinks)) {}
  void write(const Record& record) override {
    for (const auto& sink : sinks_) sink->write(record);
  }

 private:
  const std::vector<std::shared_ptr<Sink>> sinks_;
};

class FunctionSink final : public Sink {
 public:
  explicit FunctionSink(std::function<void(const Record&)> function) : function_(std::move(function)) {}
  void write(const Record& record) override {
    std::lock_guard lock(mutex_);
    function_(record);
  }

 private:
  std::mutex mutex_;
  const std::function<void(const Record&)> function_;
};

}  // namespace

std::string render(const Record& record, Format format) {
  if (format == Format::json) {
    json::object line;
    for (const Field& field : record.fields) line[field.key] = field.value;
    line["level"] = to_string(record.level);
    line["msg"] = record.message;
    line["time"] = format_rfc3339(record.time);
    return json::compact(json::value(std::move(line))) + "\n";
  }
  std::string line = fmt::format("time=\"{}\" level={} msg={}", format_rfc3339(record.time), to_string(record.level),
                                 quoted_if_needed(record.message));
  for (const Field& field : record.fields) line += " " + field.key + "=" + quoted_if_needed(field.value);
  return line + "\n";
}

std::shared_ptr<Sink> descriptor_sink(int descriptor, Level level, Format format) {
  return std::make_shared<DescriptorSink>(descriptor, level, format);
}

void MemorySink::write(const Record& record) {
  std::lock_guard lock(mutex_);
  records_.push_back(record);
}

std::vector<Record> MemorySink::records() const {
  std::lock_guard lock(mutex_);
  return records_;
}

std::string MemorySink::text(Format format) const {
  std::lock_guard lock(mutex_);
  std::string out;
  for (const Record& record : records_) out += render(record, format);
  return out;
}

std::shared_ptr<Sink> tee_sink(std::vector<std::shared_ptr<Sink>> sinks) {
  return std::make_shared<TeeSink>(std::move(sinks));
}

std::shared_ptr<Sink> function_sink(std::function<void(const Record&)> function) {
  return std::make_shared<FunctionSink>(std::move(function));
}

Logger Logger::with(Fields fields) const {
  Logger out = *this;
  out.fields_.insert(out.fields_.end(), fields.begin(), fields.end());
  return out;
}

Logger Logger::also_to(std::shared_ptr<Sink> extra) const {
  Logger out = *this;
  out.sink_ = sink_ == nullptr ? std::move(extra) : tee_sink({sink_, std::move(extra)});
  return out;
}

void Logger::write(Level level, std::string_view message, Fields fields) const {
  if (sink_ == nullptr) return;
  Record record{clock_->now(), level, std::string(message), fields_};
  record.fields.insert(record.fields.end(), std::make_move_iterator(fields.begin()),
                       std::make_move_iterator(fields.end()));
  sink_->write(record);
}

}  // namespace holdfast::log
