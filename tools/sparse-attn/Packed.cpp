// Slices of packed operands along the axis that sequences share out.
#include "tools/sparse-attn/Packed.h"
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/Pages.h"
#include "tools/sparse-attn/ToolError.h"

#include <algorithm>
#include <charconv>
#include <numeric>
#include <sstream>

namespace sattn::tool {

//===-- Lengths -----------------------------------------------------------------------------------------===//

static std::vector<int64_t> readLengths(const Invocation &call, const std::string &path, const char *option,
                                        const char *axis) {
  if (path.empty())
    return {};
  bool isThere = std::any_of(call.info.roles.begin(), call.info.roles.end(), [&](const RoleInfo &role) {
    return std::find(role.axes.begin(), role.axes.end(), axis) != role.axes.end();
  });
  if (!isThere)
    fail(Err::PackedAxis, option, call.info.name, axis);
  std::vector<int64_t> lengths = readNpyIntegers(path, option);
  if (lengths.empty() || lengths[0] != 0)
    fail(Err::PackedStart, option, lengths.empty() ? "nothing" : std::to_string(lengths[0]));
  for (size_t i = 1; i < lengths.size(); ++i)
    if (lengths[i] < lengths[i - 1])
      fail(Err::PackedOrder, option, lengths[i], i);
  return lengths;
}

void readPacked(Invocation &call, const CallOptions &options) {
  call.cuQ = readLengths(call, options.cuQ, "--cu-q", "t");
  call.cuKv = readLengths(call, options.cuKv, "--cu-kv", "s");
  if (!isPacked(call))
    return;
  if (!call.cuKv.empty() && options.pageSize != 0)
    fail(Err::PackedPages);
  if (!call.cuQ.empty() && !call.cuKv.empty() && call.cuQ.size() != call.cuKv.size())
    fail(Err::PackedCount, call.cuQ.size(), call.cuKv.size());
  call.sizes["B"] = static_cast<int64_t>(std::max(call.cuQ.size(), call.cuKv.size())) - 1;
}

void parsePacked(Invocation &call, const std::string &word, std::vector<int64_t> &lengths) {
  auto number = [&](const std::string &text) {
    int64_t value = 0;
    auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || stop != text.data() + text.size() || value < 0 || value > (int64_t(1) << 40))
      fail(Err::OptionSyntax, "--packed", word, "ROWS[:KEYS],... with lengths of 0 or more");
    return value;
  };
  bool hasKeys = std::any_of(call.info.roles.begin(), call.info.roles.end(), [](const RoleInfo &role) {
    return std::find(role.axes.begin(), role.axes.end(), "s") != role.axes.end();
  });
  std::istringstream words(word);
  call.cuQ = {0};
  std::vector<int64_t> cuKv{0};
  for (std::string item; std::getline(words, item, ',');) {
    size_t colon = item.find(':');
    int64_t rows = number(item.substr(0, colon));
    lengths.push_back(colon == std::string::npos ? rows : number(item.substr(colon + 1)));
    call.cuQ.push_back(call.cuQ.back() + rows);
    cuKv.push_back(cuKv.back() + lengths.back());
  }
  if (hasKeys && call.pageSize == 0)
    call.cuKv = cuKv;
  call.sizes["B"] = static_cast<int64_t>(lengths.size());
}

//===-- Rows --------------------------------------------------------------------------------------------===//

static int64_t lengthOf(const std::vector<int64_t> &cumulative, int64_t b) { return cumulative[b + 1] - cumulative[b]; }

int64_t rowsOf(const Invocation &call, const std::string &axis, int64_t b, bool ragged) {
  int64_t positions = lengthOf(*call.cumulative(axis), b);
  std::optional<BlockAxis> blocks = blockAxis(axis);
  return blocks ? blocks->count(positions, ragged) : positions;
}

int64_t allRowsOf(const Invocation &call, const std::string &axis, bool ragged) {
  int64_t sum = 0;
  for (int64_t b = 0; b < call.size("B"); ++b)
    sum += rowsOf(call, axis, b, ragged);
  return sum;
}

/// Blocks of operands are the complete ones, or all: what all sequences together have, tells which.
static bool isRagged(const Invocation &call, const std::string &axis) {
  return call.size(axis) != allRowsOf(call, axis, false);
}

//===-- Sequences ---------------------------------------------------------------------------------------===//

static Tensor sliceOf(const Invocation &call, const RoleInfo &role, const Tensor &whole, int64_t b) {
  if (!role.batched())
    return whole;
  auto axis = std::find_if(role.axes.begin(), role.axes.end(), isPositionAxis);
  if (!call.cumulative(*axis))
    return takeRows(whole, 0, {b}, role.name);
  bool ragged = isRagged(call, *axis);
  int64_t begin = 0;
  for (int64_t before = 0; before < b; ++before)
    begin += rowsOf(call, *axis, before, ragged);
  std::vector<int64_t> rows(static_cast<size_t>(rowsOf(call, *axis, b, ragged)));
  std::iota(rows.begin(), rows.end(), begin);
  Tensor own = takeRows(whole, static_cast<int>(axis - role.axes.begin()), rows, role.name);
  own.shape.insert(own.shape.begin(), 1);
  return own;
}

Invocation sequenceOf(const Invocation &call, int64_t b, bool withOperands) {
  Invocation own = call;
  own.cuQ.clear();
  own.cuKv.clear();
  own.rows.clear();
  own.sizes["B"] = 1;
  for (auto &[axis, size] : own.sizes)
    if (isPositionAxis(axis) && call.cumulative(axis))
      size = rowsOf(call, axis, b, isRagged(call, axis));
  for (std::vector<int64_t> *values : {&own.qOffset, &own.kvOffset, &own.kvLen})
    if (values->size() > 1)
      *values = {(*values)[static_cast<size_t>(b)]};
  if (call.cuQ.empty())
    own.rows = call.rows;
  else
    for (int64_t row : call.rows)
      if (row >= call.cuQ[b] && row < call.cuQ[b + 1])
        own.rows.push_back(row - call.cuQ[b]);
  if (!withOperands) {
    own.operands.clear();
    return own;
  }
  for (Operand &operand : own.operands) {
    const RoleInfo &role = *call.info.role(operand.name);
    operand.tensor = sliceOf(call, role, operand.tensor, b);
    if (!isPaged(role))
      operand.pool = {};
  }
  if (call.pageTable.data)
    own.pageTable = takeRows(call.pageTable, 0, {b}, "page_table");
  if (call.pageSize != 0 && !otherTellsKeys(call) && !own.kvLen.empty())
    cutToKeys(own, own.kvLen[0], /*sequence=*/true);
  return own;
}

} // namespace sattn::tool
