// Checks of shared memory; see SharedMemory.h.
#include "lib/ptx/SharedMemory.h"
#include "lib/ptx/Warp.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cstring>

namespace sattn::ptx {

void SharedMemory::clear() {
  std::fill(bytes.begin(), bytes.end(), std::byte(0));
  std::fill(units.begin(), units.end(), Unit());
  std::fill(fenced.begin(), fenced.end(), 0);
  finer.clear();
  readers.resize(1);
}

bool SharedMemory::accessible(const Accessor &by, uint64_t address, uint32_t count, uint32_t align) {
  if (address > bytes.size() || count > bytes.size() - address) {
    by.warp.fault(FaultKind::OutOfBounds, by.lane, [&] {
      return fmt::format("{} bytes at shared address {}, but the block has {} bytes", count, address, bytes.size());
    });
    return false;
  }
  if (address % align) {
    by.warp.fault(FaultKind::Misaligned, by.lane,
                  [&] { return fmt::format("shared address {} is not a multiple of {}", address, align); });
    return false;
  }
  return true;
}

bool SharedMemory::knowsReader(const Accessor &by, const Reader &reader) const {
  if (by.view.knowsWarp(reader.warp, reader.clock))
    return true;
  uint32_t others = reader.lanes;
  if (reader.any) {
    bool known = reader.warp == by.warp.index;
    for (; others && !known; others &= others - 1)
      known = by.view.knows(32u * reader.warp + unsigned(std::countr_zero(others)), reader.clock);
    return known;
  }
  if (reader.warp == by.warp.index)
    others &= ~(uint32_t(1) << by.lane);
  for (; others; others &= others - 1)
    if (!by.view.knows(32u * reader.warp + unsigned(std::countr_zero(others)), reader.clock))
      return false;
  return true;
}

void SharedMemory::noteReader(const Accessor &by, Cell &cell) {
  Reader now{by.lanes, by.clock, uint16_t(by.warp.index), by.async};
  auto replaces = [&](const Reader &old) {
    return old.warp == now.warp && old.any == now.any && !(old.lanes & ~now.lanes);
  };
  auto extends = [&](const Reader &old) {
    return old.warp == now.warp && old.any == now.any && old.clock == now.clock;
  };
  cell.readLine = by.warp.line();
  cell.strongRead = by.strong;
  if (!cell.reader.lanes || replaces(cell.reader)) {
    cell.reader = now;
    return;
  }
  if (extends(cell.reader)) {
    cell.reader.lanes |= now.lanes;
    return;
  }
  uint32_t last = 0, unused = 0;
  for (uint32_t at = cell.moreReaders; at; last = at, at = readers[at].next) {
    Reader &old = readers[at].reader;
    if (!old.lanes) {
      unused = unused ? unused : at;
    } else if (replaces(old)) {
      old = now;
      return;
    } else if (extends(old)) {
      old.lanes |= now.lanes;
      return;
    }
  }
  if (unused) {
    readers[unused].reader = now;
    return;
  }
  (last ? readers[last].next : cell.moreReaders) = uint32_t(readers.size());
  readers.push_back({now, 0});
}

void SharedMemory::forgetReaders(Cell &cell) {
  cell.reader.lanes = 0;
  for (uint32_t at = cell.moreReaders; at; at = readers[at].next)
    readers[at].reader.lanes = 0;
}

void SharedMemory::checkRead(const Accessor &by, Cell &cell, uint32_t address) {
  if (cell.isBarrier) {
    by.warp.fault(FaultKind::MbarrierMisuse, by.lane,
                  [&] { return fmt::format("shared address {} belongs to an mbarrier object", address); });
  } else if (cell.copies) {
    by.warp.fault(FaultKind::MissingWait, by.lane, [&] {
      return fmt::format("shared address {} is read while the asynchronous copy of line {} is under way", address,
                         cell.writeLine);
    });
  } else if (!cell.defined) {
    by.warp.fault(FaultKind::UninitialisedMemory, by.lane,
                  [&] { return fmt::format("shared address {} was never written", address); });
    cell.defined = true;
  } else if (cell.writer != by.warp.threadOf(by.lane) || by.lanes & (by.lanes - 1)) {
    // A collective load reads for lanes that did not write.
    bool known = by.view.knows(cell.writer, cell.writeClock);
    if (!known && !(cell.strongWrite && by.strong))
      by.warp.fault(FaultKind::Race, by.lane, [&] {
        return fmt::format("shared address {} is read, but nothing orders this after the write by {} in line {}",
                           address, by.warp.describeThread(cell.writer), cell.writeLine);
      });
  }
  if (by.async && cell.defined && !cell.copies && !cell.asyncWrite && cell.writeClock > fenced[cell.writer] &&
      !by.warp.asyncViewKnows(by.lane, cell.writer, cell.writeClock))
    by.warp.fault(FaultKind::MissingFence, by.lane, [&] {
      return fmt::format("shared address {} is read by the asynchronous proxy, but no 'fence.proxy.async' follows the "
                         "write by {} in line {}",
                         address, by.warp.describeThread(cell.writer), cell.writeLine);
    });
  noteReader(by, cell);
}

void SharedMemory::checkWrite(const Accessor &by, const Cell &cell, uint32_t address) {
  if (cell.isBarrier)
    by.warp.fault(FaultKind::MbarrierMisuse, by.lane,
                  [&] { return fmt::format("shared address {} belongs to an mbarrier object", address); });
  if (cell.copies)
    by.warp.fault(FaultKind::MissingWait, by.lane, [&] {
      return fmt::format("shared address {} is written while the asynchronous copy of line {} is under way", address,
                         cell.writeLine);
    });
  if (cell.asyncReads)
    by.warp.fault(FaultKind::MissingWait, by.lane, [&] {
      return fmt::format("shared address {} is written while the asynchronous operation of line {} may still read it",
                         address, cell.readLine);
    });
}

/// Against the reads and writes before.
void SharedMemory::checkWriteOrder(const Accessor &by, const Cell &cell, uint32_t address) {
  bool ordered = !cell.defined ||
                 (cell.writer == by.warp.threadOf(by.lane) && (!by.async || fenced[cell.writer] >= cell.writeClock)) ||
                 by.view.knows(cell.writer, cell.writeClock) || (cell.strongWrite && by.strong);
  if (!ordered)
    by.warp.fault(FaultKind::Race, by.lane, [&] {
      return fmt::format("shared address {} is written, but nothing orders this after the write by {} in line {}",
                         address, by.warp.describeThread(cell.writer), cell.writeLine);
    });
  const Reader *late = nullptr;
  if (cell.reader.lanes && !knowsReader(by, cell.reader))
    late = &cell.reader;
  for (uint32_t at = cell.moreReaders; at && !late; at = readers[at].next)
    if (readers[at].reader.lanes && !knowsReader(by, readers[at].reader))
      late = &readers[at].reader;
  if (late && !(by.strong && cell.strongRead))
    by.warp.fault(FaultKind::Race, by.lane, [&] {
      return fmt::format("shared address {} is written, but nothing orders this after the read by warp {} in line {}",
                         address, late->warp, cell.readLine);
    });
}

SharedMemory::Cell &SharedMemory::cellOf(Unit &unit, uint32_t address) {
  if (unit.grain == UnitBytes)
    return unit.cell;
  return unit.grain == WordBytes ? finer[unit.words + address % UnitBytes / WordBytes]
                                 : finer[unit.singles + address % UnitBytes];
}

template <typename Visit> void SharedMemory::eachCell(uint32_t address, uint32_t count, Visit visit) {
  for (uint32_t at = address, end = address + count; at < end;) {
    Unit &unit = units[at / UnitBytes];
    uint32_t here = std::min(end - at, UnitBytes - at % UnitBytes);
    if ((at | here) % unit.grain)
      refine(unit, (at | here) % WordBytes ? 1 : WordBytes);
    for (uint32_t last = at + here; at < last; at += unit.grain)
      visit(cellOf(unit, at), at, uint32_t(unit.grain));
  }
}

/// Each of the smaller cells has a list of readers of its own.
void SharedMemory::refine(Unit &unit, uint8_t grain) {
  uint32_t &first = grain == WordBytes ? unit.words : unit.singles;
  if (first == None) {
    first = uint32_t(finer.size());
    finer.resize(finer.size() + UnitBytes / grain);
  }
  for (uint32_t byte = 0; byte < UnitBytes; byte += grain) {
    const Cell &whole = cellOf(unit, byte);
    Cell &part = finer[first + byte / grain];
    part = whole;
    part.moreReaders = 0;
    for (uint32_t at = whole.moreReaders; at; at = readers[at].next)
      if (Reader reader = readers[at].reader; reader.lanes) {
        readers.push_back({reader, part.moreReaders});
        part.moreReaders = uint32_t(readers.size() - 1);
      }
  }
  unit.grain = grain;
}

/// After a write of the bytes: units of which it wrote all have one cell again, unless something else sets their bytes
/// apart.
void SharedMemory::coarsen(uint32_t address, uint32_t count) {
  for (uint32_t at = (address + UnitBytes - 1) / UnitBytes * UnitBytes; at + UnitBytes <= address + count;
       at += UnitBytes) {
    Unit &unit = units[at / UnitBytes];
    if (unit.grain == UnitBytes)
      continue;
    const Cell &first = cellOf(unit, at);
    bool same = true;
    for (uint32_t byte = unit.grain; byte < UnitBytes; byte += unit.grain) {
      const Cell &other = cellOf(unit, at + byte);
      same &=
          other.copies == first.copies && other.asyncReads == first.asyncReads && other.isBarrier == first.isBarrier;
    }
    if (same) {
      unit.cell = first;
      unit.grain = UnitBytes;
    }
  }
}

void SharedMemory::read(const Accessor &by, uint32_t address, uint32_t count, std::byte *out) {
  eachCell(address, count, [&](Cell &cell, uint32_t at, uint32_t) { checkRead(by, cell, at); });
  const std::byte *from = bytes.data() + address;
  if (count == WordBytes) // most are words, for which a call would take longer than the copy
    std::memcpy(out, from, WordBytes);
  else
    std::copy_n(from, count, out);
}

void SharedMemory::write(const Accessor &by, uint32_t address, uint32_t count, const std::byte *in) {
  eachCell(address, count, [&](Cell &cell, uint32_t at, uint32_t length) {
    checkWrite(by, cell, at);
    // A write of the value that is there already races with no one.
    const std::byte *first = bytes.data() + at;
    auto changed = uint32_t(std::mismatch(first, first + length, in + (at - address)).first - first);
    if (!cell.defined || changed < length)
      checkWriteOrder(by, cell, at + changed % length);
    cell.writer = uint16_t(by.warp.threadOf(by.lane));
    cell.writeClock = by.clock;
    cell.writeLine = by.warp.line();
    cell.defined = true;
    cell.strongWrite = by.strong;
    cell.asyncWrite = false;
    forgetReaders(cell);
  });
  std::copy_n(in, count, bytes.begin() + address);
  coarsen(address, count);
}

void SharedMemory::beginCopy(const Accessor &by, uint32_t address, uint32_t count) {
  eachCell(address, count, [&](Cell &cell, uint32_t at, uint32_t) {
    checkWrite(by, cell, at);
    checkWriteOrder(by, cell, at);
    ++cell.copies;
    cell.writeLine = by.warp.line();
  });
}

void SharedMemory::land(uint32_t address, uint32_t count, const std::byte *in, const Origin &origin) {
  eachCell(address, count, [&](Cell &cell, uint32_t, uint32_t) {
    cell.copies -= cell.copies > 0;
    cell.writer = uint16_t(origin.thread);
    cell.writeClock = origin.clock;
    cell.writeLine = origin.line;
    cell.defined = true;
    cell.strongWrite = false;
    cell.asyncWrite = origin.async;
    forgetReaders(cell);
  });
  std::copy_n(in, count, bytes.begin() + address);
  coarsen(address, count);
}

void SharedMemory::beginRead(const Accessor &by, uint32_t address, uint32_t count) {
  eachCell(address, count, [&](Cell &cell, uint32_t at, uint32_t) {
    checkRead(by, cell, at);
    ++cell.asyncReads;
  });
}

void SharedMemory::endRead(uint32_t address, uint32_t count) {
  eachCell(address, count, [](Cell &cell, uint32_t, uint32_t) { cell.asyncReads -= cell.asyncReads > 0; });
}

void SharedMemory::protect(uint32_t address, uint32_t count, bool isBarrier) {
  eachCell(address, count, [&](Cell &cell, uint32_t, uint32_t) {
    cell.isBarrier = isBarrier;
    cell.defined = false;
  });
}

} // namespace sattn::ptx
