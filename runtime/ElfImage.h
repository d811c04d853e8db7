// A look at the code section before the dynamic linker gets it: an x86-64 ELF shared object that lies within its bytes,
// needs no library, runs nothing when it is loaded and refers to no symbol it does not define. Kernels call nothing, so
// anything else is an error of the compiler, found here with a message and not as a crash in the dynamic linker.
#pragma once

#include "runtime/Status.h"

#include <string_view>

namespace sattn::rt {

class ElfImage {
public:
  /// Checks `bytes`, which must outlive `out`.
  static Status read(std::string_view bytes, ElfImage &out);

  /// Whether the dynamic symbol table defines `name`.
  bool defines(std::string_view name) const;

private:
  struct Dynamic;
  Status readSegments();
  Status readDynamic();
  Status checkRelocations(uint64_t address, uint64_t size) const;
  /// The bytes of the file that are mapped from `address` to the end of its segment.
  std::string_view from(uint64_t address) const;
  /// The first `size` of them, empty if there are fewer.
  std::string_view at(uint64_t address, uint64_t size) const;
  std::string_view stringAt(uint64_t offset) const;

  std::string_view file;
  std::string_view dynamic; ///< the PT_DYNAMIC segment
  std::string_view strings; ///< DT_STRTAB
  uint64_t symbolTable = 0; ///< address of DT_SYMTAB
  uint64_t symbolCount = 0;
};

} // namespace sattn::rt
