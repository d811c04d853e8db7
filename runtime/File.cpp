// Plain system calls with their retries (File.h).
#include "runtime/File.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace sattn::rt {

void Fd::close() {
  if (fd >= 0)
    ::close(fd);
  fd = -1;
}

int readAll(int fd, uint64_t limit, std::string &out) {
  out.clear();
  struct stat info;
  if (fstat(fd, &info) != 0)
    return errno;
  if (static_cast<uint64_t>(info.st_size) > limit)
    return EFBIG;
  // One byte more than the file has, so that the last read finds the end.
  out.resize(static_cast<size_t>(info.st_size) + 1);
  size_t size = 0;
  while (true) {
    ssize_t count = ::read(fd, out.data() + size, out.size() - size);
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return errno;
    size += static_cast<size_t>(count);
    if (count == 0)
      break;
    if (size > limit)
      return EFBIG;
    if (size == out.size())
      out.resize(size * 2);
  }
  out.resize(size);
  return 0;
}

int writeAll(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    ssize_t count = ::write(fd, bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR)
      continue;
    if (count < 0)
      return errno;
    bytes.remove_prefix(static_cast<size_t>(count));
  }
  return 0;
}

std::string errorText(int error) { return std::system_category().message(error); }

} // namespace sattn::rt
