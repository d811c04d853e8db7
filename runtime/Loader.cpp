// dlopen() of a file descriptor (Loader.h). glibc takes two loads for one when their names are equal, also when the
// descriptor behind /proc/self/fd/N is by now another file; it would return the WRONG kernel. So every load gets a name
// of its own.
#include "runtime/Loader.h"

#include "runtime/PerfMap.h"

#include <dlfcn.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>
#include <sys/random.h>

#include <atomic>
#include <cerrno>

namespace sattn::rt {

/// A number that this process has not used before. It begins at a random place, so that a second copy of this library
/// in the process, which counts for itself, makes other names.
static uint64_t nextNumber() {
  static std::atomic<uint64_t> counter = [] {
    uint32_t start = 0;
    ssize_t ignored = getrandom(&start, sizeof(start), GRND_NONBLOCK);
    (void)ignored;
    return uint64_t(start) << 16 | 1;
  }();
  return counter.fetch_add(1, std::memory_order_relaxed);
}

/// A path to an open file that no other load has used: "/" and "./" mean nothing to the kernel and spell a number.
static std::string uniquePath(int fd) {
  std::string path = "/proc/self/fd/";
  for (uint64_t number = nextNumber(); number != 0; number >>= 1)
    path += number & 1 ? "./" : "/";
  return path + std::to_string(fd);
}

static std::string linkerError() {
  const char *text = dlerror();
  return text ? text : "unknown error of the dynamic linker";
}

LoadedCode::~LoadedCode() {
  if (handle)
    dlclose(handle);
}

/// Addresses and sizes of the kernels for profilers, which cannot read symbols from a memory file.
static void writePerfMap(const std::string &name, const std::vector<KernelInfo> &kernels,
                         const std::vector<KernelFunction> &functions) {
  std::string lines;
  for (size_t i = 0; i < kernels.size(); ++i) {
    auto *address = reinterpret_cast<void *>(functions[i]);
    Dl_info info;
    void *symbol = nullptr;
    if (dladdr1(address, &info, &symbol, RTLD_DL_SYMENT) && symbol)
      lines += perfMapLine(address, static_cast<const ElfW(Sym) *>(symbol)->st_size,
                           "sattn:" + name + ":" + kernels[i].name);
  }
  appendPerfMap(lines);
}

Status LoadedCode::load(const Fd &file, bool fromMemory, const std::string &name,
                        const std::vector<KernelInfo> &kernels, std::unique_ptr<LoadedCode> &out) {
  std::unique_ptr<LoadedCode> code(new LoadedCode);
  std::string path = uniquePath(file.get());
  code->handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!code->handle)
    return fail<Err::LoadFailed>(name, linkerError());
  // A memory file was never loaded before, so an object of another name is a mix-up by device and inode number.
  link_map *map = nullptr;
  if (fromMemory && (dlinfo(code->handle, RTLD_DI_LINKMAP, &map) != 0 || path != map->l_name))
    return fail<Err::LoadFailed>(name, "the dynamic linker returned an object that was loaded before");
  for (const KernelInfo &kernel : kernels) {
    void *address = dlsym(code->handle, kernel.symbol.c_str());
    if (!address)
      return fail<Err::MissingSymbol>(kernel.symbol, kernel.name);
    code->functions.push_back(reinterpret_cast<KernelFunction>(address));
  }
  if (fromMemory)
    writePerfMap(name, kernels, code->functions);
  out = std::move(code);
  return success();
}

Status LoadedCode::loadBytes(std::string_view code, const std::string &name, const std::vector<KernelInfo> &kernels,
                             std::unique_ptr<LoadedCode> &out) {
  std::string label = "sattn-" + name.substr(0, 200);
  // Kernels from 6.3 on want to be told that the file will be executed; older ones refuse the flag.
  constexpr unsigned executable = 0x10; // MFD_EXEC
  Fd file(memfd_create(label.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING | executable));
  if (!file.valid() && errno == EINVAL)
    file = Fd(memfd_create(label.c_str(), MFD_CLOEXEC | MFD_ALLOW_SEALING));
  if (!file.valid())
    return fail<Err::LoadFailed>(name, "memfd_create: " + errorText(errno));
  if (int error = writeAll(file.get(), code))
    return fail<Err::LoadFailed>(name, "memory file: " + errorText(error));
  if (fcntl(file.get(), F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
    return fail<Err::LoadFailed>(name, "memory file: " + errorText(errno));
  return load(file, true, name, kernels, out);
}

} // namespace sattn::rt
