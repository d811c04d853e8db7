// Lines to the hook or to standard error (Log.h).
#include "runtime/Log.h"

#include <unistd.h>

namespace sattn::rt {

std::string csvField(std::string_view text) {
  if (text.find_first_of(",\"\r\n") == std::string_view::npos)
    return std::string(text);
  std::string quoted = "\"";
  for (char c : text) {
    if (c == '"')
      quoted += '"';
    quoted += c == '\n' || c == '\r' ? ' ' : c;
  }
  return quoted + '"';
}

Log::Log(sattn_log hook, void *user, bool verbose) : hook(hook), user(user), isVerbose(verbose) {
  if (verbose)
    write(SATTN_LOG_INFO, "sattn_verbose,event,pattern,target,detail,microseconds");
}

void Log::write(sattn_log_level level, std::string line) const {
  for (char &c : line)
    if (c == '\n' || c == '\r')
      c = ' ';
  if (hook)
    return hook(user, level, line.c_str());
  if (level == SATTN_LOG_WARNING)
    line.insert(0, "sattn: warning: ");
  line += '\n';
  // One write, so that lines of threads and processes do not mix. A closed standard error is nobody's concern.
  ssize_t ignored = ::write(STDERR_FILENO, line.data(), line.size());
  (void)ignored;
}

void Log::warning(std::string_view line) const { write(SATTN_LOG_WARNING, std::string(line)); }

void Log::event(std::string_view event, std::string_view pattern, std::string_view target, std::string_view detail,
                std::chrono::nanoseconds time) const {
  if (!isVerbose)
    return;
  std::string line = "sattn_verbose";
  for (std::string_view field : {event, pattern, target, detail})
    line += "," + csvField(field);
  line += "," + std::to_string(time.count() / 1000);
  write(SATTN_LOG_INFO, std::move(line));
}

} // namespace sattn::rt
