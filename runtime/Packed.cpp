// From a packed call to the calls of its sequences (Packed.h). Lengths come first, then what each tensor is: rows of
// all sequences one behind the other, an entry for each sequence, or the same for all.
#include "runtime/Packed.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <numeric>

namespace sattn::rt {

namespace {

/// Workspaces of sequences that run at once; a sequence that needs more runs alone.
constexpr uint64_t workspaceAtOnce = uint64_t(64) << 20;

using Slice = PackedCall::Slice;
using SequenceView = PackedCall::View;

class Packer {
public:
  Packer(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state)
      : m(manifest), call(call), place(place), sizesOnly(sizesOnly), state(state), packed(*state.packed) {}

  Status bind();

private:
  Status checkLengths(const char *name, const sattn_per_batch &given, int axis, const char *axisName) const;
  Status readSequences();
  Status readTensors();
  Status readTensor(const sattn_tensor &given, const std::vector<Operand> &operands, bool isResult);
  Status describe(const Operand &operand, const DLTensor &tensor, Slice &slice) const;
  Status describePacked(const Operand &operand, const DLTensor &tensor, Slice &slice) const;
  Status describeBlocks(const Axis &axis, int64_t size, Slice &slice) const;
  Status checkWritten(const Slice &slice) const;
  Status checkPerBatch() const;
  const Operand &tableOperand() const;

  /// Lengths of `slice`'s sequences, or null: an entry each.
  const int64_t *cumulative(const Operand &operand) const;
  int64_t blocksOf(const Slice &slice, int64_t sequence) const;
  void describeEntries(const Operand &operand, const DLTensor &tensor, Slice &slice) const;
  Status take(size_t index, int64_t sequence, const DLTensor *&tensor);
  Status countChosen();
  Status bindSequence(int64_t sequence, bool counts = false);
  void clearRest(int64_t sequence) const;
  Status checkOverlapOfAll() const;
  Status group();

  const Manifest &m;
  const sattn_call &call;
  Place place;
  bool sizesOnly;
  RunState &state;
  PackedCall &packed;
  int64_t batch = 0;
  const char *lengthsName = "cu_q"; ///< the array that says how many sequences there are
};

// ---- Lengths

Status Packer::checkLengths(const char *name, const sattn_per_batch &given, int axis, const char *axisName) const {
  if (given.count == 0)
    return success();
  if (axis < 0)
    return fail<Err::PackedAxis>(name, axisName);
  if (!given.values)
    return fail<Err::NullArgument>(name);
  if (given.count < 0)
    return fail<Err::NegativeCount>("the count of '" + std::string(name) + "'", given.count);
  if (given.values[0] != 0)
    return fail<Err::PackedStart>(name, given.values[0]);
  for (int64_t i = 1; i < given.count; ++i)
    if (given.values[i] < given.values[i - 1])
      return fail<Err::PackedOrder>(name, given.values[i], i);
  return success();
}

Status Packer::readSequences() {
  if (call.per_batch_on_device)
    return fail<Err::NotYet>("per_batch_on_device", "the lengths of packed sequences are in host memory");
  if (call.cu_kv.count != 0 && m.page != 0)
    return fail<Err::PackedPages>();
  SATTN_TRY(checkLengths("cu_q", call.cu_q, m.queryAxis, "t"));
  SATTN_TRY(checkLengths("cu_kv", call.cu_kv, m.keyAxis, "s"));
  if (call.cu_q.count != 0 && call.cu_kv.count != 0 && call.cu_q.count != call.cu_kv.count)
    return fail<Err::PackedCount>(call.cu_q.count, call.cu_kv.count);
  if (call.cu_q.count == 0)
    lengthsName = "cu_kv";
  batch = (call.cu_q.count ? call.cu_q.count : call.cu_kv.count) - 1;
  return checkPerBatch();
}

Status Packer::checkPerBatch() const {
  const std::pair<const char *, const sattn_per_batch &> lists[] = {
      {"q_offset", call.q_offset}, {"kv_offset", call.kv_offset}, {"kv_len", call.kv_len}};
  for (const auto &[name, given] : lists) {
    if (given.count < 0 || (given.count > 1 && given.count != batch))
      return fail<Err::PerBatchCount>(name, given.count, batch, batch);
    if (given.count != 0 && !given.values)
      return fail<Err::NullArgument>(name);
  }
  return success();
}

// ---- Tensors

const int64_t *Packer::cumulative(const Operand &operand) const {
  if (operand.position < 0 || operand.page != 0 || operand.kept)
    return nullptr;
  char letter = operand.axes[operand.position].name[0];
  const sattn_per_batch &lengths = letter == 't' || letter == 'u' ? call.cu_q : call.cu_kv;
  return lengths.count ? lengths.values : nullptr;
}

int64_t Packer::blocksOf(const Slice &slice, int64_t sequence) const {
  const int64_t *lengths = cumulative(*slice.operand);
  int64_t positions = lengths[sequence + 1] - lengths[sequence];
  return blocksIn(slice.length, slice.stride, slice.ragged, positions);
}

/// Blocks of a sequence are its complete ones, or all of them; which of the two, the number of all blocks tells.
Status Packer::describeBlocks(const Axis &axis, int64_t size, Slice &slice) const {
  if (!readBlocks(axis, slice.length, slice.stride))
    return fail<Err::NotYet>(slice.ofKeys ? "cu_kv" : "cu_q", "axis '" + axis.name + "' has no numbers to count by");
  auto all = [&](bool ragged) {
    slice.ragged = ragged;
    int64_t count = 0;
    for (int64_t b = 0; b < batch; ++b)
      count += blocksOf(slice, b);
    return count;
  };
  bool mayBeRagged = slice.length == slice.stride;
  if (slice.ofKeys && all(false) == size)
    return success();
  int64_t expected = all(mayBeRagged);
  return expected == size
             ? success()
             : fail<Err::PackedBlocks>(slice.operand->name, axis.name, size, slice.ofKeys ? "cu_kv" : "cu_q", expected);
}

Status Packer::describePacked(const Operand &operand, const DLTensor &tensor, Slice &slice) const {
  if (tensor.ndim != operand.rank() - 1) {
    std::string axes;
    for (const Axis &axis : operand.axes)
      axes += (axes.empty() ? "" : ", ") + axis.name;
    return fail<Err::WrongRank>(operand.name, tensor.ndim, operand.rank() - 1, axes);
  }
  slice.dimension = operand.position;
  slice.isPacked = true;
  const Axis &axis = operand.axes[operand.position];
  slice.ofKeys = axis.name[0] == 's' || axis.name[0] == 'c';
  int64_t size = tensor.shape[operand.position];
  if (size < 0)
    return fail<Err::NegativeSize>(operand.name, axis.name, size);
  if (axis.name[0] == 'u' || axis.name[0] == 'c')
    return describeBlocks(axis, size, slice);
  if (axis.symbol != m.queryAxis && axis.symbol != m.keyAxis) { // s(n)
    slice.chosen = axis.symbol;
    return success();
  }
  int64_t rows = cumulative(operand)[batch];
  return size == rows ? success()
                      : fail<Err::PackedTotal>(operand.name, axis.name, size, slice.ofKeys ? "cu_kv" : "cu_q", rows);
}

Status Packer::describe(const Operand &operand, const DLTensor &tensor, Slice &slice) const {
  if (tensor.ndim > 0 && !tensor.shape)
    return fail<Err::TensorShape>(operand.name);
  if (!operand.batched || operand.page != 0)
    return success();
  if (cumulative(operand))
    return describePacked(operand, tensor, slice);
  if (tensor.ndim != operand.rank())
    return fail<Err::WrongRank>(operand.name, tensor.ndim, operand.rank(), operand.axisList());
  if (tensor.shape[0] != batch)
    return fail<Err::AxisMismatch>(operand.name, "B", tensor.shape[0], "'" + std::string(lengthsName) + "'", "B",
                                   batch);
  slice.dimension = 0;
  if (operand.position >= 0)
    describeEntries(operand, tensor, slice);
  return success();
}

/// Entries have room for the longest sequence: for its chosen positions, and beside pages, where nothing but lengths
/// says how many keys a sequence has, for its blocks.
void Packer::describeEntries(const Operand &operand, const DLTensor &tensor, Slice &slice) const {
  const Axis &axis = operand.axes[operand.position];
  if (axis.name.rfind("s(", 0) == 0)
    slice.chosen = axis.symbol;
  bool isCounted = std::any_of(m.roles.begin(), m.roles.end(), [&](const Operand &role) {
    return role.page == 0 && role.position >= 0 && role.axes[role.position].symbol == m.keyAxis;
  });
  if (m.page == 0 || isCounted || operand.kept || axis.name[0] != 'c' || call.kv_len.count < 2 ||
      !readBlocks(axis, slice.length, slice.stride))
    return;
  int64_t longest = *std::max_element(call.kv_len.values, call.kv_len.values + call.kv_len.count);
  slice.ragged = slice.length == slice.stride &&
                 tensor.shape[operand.position + 1] != blocksIn(slice.length, slice.stride, /*ragged=*/false, longest);
}

/// What one sequence writes, no other does.
Status Packer::checkWritten(const Slice &slice) const {
  if (!slice.isWritten || slice.dimension < 0 || slice.whole->shape[slice.dimension] < 2 ||
      strideOf(*slice.whole, slice.dimension) != 0)
    return success();
  const Operand &operand = *slice.operand;
  const char *what = operand.kept ? "kept summary" : "result";
  return fail<Err::ResultOverlapsItself>(slice.isPacked ? operand.axes[operand.position].name : "B", what, operand.name,
                                         what);
}

/// Names that are none of the kernel's, and tensors that are not there, are left to the call of a sequence to refuse.
Status Packer::readTensor(const sattn_tensor &given, const std::vector<Operand> &operands, bool isResult) {
  auto operand = std::find_if(operands.begin(), operands.end(),
                              [&](const Operand &known) { return given.name && known.name == given.name; });
  Slice &slice = packed.slices.emplace_back(Slice{operand == operands.end() ? nullptr : &*operand, given.tensor});
  slice.isWritten = isResult || (slice.operand && operand->kept);
  if (!slice.operand || !given.tensor)
    return success();
  SATTN_TRY(describe(*operand, *given.tensor, slice));
  return checkWritten(slice);
}

const Operand &Packer::tableOperand() const {
  static const Operand table{"page_table", {{"entries", AxisKind::Position, -1, -1}}, Dtype::I32, true, 0, -1, 1, 0};
  return table;
}

Status Packer::readTensors() {
  packed.slices.clear();
  packed.inputs.assign(call.inputs, call.inputs + call.input_count);
  packed.outputs.assign(call.outputs, call.outputs + call.output_count);
  size_t most = call.input_count + call.output_count + 1;
  packed.slices.reserve(most);
  if (packed.views.size() < most)
    packed.views.resize(most);
  for (const sattn_tensor &given : packed.inputs)
    SATTN_TRY(readTensor(given, m.roles, false));
  for (const sattn_tensor &given : packed.outputs)
    SATTN_TRY(readTensor(given, m.results, true));
  if (!call.page_table)
    return success();
  Slice &table = packed.slices.emplace_back(Slice{&tableOperand(), call.page_table});
  const DLTensor &tensor = *call.page_table;
  if (tensor.ndim != table.operand->rank())
    return fail<Err::WrongRank>(table.operand->name, tensor.ndim, table.operand->rank(), table.operand->axisList());
  return describe(*table.operand, tensor, table);
}

// ---- Sequences

/// What sequence `sequence` sees of a tensor; -1: the tensor of a batch of none.
Status Packer::take(size_t index, int64_t sequence, const DLTensor *&tensor) {
  Slice &slice = packed.slices[index];
  tensor = slice.whole;
  if (slice.dimension < 0)
    return success();
  SequenceView &view = packed.views[index];
  int rank = slice.whole->ndim + slice.isPacked;
  view.shape.assign(static_cast<size_t>(rank), 1);
  view.strides.assign(static_cast<size_t>(rank), 0);
  for (int i = 0; i < slice.whole->ndim; ++i) {
    view.shape[i + slice.isPacked] = slice.whole->shape[i];
    view.strides[i + slice.isPacked] = strideOf(*slice.whole, i);
  }
  view.shape[0] = sequence < 0 ? 0 : 1;
  int64_t begin = std::max<int64_t>(sequence, 0);
  if (slice.isPacked) {
    const int64_t *lengths = cumulative(*slice.operand);
    int64_t &rows = view.shape[slice.dimension + 1];
    if (sequence < 0) {
      rows = begin = 0;
    } else if (slice.length || slice.chosen >= 0) {
      begin = slice.next;
      rows = slice.length ? blocksOf(slice, sequence) : packed.sequences[sequence]->values[slice.chosen];
      slice.next += rows;
    } else {
      begin = lengths[sequence];
      rows = lengths[sequence + 1] - begin;
    }
  } else if ((slice.chosen >= 0 || slice.length > 0) && sequence >= 0) { // what is behind is nobody's
    int64_t &rows = view.shape[slice.operand->position + 1];
    rows =
        std::min(rows, slice.length ? blocksIn(slice.length, slice.stride, slice.ragged, call.kv_len.values[sequence])
                                    : packed.sequences[static_cast<size_t>(sequence)]->values[slice.chosen]);
  }
  int64_t offset = 0, bytes = (int64_t(slice.whole->dtype.bits) * slice.whole->dtype.lanes + 7) / 8;
  int64_t stride = view.strides[slice.dimension + slice.isPacked];
  // Where a sequence has no element, none is pointed to.
  bool isEmpty = std::find(view.shape.begin(), view.shape.end(), 0) != view.shape.end();
  if (!isEmpty && (__builtin_mul_overflow(begin, stride, &offset) || __builtin_mul_overflow(offset, bytes, &offset)))
    return fail<Err::StrideOverflow>(slice.operand->name);
  view.tensor = *slice.whole;
  view.tensor.byte_offset += static_cast<uint64_t>(offset);
  view.tensor.ndim = rank;
  view.tensor.shape = view.shape.data();
  view.tensor.strides = view.strides.data();
  tensor = &view.tensor;
  return success();
}

/// Where results hold chosen positions, each sequence is asked for their number first.
Status Packer::countChosen() {
  bool any =
      std::any_of(packed.slices.begin(), packed.slices.end(), [](const Slice &slice) { return slice.chosen >= 0; });
  if (!any || batch == 0)
    return success();
  for (int64_t b = 0; b < batch; ++b)
    SATTN_TRY(bindSequence(b, /*counts=*/true));
  for (Slice &slice : packed.slices) {
    slice.next = 0;
    if (slice.chosen < 0 || !slice.isPacked)
      continue;
    int64_t sum = 0;
    for (int64_t b = 0; b < batch; ++b)
      sum += packed.sequences[b]->values[slice.chosen];
    const Axis &axis = slice.operand->axes[slice.operand->position];
    if (slice.whole->shape[slice.dimension] != sum)
      return fail<Err::PackedBlocks>(slice.operand->name, axis.name, slice.whole->shape[slice.dimension],
                                     slice.ofKeys ? "cu_kv" : "cu_q", sum);
  }
  return success();
}

/// Results with an entry for each sequence have room for the chosen positions of the longest.
void Packer::clearRest(int64_t sequence) const {
  for (const Slice &slice : packed.slices) {
    if (slice.chosen < 0 || slice.isPacked || !slice.whole->data)
      continue;
    const Operand &operand = *slice.operand;
    const DLTensor &whole = *slice.whole;
    int position = operand.position + 1, head = operand.head + 1;
    int64_t bytes = dtypeBytes(operand.dtype), heads = operand.head < 0 ? 1 : whole.shape[head];
    char *entry = static_cast<char *>(whole.data) + whole.byte_offset + sequence * strideOf(whole, 0) * bytes;
    for (int64_t row = packed.sequences[static_cast<size_t>(sequence)]->values[slice.chosen];
         row < whole.shape[position]; ++row)
      for (int64_t h = 0; h < heads; ++h) {
        int64_t place = row * strideOf(whole, position) + (operand.head < 0 ? 0 : h * strideOf(whole, head));
        std::memset(entry + place * bytes, 0, static_cast<size_t>(operand.inner * bytes));
      }
  }
}

/// `counts`: for the sizes that follow alone, without results.
Status Packer::bindSequence(int64_t sequence, bool counts) {
  sattn_call own = call;
  own.cu_q = own.cu_kv = {};
  size_t number = 0;
  for (sattn_tensor &tensor : packed.inputs)
    SATTN_TRY(take(number++, sequence, tensor.tensor));
  for (sattn_tensor &tensor : packed.outputs)
    if (counts)
      ++number;
    else
      SATTN_TRY(take(number++, sequence, tensor.tensor));
  own.inputs = packed.inputs.data();
  own.outputs = packed.outputs.data();
  own.output_count = counts ? 0 : call.output_count;
  if (call.page_table)
    SATTN_TRY(take(number, sequence, own.page_table));
  for (sattn_per_batch *list : {&own.q_offset, &own.kv_offset, &own.kv_len})
    if (list->count > 1)
      *list = {list->values + sequence, 1};
  RunState &bound = *packed.sequences[static_cast<size_t>(std::max<int64_t>(sequence, 0))];
  Status status = bindCall(m, own, place, sizesOnly || counts, bound);
  if (status.ok() && !sizesOnly && !counts && sequence >= 0)
    clearRest(sequence);
  return status.ok() || sequence < 0 ? status : status.within("sequence " + std::to_string(sequence));
}

/// Each sequence's tensors have been checked against each other; those of different sequences are parts of the same.
Status Packer::checkOverlapOfAll() const {
  std::vector<Extent> &all = state.extents;
  all.assign(m.roles.size() + m.results.size(), Extent());
  for (size_t i = 0; i < all.size(); ++i) {
    const std::string &name = i < m.roles.size() ? m.roles[i].name : m.results[i - m.roles.size()].name;
    auto slice = std::find_if(packed.slices.begin(), packed.slices.end(), [&](const Slice &candidate) {
      return candidate.operand && candidate.operand->name == name;
    });
    bool isShared = slice == packed.slices.end() || slice->dimension < 0, dense = true;
    uintptr_t bytes = 0;
    for (size_t b = 0; b < packed.count; ++b) {
      const Extent &extent = packed.sequences[b]->extents[i];
      if (extent.low == extent.high)
        continue;
      all[i].low = all[i].high == 0 ? extent.low : std::min(all[i].low, extent.low);
      all[i].high = std::max(all[i].high, extent.high);
      dense &= extent.dense;
      bytes = isShared ? extent.high - extent.low : bytes + (extent.high - extent.low);
    }
    all[i].dense = dense && bytes == all[i].high - all[i].low;
  }
  Extent table;
  for (size_t b = 0; b < packed.count; ++b) {
    const Extent &extent = packed.sequences[b]->pagesExtent;
    if (extent.low == extent.high)
      continue;
    table.low = table.high == 0 ? extent.low : std::min(table.low, extent.low);
    table.high = std::max(table.high, extent.high);
  }
  return checkOverlap(m, all, table);
}

/// Sequences with the most work first, as many at once as keep the workspace small. A device runs one after the other.
Status Packer::group() {
  packed.order.clear();
  for (size_t b = 0; b < packed.count; ++b)
    packed.order.push_back(packed.sequences[b].get());
  auto work = [&](const RunState *sequence) {
    auto size = [&](int symbol) { return symbol < 0 ? 1.0 : static_cast<double>(sequence->values[symbol]); };
    return size(m.queryAxis) * size(m.keyAxis);
  };
  std::sort(packed.order.begin(), packed.order.end(),
            [&](const RunState *a, const RunState *b) { return work(a) > work(b); });
  packed.groups.clear();
  state.workspaceTotal = 0;
  uint64_t bytes = 0;
  for (size_t i = 0; i < packed.count; ++i) {
    RunState &sequence = *packed.order[i];
    uint64_t own = sequence.workspaceTotal;
    bool joins = i > 0 && place == Place::Cpu && bytes + own <= workspaceAtOnce;
    if (!joins) {
      packed.groups.push_back({i, 0});
      bytes = 0;
    }
    sequence.workspaceBase = bytes;
    bytes += own;
    ++packed.groups.back().count;
    state.workspaceTotal = std::max(state.workspaceTotal, bytes);
  }
  return success();
}

Status Packer::bind() {
  SATTN_TRY(readSequences());
  SATTN_TRY(readTensors());
  packed.count = static_cast<size_t>(std::max<int64_t>(batch, 1));
  while (packed.sequences.size() < packed.count)
    packed.sequences.push_back(std::make_unique<RunState>());
  SATTN_TRY(countChosen());
  if (batch == 0)
    SATTN_TRY(bindSequence(-1));
  for (int64_t b = 0; b < batch; ++b)
    SATTN_TRY(bindSequence(b));
  state.device = packed.sequences[0]->device;
  if (!sizesOnly)
    SATTN_TRY(checkOverlapOfAll());
  return group();
}

} // namespace

bool readBlocks(const Axis &axis, int64_t &length, int64_t &stride) {
  if (axis.name.size() < 3 || axis.name[1] != '(')
    return false;
  const char *text = axis.name.data() + 2, *end = axis.name.data() + axis.name.size();
  auto first = std::from_chars(text, end, length);
  stride = length;
  if (first.ec == std::errc() && end - first.ptr > 2 && first.ptr[0] == ',')
    first = std::from_chars(first.ptr + 2, end, stride);
  return first.ec == std::errc() && length >= 1 && stride >= 1;
}

int64_t blocksIn(int64_t length, int64_t stride, bool ragged, int64_t positions) {
  positions = std::max<int64_t>(positions, 0);
  if (ragged)
    return positions / length + (positions % length != 0);
  return positions < length ? 0 : (positions - length) / stride + 1;
}

Status bindPacked(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state) {
  if (!state.packed)
    state.packed = std::make_shared<PackedCall>();
  SATTN_TRY(Packer(manifest, call, place, sizesOnly, state).bind());
  state.isPacked = true;
  return success();
}

} // namespace sattn::rt
