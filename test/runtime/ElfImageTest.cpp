// The look at the code section: the test kernels are accepted; each thing that kernels must not have is refused.
#include "test/runtime/Support.h"

#include "runtime/ElfImage.h"

#include <elf.h>

#include <cstring>

using namespace sattn::rt;
using namespace sattn::rt::testing;

namespace {
Status readImage(const std::string &code) {
  ElfImage image;
  return ElfImage::read(code, image);
}

template <typename T> T get(const std::string &code, size_t at) {
  T value;
  std::memcpy(&value, code.data() + at, sizeof(T));
  return value;
}

template <typename T> void put(std::string &code, size_t at, const T &value) {
  std::memcpy(code.data() + at, &value, sizeof(T));
}

/// The test kernels after `change` of every program header.
template <typename F> std::string withSegments(F change) {
  std::string code = kernelCode();
  auto header = get<Elf64_Ehdr>(code, 0);
  for (int i = 0; i < header.e_phnum; ++i) {
    size_t at = header.e_phoff + i * sizeof(Elf64_Phdr);
    auto segment = get<Elf64_Phdr>(code, at);
    change(segment);
    put(code, at, segment);
  }
  return code;
}

/// The test kernels after `change` of every dynamic entry.
template <typename F> std::string withDynamic(F change) {
  std::string code = kernelCode();
  auto header = get<Elf64_Ehdr>(code, 0);
  for (int i = 0; i < header.e_phnum; ++i) {
    auto segment = get<Elf64_Phdr>(code, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_DYNAMIC)
      continue;
    for (size_t at = segment.p_offset; at < segment.p_offset + segment.p_filesz; at += sizeof(Elf64_Dyn)) {
      auto entry = get<Elf64_Dyn>(code, at);
      change(entry);
      put(code, at, entry);
    }
  }
  return code;
}

/// Adds one entry in place of the first terminating one.
std::string withEntry(int64_t tag, uint64_t value) {
  bool done = false;
  return withDynamic([&](Elf64_Dyn &entry) {
    // The section has several DT_NULL at its end only if the linker left room; the flags are not needed here.
    if (!done && (entry.d_tag == DT_FLAGS || entry.d_tag == DT_RELACOUNT || entry.d_tag == DT_NULL ||
                  entry.d_tag == DT_GNU_HASH)) {
      entry.d_tag = tag;
      entry.d_un.d_val = value;
      done = true;
    }
  });
}
} // namespace

TEST_CASE("the test kernels are accepted and their symbols found") {
  ElfImage image;
  CHECK_OK(ElfImage::read(kernelCode(), image));
  for (const char *name : {"identify", "axpy", "total"})
    CHECK(image.defines(name));
  for (const char *name : {"", "axp", "axpyy", "testKernelId"})
    CHECK_FALSE(image.defines(name));
}

TEST_CASE("other files are refused") {
  CHECK_STATUS(readImage(""), Err::CodeImage, "[SA0416] code section: not an ELF file");
  CHECK_STATUS(readImage(std::string(4096, 'x')), Err::CodeImage, "not an ELF file");
  auto change = [](size_t at, char value) {
    std::string code = kernelCode();
    code[at] = value;
    return code;
  };
  CHECK_STATUS(readImage(change(EI_CLASS, ELFCLASS32)), Err::CodeImage, "not an x86-64 ELF shared object");
  CHECK_STATUS(readImage(change(18, EM_386)), Err::CodeImage, "not an x86-64 ELF shared object");
  CHECK_STATUS(readImage(change(16, ET_EXEC)), Err::CodeImage, "not an x86-64 ELF shared object");
  CHECK_STATUS(readImage(change(56, 100)), Err::CodeImage, "program headers are malformed");
}

TEST_CASE("segments") {
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) { s.p_filesz += s.p_type == PT_LOAD ? 1 << 20 : 0; })),
               Err::CodeImage, "a segment reaches beyond its end");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) { s.p_memsz = s.p_type == PT_LOAD ? 0 : s.p_memsz; })),
               Err::CodeImage, "a segment is malformed");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) { s.p_flags |= PF_W | PF_X; })), Err::CodeImage,
               "a segment is writable and executable");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) {
                 if (s.p_type == PT_GNU_STACK)
                   s.p_flags |= PF_X;
               })),
               Err::CodeImage, "asks for an executable stack");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) {
                 if (s.p_type == PT_GNU_STACK)
                   s.p_type = PT_NULL;
               })),
               Err::CodeImage, "asks for an executable stack");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) {
                 if (s.p_type == PT_PHDR)
                   s.p_type = PT_INTERP;
               })),
               Err::CodeImage, "thread-local storage or an interpreter");
  CHECK_STATUS(readImage(withSegments([](Elf64_Phdr &s) {
                 if (s.p_type == PT_DYNAMIC)
                   s.p_type = PT_NULL;
               })),
               Err::CodeImage, "no dynamic section");
}

TEST_CASE("dynamic entries") {
  CHECK_STATUS(readImage(withEntry(DT_NEEDED, 1)), Err::CodeImage, "it needs another library");
  CHECK_STATUS(readImage(withEntry(DT_INIT, 1)), Err::CodeImage, "it runs code when it is loaded");
  CHECK_STATUS(readImage(withEntry(DT_INIT_ARRAY, 1)), Err::CodeImage, "it runs code when it is loaded");
  CHECK_STATUS(readImage(withEntry(DT_TEXTREL, 0)), Err::CodeImage, "text relocations");
  CHECK_STATUS(readImage(withDynamic([](Elf64_Dyn &e) {
                 if (e.d_tag == DT_SYMTAB)
                   e.d_un.d_val = 1 << 28;
               })),
               Err::CodeImage, "symbol table is malformed");
  CHECK_STATUS(readImage(withDynamic([](Elf64_Dyn &e) {
                 if (e.d_tag == DT_FLAGS || e.d_tag == DT_GNU_HASH || e.d_tag == DT_HASH)
                   e = {DT_DEBUG, {0}};
               })),
               Err::CodeImage, "symbol table is malformed");
}

TEST_CASE("undefined symbols and functions that run when loaded") {
  auto withSymbols = [](auto change) {
    std::string code = kernelCode();
    uint64_t table = 0;
    withDynamic([&](Elf64_Dyn &e) {
      if (e.d_tag == DT_SYMTAB)
        table = e.d_un.d_val;
    });
    // The first segment maps the file's start at address 0.
    auto symbol = get<Elf64_Sym>(code, table + sizeof(Elf64_Sym));
    change(symbol);
    put(code, table + sizeof(Elf64_Sym), symbol);
    return code;
  };
  CHECK_STATUS(readImage(withSymbols([](Elf64_Sym &s) { s.st_shndx = SHN_UNDEF; })), Err::CodeImage,
               "which it does not define");
  CHECK_STATUS(readImage(withSymbols([](Elf64_Sym &s) { s.st_info = ELF64_ST_INFO(STB_GLOBAL, STT_GNU_IFUNC); })),
               Err::CodeImage, "it runs code when it is loaded");
}

TEST_CASE("no truncation and no changed byte crashes the reader") {
  const std::string &code = kernelCode();
  for (size_t size = 0; size < code.size(); size += 61)
    (void)readImage(code.substr(0, size));
  for (size_t at = 0; at < code.size(); ++at) {
    std::string changed = code;
    changed[at] = static_cast<char>(changed[at] ^ 0xff);
    ElfImage image;
    if (ElfImage::read(changed, image).ok())
      (void)image.defines("total");
  }
}
