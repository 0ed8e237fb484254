// The report as one HTML page: figures, checks, and the time line as inline SVG with a lane for each application.
#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "demo/report.h"

namespace holdfast::demo {

namespace {

constexpr double kLeft = 130;
constexpr double kWidth = 960;
constexpr double kLane = 74;
constexpr double kTop = 30;

constexpr std::string_view kStyle =
    "body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:1140px;padding:0 1em;color:#1d2433}"
    "table{border-collapse:collapse;width:100%}td,th{text-align:left;padding:.3em .7em;border-bottom:1px solid #d8dde6;"
    "vertical-align:top}th{font-weight:600}.ok{color:#12703a}.bad{color:#b3261e;font-weight:600}"
    "svg{width:100%;height:auto}svg text{font:11px system-ui,sans-serif;fill:#1d2433}";

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

/// Time to x.
class Axis {
 public:
  explicit Axis(const Report& report) : begin_(report.begun), end_(report.begun) {
    bool first = true;
    for (const ApplicationReport& application : report.applications) {
      for (const Step& step : application.steps) {
        begin_ = first ? step.begin : std::min(begin_, step.begin);
        end_ = first ? step.end : std::max(end_, step.end);
        first = false;
      }
    }
    if (end_ - begin_ < std::chrono::seconds(1)) end_ = begin_ + std::chrono::seconds(1);
  }
  [[nodiscard]] double x(Time time) const {
    return kLeft + kWidth * seconds(std::clamp(time, begin_, end_)) / seconds(end_);
  }
  [[nodiscard]] double seconds(Time time) const { return std::chrono::duration<double>(time - begin_).count(); }
  [[nodiscard]] Time end() const { return end_; }
  [[nodiscard]] Time begin() const { return begin_; }

 private:
  Time begin_;
  Time end_;
};

struct Look {
  std::string_view fill;
  double offset;  ///< in the lane
  double height;
};
Look look_of(const Step& step) {
  if (step.name.starts_with("backup")) return {"#3b74c4", 10, 14};
  if (step.name == "freeze") return {"#d98a1f", 26, 8};
  if (step.name.starts_with("restore")) return {"#2b8a57", 10, 14};
  return {"#1d2433", 8, 30};
}

std::string step_svg(const Axis& axis, const Step& step, double top, size_t mark) {
  const Look look = look_of(step);
  const double x = axis.x(step.begin);
  const double width = std::max(1.5, axis.x(step.end) - x);
  std::string out = fmt::format(
      R"(<rect x="{:.1f}" y="{:.1f}" width="{:.1f}" height="{:.1f}" fill="{}"><title>{} ({:.2f} s)</title></rect>)", x,
      top + look.offset, width, look.height, look.fill, escaped(step.name),
      std::chrono::duration<double>(step.end - step.begin).count());
  if (step.begin == step.end && step.name != "site lost") {
    const double y = top + 48 + 11 * static_cast<double>(mark % 3);
    const bool late = x > kLeft + kWidth * 0.8;
    out += fmt::format(R"(<text x="{:.1f}" y="{:.1f}" text-anchor="{}">{}</text>)", late ? x - 3 : x + 3, y,
                       late ? "end" : "start", escaped(step.name));
  }
  return out;
}

std::string time_line(const Report& report) {
  const Axis axis(report);
  const double bottom = kTop + kLane * static_cast<double>(report.applications.size());
  std::string out = fmt::format(
      R"(<svg viewBox="0 0 {:.0f} {:.0f}" role="img" aria-label="time line of backups, loss and recovery">)",
      kLeft + kWidth + 30, bottom + 30);
  const double whole = axis.seconds(axis.end());
  const double tick = whole > 120 ? 20 : whole > 40 ? 10 : whole > 15 ? 5 : 1;
  for (double at = 0; at <= whole; at += tick) {
    const double x = kLeft + kWidth * at / whole;
    out += fmt::format(
        R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}" stroke="#e3e7ee"/><text x="{0:.1f}" y="{3:.1f}" text-anchor="middle">{4:.0f} s</text>)",
        x, kTop - 8, bottom, bottom + 16, at);
  }
  double top = kTop;
  for (const ApplicationReport& application : report.applications) {
    out += fmt::format(R"(<text x="4" y="{:.1f}" font-weight="600">{}</text>)", top + 21, escaped(application.name));
    size_t mark = 0;
    for (const Step& step : application.steps) {
      out += step_svg(axis, step, top, mark);
      if (step.begin == step.end && step.name != "site lost") ++mark;
    }
    top += kLane;
  }
  const double loss = axis.x(report.lost);
  out += fmt::format(
      R"(<line x1="{0:.1f}" x2="{0:.1f}" y1="{1:.1f}" y2="{2:.1f}" stroke="#b3261e" stroke-width="2"/><text x="{0:.1f}" y="{3:.1f}" text-anchor="middle" fill="#b3261e">site lost</text>)",
      loss, kTop - 8, bottom, kTop - 12);
  return out + "</svg>\n";
}

std::string row(std::initializer_list<std::string> cells, std::string_view tag = "td") {
  std::string out = "<tr>";
  for (const std::string& cell : cells) out += fmt::format("<{0}>{1}</{0}>", tag, cell);
  return out + "</tr>\n";
}

std::string number(const std::optional<double>& value) {
  return value ? fmt::format("{:.1f} s", *value) : "unknown";
}

std::string figures(const Report& report) {
  std::string out = "<table>\n" + row({"application", "data lost since", "entries lost", "in doubt", "restore",
                                       "outage", "longest freeze (manifest)", "restored"},
                                      "th");
  for (const ApplicationReport& a : report.applications) {
    out += row({escaped(a.name), number(a.rpo_seconds), std::to_string(a.lost_entries), std::to_string(a.in_doubt),
                number(a.restore_seconds), number(a.outage_seconds),
                fmt::format("{:.0f} ms ({:.0f} ms)", a.freeze_ms_max, a.freeze_manifest_ms),
                format_bytes(a.bytes_restored)});
  }
  return out + "</table>\n";
}

std::string backups(const Report& report) {
  std::string out = "<table>\n" + row({"backup", "phase", "application", "read", "stored", "took"}, "th");
  for (const BackupSeen& backup : report.backups) {
    for (const VolumeCopy& copy : backup.volumes) {
      out += row({escaped(backup.name), escaped(backup.phase), escaped(copy.application), format_bytes(copy.bytes_read),
                  format_bytes(copy.bytes_stored),
                  number(std::chrono::duration<double>(copy.ended - copy.started).count())});
    }
  }
  return out + "</table>\n";
}

std::string checks(const Report& report) {
  std::string out = "<table>\n" + row({"check", "result", "detail"}, "th");
  for (const Check& check : report.checks) {
    out += row({escaped(check.name),
                check.passed ? "<span class=\"ok\">passed</span>" : "<span class=\"bad\">FAILED</span>",
                escaped(check.detail)});
  }
  return out + "</table>\n";
}

}  // namespace

std::string to_html(const Report& report) {
  return fmt::format(
      "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>holdfast demo</title><style>{}</style>"
      "</head><body>\n<h1>A site was lost; its applications are back</h1>\n<p class=\"{}\">{} at {}</p>\n<p>Clusters: "
      "{}. Store: {}.</p>\n{}"
      "<h2>Figures</h2>\n{}<h2>Checks</h2>\n{}<h2>Backups</h2>\n{}</body></html>\n",
      kStyle, report.passed() ? "ok" : "bad", report.passed() ? "All checks passed" : "Checks failed",
      format_rfc3339(report.begun), escaped(report.clusters), escaped(report.store), time_line(report), figures(report),
      checks(report), backups(report));
}

}  // namespace holdfast::demo
