// Objects to one ELF shared object, with the linker inside this process. Files are anonymous memory, so nothing is
// left on disk and nothing outside is run.
#include "codegen/cpu/Emit.h"
#include "lld/Common/Driver.h"
#include "llvm/Support/raw_ostream.h"
#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <memory>
#include <mutex>
#include <sys/mman.h>
#include <thread>
#include <unistd.h>

LLD_HAS_DRIVER(elf)

using namespace sattn;
using namespace sattn::cpu;

namespace {
/// An anonymous file that other code opens by path.
class MemoryFile {
public:
  explicit MemoryFile(const char *name) : fd(memfd_create(name, MFD_CLOEXEC)) {}
  ~MemoryFile() {
    if (fd >= 0)
      close(fd);
  }
  MemoryFile(const MemoryFile &) = delete;
  MemoryFile &operator=(const MemoryFile &) = delete;
  bool isOpen() const { return fd >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(fd); }

  bool write(ArrayRef<char> bytes) {
    while (!bytes.empty()) {
      ssize_t count = ::write(fd, bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR)
        continue;
      if (count <= 0)
        return false;
      bytes = bytes.drop_front(static_cast<size_t>(count));
    }
    return true;
  }

private:
  int fd;
};

/// A file that other code writes by path and this process reads meanwhile. A pipe, because the linker replaces regular
/// files by new ones under the same name, which an anonymous file does not have.
class Pipe {
public:
  Pipe() {
    if (pipe2(ends, O_CLOEXEC) == 0)
      reader = std::thread([this] { drain(); });
  }
  ~Pipe() { take(); }
  Pipe(const Pipe &) = delete;
  Pipe &operator=(const Pipe &) = delete;
  bool isOpen() const { return ends[1] >= 0; }
  std::string path() const { return "/proc/self/fd/" + std::to_string(ends[1]); }

  /// All bytes that were written; ends the reading.
  std::vector<char> take() {
    if (ends[1] >= 0) {
      close(ends[1]);
      reader.join();
      close(ends[0]);
      ends[0] = ends[1] = -1;
    }
    return std::move(bytes);
  }

private:
  void drain() {
    char chunk[65536];
    for (ssize_t count; (count = ::read(ends[0], chunk, sizeof chunk)) != 0;)
      if (count > 0)
        bytes.insert(bytes.end(), chunk, chunk + count);
      else if (errno != EINTR)
        return;
  }
  int ends[2] = {-1, -1};
  std::vector<char> bytes;
  std::thread reader;
};
} // namespace

FailureOr<std::vector<char>> sattn::cpu::link(ArrayRef<Object> objects, std::string &error) {
  static std::mutex mutex;
  std::lock_guard<std::mutex> lock(mutex);

  std::vector<std::unique_ptr<MemoryFile>> inputs;
  Pipe output;
  std::vector<std::string> arguments = {"ld.lld",
                                        "-shared",
                                        "--threads=1",
                                        "--no-mmap-output-file",
                                        "--hash-style=gnu",
                                        "-z",
                                        "defs",
                                        "-z",
                                        "noexecstack",
                                        "--build-id=none",
                                        "-s",
                                        "--gc-sections",
                                        "--no-rosegment",
                                        "-o",
                                        output.path()};
  for (const Object &object : objects) {
    inputs.push_back(std::make_unique<MemoryFile>("kernel.o"));
    if (!output.isOpen() || !inputs.back()->isOpen() || !inputs.back()->write(object.bytes)) {
      error = std::string("cannot write an object to anonymous memory: ") + std::strerror(errno);
      return failure();
    }
    arguments.push_back(inputs.back()->path());
  }
  std::vector<const char *> pointers;
  for (const std::string &argument : arguments)
    pointers.push_back(argument.c_str());
  std::string diagnostics;
  llvm::raw_string_ostream stream(diagnostics);
  lld::Result result = lld::lldMain(pointers, stream, stream, {{lld::Gnu, &lld::elf::link}});
  std::vector<char> linked = output.take();
  if (result.retCode != 0 || !result.canRunAgain || linked.empty()) {
    error = "the linker refused the object: " + diagnostics;
    return failure();
  }
  return linked;
}
