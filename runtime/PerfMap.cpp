// Appends to the perf map (PerfMap.h); its folder is open to everybody, so what lies there is not trusted.
#include "runtime/PerfMap.h"

#include "runtime/File.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cinttypes>
#include <cstdio>

namespace sattn::rt {

std::string perfMapLine(const void *address, size_t size, const std::string &name) {
  char numbers[48];
  std::snprintf(numbers, sizeof(numbers), "%" PRIxPTR " %zx ", reinterpret_cast<uintptr_t>(address), size);
  std::string line = numbers + name + "\n";
  return line;
}

std::string perfMapPath() { return "/tmp/perf-" + std::to_string(getpid()) + ".map"; }

void appendPerfMap(const std::string &lines) {
  Fd file(open(perfMapPath().c_str(), O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0600));
  struct stat info;
  if (!file.valid() || fstat(file.get(), &info) != 0 || !S_ISREG(info.st_mode) || info.st_uid != geteuid() ||
      info.st_nlink != 1)
    return;
  (void)writeAll(file.get(), lines);
}

} // namespace sattn::rt
