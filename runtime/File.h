// File descriptors and whole-file reads and writes, with errno values as results. Used by the disk cache and the
// loader.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

namespace sattn::rt {

/// Owns a file descriptor; -1 is none.
class Fd {
public:
  Fd() = default;
  explicit Fd(int fd) : fd(fd) {}
  Fd(Fd &&other) noexcept : fd(std::exchange(other.fd, -1)) {}
  Fd &operator=(Fd &&other) noexcept {
    std::swap(fd, other.fd);
    return *this;
  }
  ~Fd() { close(); }

  int get() const { return fd; }
  bool valid() const { return fd >= 0; }
  void close();

private:
  int fd = -1;
};

/// Reads from the current position to the end, at most `limit` bytes. 0 or an errno value; EFBIG beyond the limit.
int readAll(int fd, uint64_t limit, std::string &out);

/// Writes everything at the current position. 0 or an errno value.
int writeAll(int fd, std::string_view bytes);

/// The text of an errno value.
std::string errorText(int error);

} // namespace sattn::rt
