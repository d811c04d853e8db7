// Turns verified code bytes into callable functions through the dynamic linker, from a file of the cache or from a
// sealed memory file. The ELF image was checked before (ElfImage.h); hashes were checked by the reader of the artefact.
#pragma once

#include "runtime/File.h"
#include "runtime/Manifest.h"

#include <memory>
#include <string_view>
#include <vector>

namespace sattn::rt {

/// The kernel ABI of docs/artefact.md, section 2.
using KernelFunction = void (*)(const int64_t *frame, char *scratch, int64_t x, int64_t y, int64_t z);

/// A loaded shared object; unloaded when destroyed.
class LoadedCode {
public:
  ~LoadedCode();
  LoadedCode(const LoadedCode &) = delete;
  LoadedCode &operator=(const LoadedCode &) = delete;

  /// In the order of the kernels it was loaded with.
  KernelFunction function(int kernel) const { return functions[kernel]; }

  /// Loads what `file` holds and finds the symbols of `kernels`. `file` is not needed afterwards. `fromMemory`: the
  /// file is a memory file of this call, so the loaded object must be new, and a perf map is written for it.
  static Status load(const Fd &file, bool fromMemory, const std::string &name, const std::vector<KernelInfo> &kernels,
                     std::unique_ptr<LoadedCode> &out);

  /// Loads bytes through a sealed memory file.
  static Status loadBytes(std::string_view code, const std::string &name, const std::vector<KernelInfo> &kernels,
                          std::unique_ptr<LoadedCode> &out);

private:
  LoadedCode() = default;

  void *handle = nullptr;
  std::vector<KernelFunction> functions;
};

} // namespace sattn::rt
