// Checks ELF shared objects (ElfImage.h). Structures and constants: <elf.h>, System V ABI chapters 4 and 5.
#include "runtime/ElfImage.h"

#include <elf.h>

#include <algorithm>
#include <cstring>

namespace sattn::rt {

/// Reads a structure at any alignment; the caller has checked the bounds.
template <typename T> static T load(std::string_view bytes, uint64_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(T));
  return value;
}

static Status refuse(const std::string &what) { return fail<Err::CodeImage>(what); }

static bool inside(std::string_view bytes, uint64_t offset, uint64_t size) {
  return offset <= bytes.size() && size <= bytes.size() - offset;
}

std::string_view ElfImage::from(uint64_t address) const {
  auto header = load<Elf64_Ehdr>(file, 0);
  for (int i = 0; i < header.e_phnum; ++i) {
    auto segment = load<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
    if (segment.p_type != PT_LOAD || address < segment.p_vaddr)
      continue;
    uint64_t offset = address - segment.p_vaddr;
    if (offset <= segment.p_filesz)
      return file.substr(segment.p_offset + offset, segment.p_filesz - offset);
  }
  return {};
}

std::string_view ElfImage::at(uint64_t address, uint64_t size) const {
  std::string_view tail = from(address);
  return size <= tail.size() ? tail.substr(0, size) : std::string_view();
}

std::string_view ElfImage::stringAt(uint64_t offset) const {
  if (offset >= strings.size())
    return {};
  std::string_view tail = strings.substr(offset);
  size_t end = tail.find('\0');
  return end == std::string_view::npos ? std::string_view() : tail.substr(0, end);
}

Status ElfImage::readSegments() {
  if (file.size() < sizeof(Elf64_Ehdr) || std::memcmp(file.data(), ELFMAG, SELFMAG) != 0)
    return refuse("not an ELF file");
  auto header = load<Elf64_Ehdr>(file, 0);
  if (header.e_ident[EI_CLASS] != ELFCLASS64 || header.e_ident[EI_DATA] != ELFDATA2LSB ||
      header.e_machine != EM_X86_64 || header.e_type != ET_DYN)
    return refuse("not an x86-64 ELF shared object");
  if (header.e_phentsize != sizeof(Elf64_Phdr) || header.e_phnum > 64 ||
      !inside(file, header.e_phoff, header.e_phnum * sizeof(Elf64_Phdr)))
    return refuse("its program headers are malformed");
  bool sawStack = false;
  for (int i = 0; i < header.e_phnum; ++i) {
    auto segment = load<Elf64_Phdr>(file, header.e_phoff + i * sizeof(Elf64_Phdr));
    bool isLoad = segment.p_type == PT_LOAD;
    if ((isLoad || segment.p_type == PT_DYNAMIC) && !inside(file, segment.p_offset, segment.p_filesz))
      return refuse("a segment reaches beyond its end");
    if (isLoad && (segment.p_filesz > segment.p_memsz || segment.p_memsz > (uint64_t(1) << 30) ||
                   segment.p_vaddr > (uint64_t(1) << 32) || segment.p_align < 0x1000 || (segment.p_align & 0xfff) ||
                   (segment.p_vaddr - segment.p_offset) % 0x1000 != 0))
      return refuse("a segment is malformed");
    if (isLoad && (segment.p_flags & PF_W) && (segment.p_flags & PF_X))
      return refuse("a segment is writable and executable");
    if (segment.p_type == PT_TLS || segment.p_type == PT_INTERP)
      return refuse("it has thread-local storage or an interpreter");
    if (segment.p_type == PT_DYNAMIC)
      dynamic = file.substr(segment.p_offset, segment.p_filesz);
    sawStack |= segment.p_type == PT_GNU_STACK && !(segment.p_flags & PF_X);
  }
  // Without this header glibc would make the stacks of the process executable.
  if (!sawStack)
    return refuse("it asks for an executable stack");
  return dynamic.empty() ? refuse("it has no dynamic section") : success();
}

struct ElfImage::Dynamic {
  uint64_t hash = 0, gnuHash = 0, strings = 0, stringsSize = 0;
  uint64_t rela = 0, relaSize = 0, jumpRela = 0, jumpRelaSize = 0;
};

/// Entries of the symbol table, from the System V hash table (nchain) or by the longest chain of the GNU one.
static bool countSymbols(std::string_view hash, std::string_view gnuHash, uint64_t &count) {
  if (hash.size() >= 8) {
    count = load<uint32_t>(hash, 4);
    return true;
  }
  if (gnuHash.size() < 16)
    return false;
  uint64_t buckets = load<uint32_t>(gnuHash, 0), first = load<uint32_t>(gnuHash, 4), bloom = load<uint32_t>(gnuHash, 8);
  uint64_t bucketsAt = 16 + bloom * 8, chainsAt = bucketsAt + buckets * 4;
  if (!inside(gnuHash, bucketsAt, buckets * 4))
    return false;
  uint64_t last = 0;
  for (uint64_t i = 0; i < buckets; ++i)
    last = std::max<uint64_t>(last, load<uint32_t>(gnuHash, bucketsAt + i * 4));
  count = first;
  if (last == 0)
    return true;
  for (; last >= first; ++last) {
    if (!inside(gnuHash, chainsAt + (last - first) * 4, 4))
      return false;
    if (load<uint32_t>(gnuHash, chainsAt + (last - first) * 4) & 1) {
      count = last + 1;
      return true;
    }
  }
  return false;
}

Status ElfImage::checkRelocations(uint64_t address, uint64_t size) const {
  std::string_view table = at(address, size);
  if (size != 0 && table.empty())
    return refuse("its relocations lie outside its segments");
  for (uint64_t i = 0; i + sizeof(Elf64_Rela) <= table.size(); i += sizeof(Elf64_Rela)) {
    uint64_t type = ELF64_R_TYPE(load<Elf64_Rela>(table, i).r_info);
    if (type != R_X86_64_RELATIVE && type != R_X86_64_64 && type != R_X86_64_GLOB_DAT && type != R_X86_64_JUMP_SLOT)
      return refuse("it has a relocation of type " + std::to_string(type));
  }
  return success();
}

Status ElfImage::readDynamic() {
  Dynamic d;
  for (uint64_t i = 0; i + sizeof(Elf64_Dyn) <= dynamic.size(); i += sizeof(Elf64_Dyn)) {
    auto entry = load<Elf64_Dyn>(dynamic, i);
    uint64_t value = entry.d_un.d_val;
    if (entry.d_tag == DT_NULL)
      break;
    switch (entry.d_tag) {
    case DT_NEEDED:
      return refuse("it needs another library");
    case DT_INIT:
    case DT_FINI:
    case DT_INIT_ARRAY:
    case DT_FINI_ARRAY:
    case DT_PREINIT_ARRAY:
      return refuse("it runs code when it is loaded");
    case DT_TEXTREL:
    case DT_REL:
      return refuse("it has text relocations");
    case DT_HASH:
      d.hash = value;
      break;
    case DT_GNU_HASH:
      d.gnuHash = value;
      break;
    case DT_STRTAB:
      d.strings = value;
      break;
    case DT_STRSZ:
      d.stringsSize = value;
      break;
    case DT_SYMTAB:
      symbolTable = value;
      break;
    case DT_RELA:
      d.rela = value;
      break;
    case DT_RELASZ:
      d.relaSize = value;
      break;
    case DT_JMPREL:
      d.jumpRela = value;
      break;
    case DT_PLTRELSZ:
      d.jumpRelaSize = value;
      break;
    default:
      break;
    }
  }
  strings = at(d.strings, d.stringsSize);
  // The hash tables have no size field: all that is mapped behind their start is looked at.
  std::string_view hash = d.hash ? from(d.hash) : std::string_view();
  std::string_view gnuHash = d.gnuHash ? from(d.gnuHash) : std::string_view();
  if (!countSymbols(hash, gnuHash, symbolCount) || symbolCount > (1 << 20) ||
      at(symbolTable, symbolCount * sizeof(Elf64_Sym)).size() != symbolCount * sizeof(Elf64_Sym))
    return refuse("its symbol table is malformed");
  SATTN_TRY(checkRelocations(d.rela, d.relaSize));
  return checkRelocations(d.jumpRela, d.jumpRelaSize);
}

Status ElfImage::read(std::string_view bytes, ElfImage &out) {
  out = ElfImage();
  out.file = bytes;
  SATTN_TRY(out.readSegments());
  SATTN_TRY(out.readDynamic());
  std::string_view symbols = out.at(out.symbolTable, out.symbolCount * sizeof(Elf64_Sym));
  for (uint64_t i = 1; i < out.symbolCount; ++i) {
    auto symbol = load<Elf64_Sym>(symbols, i * sizeof(Elf64_Sym));
    if (symbol.st_shndx == SHN_UNDEF)
      return refuse("it refers to '" + std::string(out.stringAt(symbol.st_name)) + "', which it does not define");
    if (ELF64_ST_TYPE(symbol.st_info) == STT_GNU_IFUNC)
      return refuse("it runs code when it is loaded");
  }
  return success();
}

bool ElfImage::defines(std::string_view name) const {
  std::string_view symbols = at(symbolTable, symbolCount * sizeof(Elf64_Sym));
  for (uint64_t i = 1; i < symbolCount; ++i)
    if (stringAt(load<Elf64_Sym>(symbols, i * sizeof(Elf64_Sym)).st_name) == name)
      return true;
  return false;
}

} // namespace sattn::rt
