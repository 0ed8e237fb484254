// ledger: the demo's stateful application. `ledger serve` runs it; `ledger freeze` and `ledger thaw` are what a backup
// hook calls by exec in the same container.
#include <fmt/format.h>

#include <csignal>
#include <cstdio>

#include "base/json.h"
#include "config/command.h"
#include "ledger/service.h"
#include "net/http.h"

namespace holdfast::ledger {
namespace {

int fail(const Error& error) {
  fmt::print(stderr, "ledger: {}\n", error.to_string());
  return 1;
}

int serve(const config::Arguments& arguments) {
  // Both signals are waited for below instead of ending the process in the middle of an answer.
  sigset_t ends;
  sigemptyset(&ends);
  sigaddset(&ends, SIGTERM);
  sigaddset(&ends, SIGINT);
  pthread_sigmask(SIG_BLOCK, &ends, nullptr);
  const log::Logger log(log::descriptor_sink(2, log::Level::info, log::Format::text));
  ServiceOptions options;
  options.directory = arguments.text("data");
  options.address = arguments.text("address");
  options.port = static_cast<uint16_t>(arguments.number("port"));
  options.database_min = arguments.size("database-min");
  options.clutter = arguments.boolean("clutter");
  Result<std::unique_ptr<Service>> service = Service::start(std::move(options), system_clock(), log);
  if (!service) return fail(service.error());
  int received = 0;
  sigwait(&ends, &received);
  return 0;
}

Result<json::value> call(const config::Arguments& arguments, const std::string& path) {
  auto client = TRY(net::HttpClient::create({.tls = {}, .proxy = "-"}));
  net::Request request;
  request.method = "POST";
  request.url = fmt::format("http://127.0.0.1:{}{}", arguments.number("port"), path);
  const net::Response response = TRY(client->send(request));
  json::value body = TRY(json::parse(response.body));
  if (response.status != 200) {
    return Error(response.status == 409 ? ErrorCode::conflict : ErrorCode::unavailable,
                 json::string_at(body, {"error"}));
  }
  return body;
}

int print(const Result<json::value>& answer) {
  if (!answer) return fail(answer.error());
  fmt::print("{}\n", json::compact(*answer));
  return 0;
}

int freeze(const config::Arguments& arguments) {
  return print(call(arguments, "/freeze?max=" + net::percent_encode(arguments.text("max"))));
}

int thaw(const config::Arguments& arguments) {
  return print(call(arguments, "/thaw"));
}

config::Command root() {
  using config::Kind;
  const config::Option port{
      .name = "port", .kind = Kind::number, .help = "TCP port of the service", .fallback = "8080"};
  return {
      .name = "ledger",
      .summary = "A ledger that commits before it answers",
      .examples = {"ledger serve --data /data", "ledger freeze --max 30s", "ledger thaw"},
      .options = {port},
      .subcommands = {
          {.name = "serve",
           .summary = "Serve the ledger on a volume",
           .options = {{.name = "data", .help = "the volume's directory", .fallback = "/data"},
                       {.name = "address", .help = "address to listen on", .fallback = "0.0.0.0"},
                       {.name = "database-min",
                        .kind = Kind::size,
                        .help = "smallest size of the database",
                        .fallback = "64Mi"},
                       {.name = "clutter",
                        .kind = Kind::boolean,
                        .help = "write 30 MB of other files at start",
                        .fallback = "true"}},
           .run = serve},
          {.name = "freeze",
           .summary = "Hold posts back and make the volume's files a whole copy",
           .options =
               {{.name = "max", .kind = Kind::duration, .help = "thaw by itself after this long", .fallback = "30s"}},
           .run = freeze},
          {.name = "thaw", .summary = "Let posts go on; fails where the freeze had ended by itself", .run = thaw}}};
}

}  // namespace
}  // namespace holdfast::ledger

int main(int argc, char** argv) {
  std::signal(SIGPIPE, SIG_IGN);
  return holdfast::config::run_main(holdfast::ledger::root(), argc, argv);
}
