// Bulk and tensor copies; see Bulk.h.
#include "lib/ptx/Bulk.h"
#include "lib/ptx/Cta.h"
#include "lib/ptx/Decoder.h"
#include "lib/ptx/Lanes.h"
#include "lib/ptx/Memory.h"
#include "lib/ptx/TensorMap.h"

#include <fmt/format.h>

#include <algorithm>

namespace sattn::ptx {

void BulkStores::commit(uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) { ++open[lane]; });
}

void BulkStores::wait(Warp &warp, uint32_t lanes, uint32_t pending, bool readOnly) {
  for (Store &store : stores) {
    // At the end of the block all stores are due, committed or not.
    bool due = lanes == ~uint32_t(0) && !pending && !warp.live
                   ? true
                   : (lanes >> store.lane & 1) && store.group + pending < open[store.lane];
    if (!due)
      continue;
    if (!std::exchange(store.read, true))
      warp.cta.shared().endRead(store.shared, store.count);
    if (readOnly)
      continue;
    for (const Piece &piece : store.pieces)
      storeBytes(warp, store.lane, Space::Global, piece.global, piece.count, 1,
                 store.bytes.data() + (piece.shared - store.shared));
    store.pieces.clear();
  }
  std::erase_if(stores, [](const Store &store) { return store.read && store.pieces.empty(); });
}

uint32_t BulkStores::unfinishedLine() const {
  for (const Store &store : stores)
    if (!store.read)
      return store.line;
  return 0;
}

namespace {
constexpr uint32_t TensorAlign = 128, BulkAlign = 16, TensorMapAlign = 64;

/// One row of a box: where it lies in global memory, what of it is inside the tensor, and its place in the box.
struct BoxRow {
  uint64_t global;       // address of the first element inside
  uint32_t skip, inside; // bytes before it, and bytes inside
  uint32_t offset;       // of the row in the box
};

std::vector<BoxRow> rowsOf(const TensorMap &map, const int32_t *coordinates) {
  std::vector<BoxRow> rows;
  uint32_t inner = map.box[0] * map.elementBytes, count = 1;
  for (unsigned i = 1; i < map.rank; ++i)
    count *= map.box[i];
  int64_t first = std::max<int64_t>(0, -int64_t(coordinates[0]));
  int64_t last = std::clamp<int64_t>(int64_t(map.dims[0]) - coordinates[0], first, map.box[0]);
  for (uint32_t n = 0; n < count; ++n) {
    BoxRow row{map.address, 0, 0, n * inner};
    bool outside = first >= map.box[0];
    uint32_t rest = n;
    for (unsigned i = 1; i < map.rank; ++i) {
      int64_t at = int64_t(coordinates[i]) + rest % map.box[i];
      rest /= map.box[i];
      outside |= at < 0 || at >= int64_t(map.dims[i]);
      row.global += uint64_t(at) * map.strides[i - 1];
    }
    row.global += uint64_t((coordinates[0] + first) * map.elementBytes);
    row.skip = uint32_t(first) * map.elementBytes;
    row.inside = outside ? 0 : uint32_t(last - first) * map.elementBytes;
    rows.push_back(row);
  }
  return rows;
}

/// A tensor operand of a lane: the map and the coordinates of the box.
struct Box {
  TensorMap map;
  std::vector<BoxRow> rows;
  uint32_t bytes;
};

std::optional<Box> boxOf(Warp &warp, const Inst &inst, unsigned lane) {
  std::byte encoded[TensorMapBytes];
  uint64_t address = addressOf(warp, inst.address[1], lane);
  if (!loadBytes(warp, lane, inst.address[1].space, address, TensorMapBytes, TensorMapAlign, encoded))
    return std::nullopt;
  std::optional<TensorMap> map = decodeTensorMap(encoded);
  std::span<const Row> coordinateRows = warp.program.list(inst.list[0]);
  if (!map || map->rank != coordinateRows.size()) {
    warp.fault(FaultKind::InvalidOperand, lane, [&] {
      return map ? fmt::format("the tensor map has rank {}, but the instruction {}", map->rank, coordinateRows.size())
                 : fmt::format("there is no tensor map at address {:#x}", address);
    });
    return std::nullopt;
  }
  int32_t coordinates[5];
  for (size_t i = 0; i < coordinateRows.size(); ++i)
    coordinates[i] = int32_t(warp.row(coordinateRows[i])[lane]);
  Box box{*map, rowsOf(*map, coordinates), map->elementBytes};
  for (unsigned i = 0; i < map->rank; ++i)
    box.bytes *= map->box[i];
  return box;
}

Accessor asyncAccessor(Warp &warp, unsigned lane) {
  Accessor by = warp.accessor(lane);
  by.async = true;
  return by;
}

uint64_t sharedOffset(Warp &warp, const AddressForm &form, unsigned lane) {
  return resolve(form.space, addressOf(warp, form, lane)).address;
}

/// Marks the destination and puts the bytes on their way.
void startLoad(Warp &warp, const Inst &inst, unsigned lane, uint32_t to, std::vector<std::byte> bytes) {
  warp.cta.shared().beginCopy(asyncAccessor(warp, lane), to, uint32_t(bytes.size()));
  int64_t transactions = int64_t(bytes.size());
  std::vector<Landing> landings;
  landings.push_back({to, warp.line(), true, std::move(bytes)});
  warp.cta.mbarriers().enqueue(warp, lane, sharedOffset(warp, inst.address[2], lane), std::move(landings),
                               transactions);
}

void loadTensor(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    uint64_t to = sharedOffset(warp, inst.address[0], lane);
    std::optional<Box> box = boxOf(warp, inst, lane);
    if (!box || !warp.cta.shared().accessible(asyncAccessor(warp, lane), to, box->bytes, TensorAlign))
      return;
    std::vector<std::byte> bytes(box->bytes), line(box->map.box[0] * box->map.elementBytes);
    for (const BoxRow &row : box->rows) {
      std::fill(line.begin(), line.end(), std::byte(0));
      if (row.inside && !loadBytes(warp, lane, Space::Global, row.global, row.inside, 1, line.data() + row.skip))
        return;
      for (uint32_t unit = 0; unit < line.size(); unit += 16)
        std::copy_n(line.begin() + unit, 16,
                    bytes.begin() + (swizzled(uint32_t(to) + row.offset + unit, box->map.swizzle) - uint32_t(to)));
    }
    startLoad(warp, inst, lane, uint32_t(to), std::move(bytes));
  });
}

void storeTensor(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    uint64_t from = sharedOffset(warp, inst.address[0], lane);
    std::optional<Box> box = boxOf(warp, inst, lane);
    Accessor by = asyncAccessor(warp, lane);
    if (!box || !warp.cta.shared().accessible(by, from, box->bytes, TensorAlign))
      return;
    auto shared = uint32_t(from);
    BulkStores::Store store{.line = warp.line(),
                            .group = 0,
                            .lane = uint8_t(lane),
                            .shared = shared,
                            .count = box->bytes,
                            .pieces = {},
                            .bytes = {}};
    warp.cta.shared().beginRead(by, shared, box->bytes);
    store.bytes.assign(warp.cta.shared().data() + shared, warp.cta.shared().data() + shared + box->bytes);
    for (const BoxRow &row : box->rows)
      for (uint32_t at = row.skip; at < row.skip + row.inside;) {
        uint32_t count = std::min(16 - at % 16, row.skip + row.inside - at);
        store.pieces.push_back(
            {row.global + at - row.skip, swizzled(shared + row.offset + at, box->map.swizzle), count});
        at += count;
      }
    warp.bulkStores.issue(std::move(store));
  });
}

/// The size operand; 0 after a fault.
uint32_t bulkSize(Warp &warp, const Inst &inst, unsigned lane) {
  uint32_t size = warp.row(inst.s[0])[lane];
  if (size && size % 16 == 0)
    return size;
  warp.fault(FaultKind::InvalidOperand, lane,
             [&] { return fmt::format("the size {} of a bulk copy is no multiple of 16", size); });
  return 0;
}

void loadBulk(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    uint32_t size = bulkSize(warp, inst, lane);
    uint64_t to = sharedOffset(warp, inst.address[0], lane), from = addressOf(warp, inst.address[1], lane);
    if (!size || !warp.cta.shared().accessible(asyncAccessor(warp, lane), to, size, BulkAlign))
      return;
    std::vector<std::byte> bytes(size);
    if (loadBytes(warp, lane, Space::Global, from, size, BulkAlign, bytes.data()))
      startLoad(warp, inst, lane, uint32_t(to), std::move(bytes));
  });
}

void storeBulk(Warp &warp, const Inst &inst, uint32_t lanes) {
  eachLane(lanes, [&](unsigned lane) {
    uint32_t size = bulkSize(warp, inst, lane);
    uint64_t from = sharedOffset(warp, inst.address[0], lane), to = addressOf(warp, inst.address[1], lane);
    Accessor by = asyncAccessor(warp, lane);
    if (!size || !warp.cta.shared().accessible(by, from, size, BulkAlign))
      return;
    auto shared = uint32_t(from);
    warp.cta.shared().beginRead(by, shared, size);
    std::byte *data = warp.cta.shared().data() + shared;
    if (to % BulkAlign)
      return warp.fault(FaultKind::Misaligned, lane,
                        [&] { return fmt::format("global address {:#x} is not a multiple of {}", to, BulkAlign); });
    warp.bulkStores.issue({.line = warp.line(),
                           .group = 0,
                           .lane = uint8_t(lane),
                           .shared = shared,
                           .count = size,
                           .pieces = {{to, shared, size}},
                           .bytes = {data, data + size}});
  });
}

void decodeTensor(Build &build, bool store) {
  Inst &inst = build.inst;
  std::string_view rank = build.takeNext();
  build.take("tile");
  build.expectCount(store ? 2 : 3, store ? 3 : 4); // a cache policy may follow
  const Operand &tensor = build.operand(store ? 0 : 1);
  if (rank.size() != 2 || rank[1] != 'd' || tensor.kind != Operand::Address || tensor.elements.size() != 2)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.address(1, tensor, Space::Generic);
  inst.list[0] = build.readList(tensor.elements[1], Scalar::S32);
  if (inst.list[0].size != uint32_t(rank[0] - '0'))
    return build.reject(fmt::format("'{}' does not match {} coordinates", build.source.opcode, inst.list[0].size));
  build.address(0, build.operand(store ? 1 : 0), Space::Shared);
  if (!store)
    build.address(2, build.operand(2), Space::Shared);
  inst.execute = store ? storeTensor : loadTensor;
}

void decodePlain(Build &build, bool store) {
  Inst &inst = build.inst;
  build.expectCount(store ? 3 : 4, store ? 4 : 5);
  build.address(0, build.operand(store ? 1 : 0), Space::Shared);
  build.address(1, build.operand(store ? 0 : 1), Space::Global);
  inst.s[0] = build.read(2, Scalar::U32);
  if (!store)
    build.address(2, build.operand(3), Space::Shared);
  inst.execute = store ? storeBulk : loadBulk;
}
} // namespace

void decodeBulk(Build &build) {
  Inst &inst = build.inst;
  if (build.take("prefetch"))
    return build.skipModifiers();
  if (build.take("commit_group")) {
    build.expectCount(0, 0);
    inst.execute = [](Warp &warp, const Inst &, uint32_t lanes) { warp.bulkStores.commit(lanes); };
    return;
  }
  if (build.take("wait_group")) {
    inst.option = build.take("read");
    build.expectCount(1, 1);
    inst.immediate = build.immediate(build.operand(0));
    inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
      warp.bulkStores.wait(warp, lanes, uint32_t(inst.immediate), inst.option != 0);
    };
    return;
  }
  bool store = build.source.opcode.find(".global.shared") != std::string_view::npos;
  bool tensor = build.take("tensor");
  bool shared = build.take("shared::cluster") || build.take("shared::cta"), global = build.take("global");
  if (!shared || !global || !build.take(store ? "bulk_group" : "mbarrier::complete_tx::bytes"))
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.takeCacheHints();
  tensor ? decodeTensor(build, store) : decodePlain(build, store);
}

/// cp.async.mbarrier.arrive: the mbarrier gets an arrival when the thread's copies so far are complete.
void decodeCopyArrive(Build &build) {
  Inst &inst = build.inst;
  inst.option = build.take("noinc");
  bool arrive = build.take("arrive");
  Space space = build.takeSpace();
  if (!arrive || build.type() != Scalar::B64)
    return build.reject(fmt::format("'{}' is not supported", build.source.opcode));
  build.expectCount(1, 1);
  build.address(0, build.operand(0), space);
  inst.execute = [](Warp &warp, const Inst &inst, uint32_t lanes) {
    eachLane(lanes, [&](unsigned lane) {
      uint64_t address = sharedOffset(warp, inst.address[0], lane);
      if (!inst.option)
        warp.cta.mbarriers().incrementPending(warp, lane, address);
      std::vector<Landing> landings;
      for (const AsyncCopies::Copy &copy : warp.copies.take(lane))
        landings.push_back({copy.address, copy.line, false, {copy.bytes.begin(), copy.bytes.begin() + copy.count}});
      warp.cta.mbarriers().enqueue(warp, lane, address, std::move(landings), 0);
    });
  };
}

} // namespace sattn::ptx
