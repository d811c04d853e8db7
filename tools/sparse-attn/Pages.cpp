// Copies between operands [B, .., s, ..] and pools [pages, .., P, ..].
#include "tools/sparse-attn/Pages.h"
#include "tools/sparse-attn/Random.h"
#include "tools/sparse-attn/ToolError.h"

#include <algorithm>
#include <cstring>
#include <numeric>

namespace sattn::tool {

bool isPaged(const RoleInfo &role) {
  return !role.isInt && !role.axes.empty() && role.axes.back()[0] == 'D' &&
         std::find(role.axes.begin(), role.axes.end(), "s") != role.axes.end();
}

static int keyDimension(const RoleInfo &role) {
  return static_cast<int>(std::find(role.axes.begin(), role.axes.end(), "s") - role.axes.begin()) + 1;
}

/// Keys of each batch entry.
static std::vector<int64_t> lengthsOf(const Invocation &call) { return call.perBatch(call.kvLen, call.size("s", 0)); }

/// S where no operand but pools tells it.
static int64_t longest(const Invocation &call, int64_t otherwise) {
  return call.kvLen.empty() ? otherwise : std::max<int64_t>(0, *std::max_element(call.kvLen.begin(), call.kvLen.end()));
}

bool otherTellsKeys(const Invocation &call) {
  return std::any_of(call.info.roles.begin(), call.info.roles.end(), [](const RoleInfo &role) {
    return !isPaged(role) && std::find(role.axes.begin(), role.axes.end(), "s") != role.axes.end();
  });
}

/// Copies the rows that exist between `whole` and `pool`.
static void copyRows(const Invocation &call, const RoleInfo &role, Tensor &whole, Tensor &pool, bool intoPool) {
  int axis = keyDimension(role);
  int64_t keys = whole.shape[axis], page = call.pageSize, entries = call.pageTable.shape[1], between = 1;
  size_t bytes = dtypeBytes(whole.dtype);
  for (int i = 1; i < static_cast<int>(whole.shape.size()); ++i)
    if (i < axis)
      between *= whole.shape[i];
    else if (i > axis)
      bytes *= static_cast<size_t>(whole.shape[i]);
  std::vector<int64_t> lengths = lengthsOf(call);
  for (int64_t b = 0; b < whole.shape[0]; ++b)
    for (int64_t s = 0; s < std::min(keys, lengths[b]); ++s) {
      int64_t number = call.pageTable.as<int32_t>()[b * entries + s / page];
      if (number < 0 || number >= pool.shape[0])
        fail(Err::PageRange, s / page, b, number, role.name, pool.shape[0]);
      for (int64_t m = 0; m < between; ++m) {
        char *inWhole = whole.data.get() + static_cast<size_t>((b * between + m) * keys + s) * bytes;
        char *inPool = pool.data.get() + static_cast<size_t>((number * between + m) * page + s % page) * bytes;
        std::memcpy(intoPool ? inPool : inWhole, intoPool ? inWhole : inPool, bytes);
      }
    }
}

void cutToKeys(Invocation &call, int64_t keys, bool sequence) {
  int64_t before = call.size("s", 0);
  call.sizes["s"] = keys;
  for (Operand &operand : call.operands) {
    const RoleInfo &role = *call.info.role(operand.name);
    for (size_t i = 0; i < role.axes.size(); ++i) {
      std::optional<BlockAxis> blocks = blockAxis(role.axes[i]);
      if (!(blocks && blocks->ofKeys) && !(isPaged(role) && role.axes[i] == "s"))
        continue;
      int axis = static_cast<int>(i) + 1;
      int64_t given = operand.tensor.shape[axis];
      bool isRagged =
          blocks && blocks->length == blocks->stride && (!sequence || given != blocks->count(before, false));
      int64_t all = blocks ? blocks->count(keys, isRagged) : keys;
      if (given <= all)
        continue;
      std::vector<int64_t> kept(static_cast<size_t>(all));
      std::iota(kept.begin(), kept.end(), int64_t(0));
      if (blocks && !sequence)
        operand.pool = operand.tensor;
      operand.tensor = takeRows(operand.tensor, axis, kept, operand.name);
      call.sizes[role.axes[i]] = all;
    }
  }
}

void joinPages(Invocation &call) {
  const Tensor &table = call.pageTable;
  if (table.dtype != Dtype::I32)
    fail(Err::WrongDtype, "page_table", dtypeName(table.dtype), "i32", "--page-table");
  if (table.shape.size() != 2)
    fail(Err::WrongRank, "page_table", table.shape.size(), 2, "B, entries", "--page-table", shapeText(table.shape));
  if (call.sizes.try_emplace("B", table.shape[0]).first->second != table.shape[0])
    fail(Err::AxisMismatch, "page_table", "B", table.shape[0], "the call", "B", call.size("B"), "--page-table",
         shapeText(table.shape));
  int64_t capacity = table.shape[1] * call.pageSize, keys = longest(call, call.size("s", capacity));
  if (keys > capacity)
    fail(Err::PageTableShort, table.shape[1], call.pageSize, keys);
  call.sizes.try_emplace("s", keys);
  for (Operand &operand : call.operands) {
    const RoleInfo &role = *call.info.role(operand.name);
    if (!isPaged(role))
      continue;
    operand.pool = operand.tensor;
    Shape shape = operand.pool.shape;
    shape[0] = call.size("B");
    shape[keyDimension(role)] = call.size("s");
    operand.tensor = Tensor::allocate(operand.pool.dtype, shape, operand.name);
    std::memset(operand.tensor.data.get(), 0, operand.tensor.bytes());
    copyRows(call, role, operand.tensor, operand.pool, /*intoPool=*/false);
  }
  if (!otherTellsKeys(call))
    cutToKeys(call, call.size("s"));
}

void layOutPages(Invocation &call) {
  int64_t batch = call.size("B"), page = call.pageSize;
  if (std::none_of(call.info.roles.begin(), call.info.roles.end(), isPaged))
    fail(Err::NothingPaged, call.info.name);
  if (!otherTellsKeys(call))
    cutToKeys(call, longest(call, call.size("s", 0)));
  int64_t keys = call.size("s");
  if (call.kvLen.empty())
    call.kvLen = {keys};
  // One entry and some pages are nobody's.
  int64_t used = (keys + page - 1) / page, entries = used + 1, pages = batch * used + 2;
  std::vector<int32_t> order(static_cast<size_t>(pages));
  std::iota(order.begin(), order.end(), 0);
  Random random(static_cast<uint64_t>(page));
  for (size_t i = order.size() - 1; i > 0; --i)
    std::swap(order[i], order[random.below(i + 1)]);
  call.pageTable = Tensor::allocate(Dtype::I32, {batch, entries}, "page_table");
  std::vector<int64_t> lengths = lengthsOf(call);
  for (int64_t b = 0; b < batch; ++b)
    for (int64_t entry = 0; entry < entries; ++entry)
      call.pageTable.as<int32_t>()[b * entries + entry] =
          entry * page < lengths[b] ? order[static_cast<size_t>(b * used + entry)] : -1;
  std::vector<int64_t> kept(static_cast<size_t>(keys));
  std::iota(kept.begin(), kept.end(), int64_t(0));
  for (Operand &operand : call.operands) {
    const RoleInfo &role = *call.info.role(operand.name);
    if (!isPaged(role))
      continue;
    int axis = keyDimension(role);
    if (operand.tensor.shape[axis] != keys)
      operand.tensor = takeRows(operand.tensor, axis, kept, operand.name);
    Shape shape = operand.tensor.shape;
    shape[0] = pages;
    shape[axis] = page;
    operand.pool = Tensor::allocate(operand.tensor.dtype, shape, operand.name);
    std::memset(operand.pool.data.get(), 0xff, operand.pool.bytes()); // NaN in every float type
    copyRows(call, role, operand.tensor, operand.pool, /*intoPool=*/true);
  }
}

} // namespace sattn::tool
