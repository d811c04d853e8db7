// Checks of a call in the order in which a message helps most: names, dtypes, ranks, sizes, positions, strides.
#include "runtime/Binding.h"

#include "runtime/Packed.h"
#include "runtime/WorkspaceLayout.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <tuple>

namespace sattn::rt {

namespace {

/// Kernels compute with positions and integer params up to this; beyond it their arithmetic may overflow.
constexpr int64_t positionLimit = int64_t(1) << 40;

class Binder {
public:
  Binder(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state)
      : m(manifest), call(call), place(place), sizesOnly(sizesOnly), state(state) {}

  Status bind();

private:
  Status checkSupported() const;
  Status checkPaging() const;
  Status reset();
  Status bindParams();
  Status bindParam(const sattn_param &given);
  Status bindTensors();
  Status bindSizes(const Operand &operand, const DLTensor &tensor, int owner);
  Status bindSize(const std::string &operand, const std::string &axis, int symbol, int64_t size, int owner);
  Status bindPages();
  void cutBlocks();
  int64_t longestSequence(int64_t capacity) const;
  Status checkPages() const;
  Status bindView(const Operand &operand, const DLTensor &tensor, bool isWritten, View &view, Extent &extent) const;
  Status innerStrides(const Operand &operand, const DLTensor &tensor) const;
  Status bindExtent(const Operand &operand, const DLTensor &tensor, const View &view, Extent &extent) const;
  Status bindDerived();
  Status checkPlace(const Operand &operand, const DLTensor &tensor);
  Status checkResults();
  Status bindPositions();
  Status checkParamRanges() const;
  Status checkPerBatch(PerBatch which, const sattn_per_batch &given) const;
  Status bindPerBatch(PerBatch which, const sattn_per_batch &given, int64_t fallback);
  Status bindOnDevice(PerBatch which, const sattn_per_batch &given);
  Status bindDivisors();
  int64_t maximumOf(PerBatch which) const;
  int64_t divisorOf(PerBatch which) const;
  bool headsAreInside() const;
  Status checkRequirements() const;

  /// Size 1 of an axis that was never given: what stride is asked of it does not matter.
  const DLTensor *find(const sattn_tensor *list, size_t count, const std::string &name) const;
  int64_t value(int symbol) const { return symbol < 0 ? 0 : state.values[symbol]; }

  const Manifest &m;
  const sattn_call &call;
  Place place;
  bool sizesOnly;
  RunState &state;
  const Operand *placed = nullptr; ///< CUDA: the first operand that stands on a device
};

std::string quoted(const std::string &name) { return "'" + name + "'"; }

template <typename List> std::string nameList(const List &list) {
  std::string text;
  for (const auto &item : list)
    text += (text.empty() ? "" : ", ") + quoted(item.name);
  return text.empty() ? "none" : text;
}

template <typename List> bool hasName(const List &list, const std::string &name) {
  return std::any_of(list.begin(), list.end(), [&](const auto &item) { return item.name == name; });
}

Status Binder::checkSupported() const {
  auto refuse = [](const char *field, const char *why) { return fail<Err::NotYet>(field, why); };
  if (call.stream && place == Place::Cpu)
    return refuse("stream", "kernels for CPUs run on the calling thread");
  if (call.per_batch_on_device && place != Place::Cuda)
    return fail<Err::PerBatchPlace>(m.request.target);
  for (int64_t bound : {call.q_offset_max, call.q_offset_divisor, call.kv_offset_divisor, call.kv_len_max})
    if (bound != 0 && !call.per_batch_on_device)
      return fail<Err::BoundsWithoutDevice>();
  if (call.reserved != 0 || call.reserved2 != 0)
    return fail<Err::ReservedField>(call.reserved != 0 ? "reserved" : "reserved2", "0");
  return checkPaging();
}

Status Binder::checkPaging() const {
  if (m.page == 0)
    return call.page_table || call.page_size != 0 ? fail<Err::NotPaged>(call.page_table ? "page_table" : "page_size")
                                                  : success();
  if (!call.page_table)
    return fail<Err::NoPageTable>(m.page);
  return call.page_size == m.page ? success() : fail<Err::PageSize>(call.page_size, m.page, call.page_size);
}

Status Binder::reset() {
  state.values.assign(m.symbols.size(), 0);
  state.owners.assign(m.symbols.size(), -1);
  state.floats.assign(m.params.size(), 0);
  state.roles.assign(m.roles.size(), View());
  state.results.assign(m.results.size(), View());
  state.extents.assign(m.roles.size() + m.results.size(), Extent());
  state.pages = {};
  state.pagesExtent = {};
  state.given.assign(m.results.size(), false);
  state.device = -1;
  state.perBatchCopied = {};
  return success();
}

const DLTensor *Binder::find(const sattn_tensor *list, size_t count, const std::string &name) const {
  for (size_t i = 0; i < count; ++i)
    if (name == list[i].name)
      return list[i].tensor;
  return nullptr;
}

// ---- Params

Status Binder::bindParam(const sattn_param &given) {
  auto param = std::find_if(m.params.begin(), m.params.end(), [&](const Param &p) { return p.name == given.name; });
  if (param == m.params.end()) {
    std::vector<std::pair<std::string, std::string>> items;
    (void)parseBind(m.request.bind, items).ok();
    for (const auto &[name, value] : items)
      if (name == given.name)
        return fail<Err::StaticParam>(name, value);
    return fail<Err::UnknownParam>(given.name, nameList(m.params));
  }
  if (given.type != SATTN_PARAM_INT && given.type != SATTN_PARAM_FLOAT)
    return fail<Err::ReservedField>("type", "SATTN_PARAM_INT or SATTN_PARAM_FLOAT");
  if (given.reserved != 0)
    return fail<Err::ReservedField>("reserved", "0");
  if (!param->isFloat) {
    if (given.type == SATTN_PARAM_FLOAT)
      return fail<Err::ParamType>(given.name);
    state.values[param->symbol] = given.int_value;
    return success();
  }
  double number = given.type == SATTN_PARAM_FLOAT ? given.float_value : static_cast<double>(given.int_value);
  auto rounded = static_cast<float>(number);
  // An infinity is a number that a caller may mean (a threshold that all pass), one that rounding made is not.
  if (std::isnan(number) || (std::isinf(rounded) && !std::isinf(number)))
    return fail<Err::ParamValue>(given.name, std::isnan(number) ? std::string("nan") : std::to_string(number));
  state.floats[param - m.params.begin()] = rounded;
  return success();
}

Status Binder::bindParams() {
  for (size_t i = 0; i < call.param_count; ++i) {
    const char *name = call.params[i].name;
    if (!name)
      return fail<Err::NullArgument>("params[].name");
    for (size_t j = 0; j < i; ++j)
      if (std::string_view(call.params[j].name) == name)
        return fail<Err::DuplicateName>(name);
  }
  for (size_t i = 0; i < m.params.size(); ++i) {
    const Param &param = m.params[i];
    bool isGiven = std::any_of(call.params, call.params + call.param_count,
                               [&](const sattn_param &given) { return param.name == given.name; });
    if (!isGiven && !param.hasDefault)
      return fail<Err::MissingParam>(param.name);
    if (param.isFloat)
      state.floats[i] = static_cast<float>(param.floatDefault);
    else
      state.values[param.symbol] = param.intDefault;
  }
  for (size_t i = 0; i < call.param_count; ++i)
    SATTN_TRY(bindParam(call.params[i]));
  return checkParamRanges();
}

/// Defaults included.
Status Binder::checkParamRanges() const {
  for (const Param &param : m.params)
    if (!param.isFloat && (value(param.symbol) > positionLimit || value(param.symbol) < -positionLimit))
      return fail<Err::ParamRange>(param.name, value(param.symbol));
  return success();
}

// ---- Tensors: names, dtypes, sizes

Status checkNames(const sattn_tensor *list, size_t count, const std::vector<Operand> &operands, bool areResults) {
  for (size_t i = 0; i < count; ++i) {
    if (!list[i].name || !list[i].tensor)
      return fail<Err::NullArgument>(areResults ? "outputs[]" : "inputs[]");
    for (size_t j = 0; j < i; ++j)
      if (std::string_view(list[j].name) == list[i].name)
        return fail<Err::DuplicateName>(list[i].name);
    if (hasName(operands, list[i].name))
      continue;
    if (areResults)
      return fail<Err::UnknownResult>(list[i].name, nameList(operands));
    return fail<Err::UnknownOperand>(list[i].name, nameList(operands));
  }
  return success();
}

std::string dtypeText(DLDataType type) {
  const char *kind = type.code == kDLFloat ? "f" : type.code == kDLInt ? "i" : type.code == kDLUInt ? "u" : "";
  if (type.code == kDLBfloat)
    kind = "bf";
  std::string text = *kind ? kind + std::to_string(type.bits) : "of DLPack type " + std::to_string(type.code);
  return type.lanes == 1 ? text : text + "x" + std::to_string(type.lanes);
}

/// On which device the tensors are: CUDA's managed memory is at home everywhere.
Status Binder::checkPlace(const Operand &operand, const DLTensor &tensor) {
  auto kind = static_cast<int>(tensor.device.device_type);
  if (place != Place::Cuda)
    return kind == kDLCPU || kind == kDLCUDAHost ? success() : fail<Err::WrongDevice>(operand.name, kind);
  if (kind == kDLCUDAManaged)
    return success();
  if (kind != kDLCUDA)
    return fail<Err::NotCudaMemory>(operand.name, kind, m.request.target);
  if (state.device < 0) {
    state.device = tensor.device.device_id;
    placed = &operand;
  }
  if (state.device != tensor.device.device_id)
    return fail<Err::MixedDevices>(operand.name, tensor.device.device_id, placed->name, state.device);
  return success();
}

Status checkType(const Operand &operand, const DLTensor &tensor) {
  static constexpr DLDataType types[] = {{kDLFloat, 32, 1}, {kDLFloat, 16, 1}, {kDLBfloat, 16, 1},
                                         {kDLInt, 32, 1},   {kDLInt, 8, 1},    {kDLUInt, 8, 1}};
  const DLDataType &expected = types[static_cast<int>(operand.dtype)];
  if (tensor.dtype.code != expected.code || tensor.dtype.bits != expected.bits || tensor.dtype.lanes != 1)
    return fail<Err::WrongDtype>(operand.name, dtypeText(tensor.dtype), dtypeName(operand.dtype));
  if (tensor.ndim != operand.rank())
    return fail<Err::WrongRank>(operand.name, tensor.ndim, operand.rank(), operand.axisList());
  if (tensor.ndim > 0 && !tensor.shape)
    return fail<Err::TensorShape>(operand.name);
  return success();
}

Status Binder::bindSize(const std::string &operand, const std::string &axis, int symbol, int64_t size, int owner) {
  if (size < 0)
    return fail<Err::NegativeSize>(operand, axis, size);
  if (state.owners[symbol] < 0) {
    state.owners[symbol] = owner;
    state.values[symbol] = size;
  }
  if (state.values[symbol] != size)
    return fail<Err::AxisMismatch>(operand, axis, size, m.roles[state.owners[symbol]].name, axis, state.values[symbol]);
  return success();
}

Status Binder::bindSizes(const Operand &operand, const DLTensor &tensor, int owner) {
  if (operand.batched && operand.page == 0)
    SATTN_TRY(bindSize(operand.name, "B", Manifest::batchSymbol, tensor.shape[0], owner));
  for (size_t i = 0; i < operand.axes.size(); ++i) {
    const Axis &axis = operand.axes[i];
    int64_t size = tensor.shape[i + operand.batched];
    if (operand.page != 0 && axis.kind == AxisKind::Position) {
      if (size != operand.page)
        return fail<Err::PageRows>(operand.name, axis.name, size, operand.page, operand.axisList());
      continue;
    }
    // Two operands that disagree are a likelier mistake than a kernel for another size: that message goes first.
    if (axis.symbol >= 0)
      SATTN_TRY(bindSize(operand.name, axis.name, axis.symbol, size, owner));
    if (axis.size >= 0 && size != axis.size)
      return fail<Err::StaticAxis>(operand.name, axis.name, size, axis.name, axis.size);
  }
  return success();
}

Status Binder::bindTensors() {
  SATTN_TRY(checkNames(call.inputs, call.input_count, m.roles, false));
  SATTN_TRY(checkNames(call.outputs, call.output_count, m.results, true));
  for (const Operand &role : m.roles) {
    const DLTensor *tensor = find(call.inputs, call.input_count, role.name);
    if (!tensor)
      return fail<Err::MissingOperand>(role.name, role.axisList());
    SATTN_TRY(checkPlace(role, *tensor));
    SATTN_TRY(checkType(role, *tensor));
  }
  for (size_t i = 0; i < m.roles.size(); ++i)
    SATTN_TRY(bindSizes(m.roles[i], *find(call.inputs, call.input_count, m.roles[i].name), static_cast<int>(i)));
  if (m.page != 0)
    SATTN_TRY(bindPages());
  bool batched = std::any_of(m.roles.begin(), m.roles.end(), [](const Operand &role) { return role.batched; });
  state.batch = state.values[Manifest::batchSymbol] = batched ? state.values[Manifest::batchSymbol] : 1;
  for (const Operand &result : m.results)
    for (const Axis &axis : result.axes)
      if (axis.kind == AxisKind::Feature && axis.symbol >= 0)
        state.values[axis.symbol] = axis.size;
  return success();
}

// ---- Pages

/// The page table as an operand [B, entries].
const Operand &pageTable() {
  static const Operand table{"page_table", {{"entries", AxisKind::Position, -1, -1}}, Dtype::I32, true, 0, -1, 1, 0};
  return table;
}

/// Keys of the longest sequence; those that no length bounds fill their pages.
int64_t Binder::longestSequence(int64_t capacity) const {
  if (call.per_batch_on_device && call.kv_len.count != 0)
    return call.kv_len_max != 0 ? call.kv_len_max : capacity;
  if (call.kv_len.count > 0 && call.kv_len.values)
    return *std::max_element(call.kv_len.values, call.kv_len.values + call.kv_len.count);
  return state.owners[m.keyAxis] < 0 ? capacity : value(m.keyAxis);
}

/// Paged roles do not tell how many keys there are: the longest sequence does, where no other role over s is given.
Status Binder::bindPages() {
  const DLTensor &table = *call.page_table;
  SATTN_TRY(checkPlace(pageTable(), table));
  SATTN_TRY(checkType(pageTable(), table));
  SATTN_TRY(bindSize(pageTable().name, "B", Manifest::batchSymbol, table.shape[0], -1));
  int64_t entries = table.shape[1], capacity;
  if (entries < 0)
    return fail<Err::NegativeSize>(pageTable().name, "entries", entries);
  if (__builtin_mul_overflow(entries, m.page, &capacity))
    return exprFault(Expr::Fault::Overflow, "the number of keys of 'page_table'");
  int64_t longest = longestSequence(capacity);
  if (longest > capacity)
    return fail<Err::PageTableShort>(entries, m.page, longest);
  if (state.owners[m.keyAxis] < 0) {
    state.values[m.keyAxis] = std::max<int64_t>(longest, 0);
    cutBlocks();
  }
  return success();
}

/// Beside pages, roles over blocks may have room for more of them than the longest sequence has.
void Binder::cutBlocks() {
  int64_t keys = value(m.keyAxis), length = 0, stride = 0;
  for (const Operand &role : m.roles)
    for (const Axis &axis : role.axes) {
      if (role.kept || axis.name[0] != 'c' || axis.symbol < 0 || !readBlocks(axis, length, stride))
        continue;
      int64_t all = blocksIn(length, stride, /*ragged=*/length == stride, keys);
      state.values[axis.symbol] = std::min(state.values[axis.symbol], all);
    }
}

/// Every page that holds a key exists. A table on a device is not looked at: kernels check each page that they read.
Status Binder::checkPages() const {
  if (m.page == 0 || sizesOnly || place == Place::Cuda)
    return success();
  const int64_t *lengths = state.perBatchData[static_cast<size_t>(PerBatch::KvLen)];
  const View &table = state.pages;
  for (size_t i = 0; i < m.roles.size(); ++i) {
    if (m.roles[i].page == 0)
      continue;
    int64_t pages = state.roles[i].counts[0];
    for (int64_t b = 0; b < state.batch; ++b)
      for (int64_t entry = 0; entry * m.page < lengths[b]; ++entry) {
        int64_t page = reinterpret_cast<const int32_t *>(table.data)[b * table.strides[0] + entry * table.strides[1]];
        if (page < 0 || page >= pages)
          return fail<Err::PageRange>(entry, b, page, m.roles[i].name, pages);
      }
  }
  return success();
}

// ---- Tensors: memory

/// Feature axes must be contiguous, as one: stride 1 for the last, and so on.
Status Binder::innerStrides(const Operand &operand, const DLTensor &tensor) const {
  int64_t expected = 1;
  for (int i = static_cast<int>(operand.axes.size()) - 1; i >= 0; --i) {
    const Axis &axis = operand.axes[i];
    if (axis.kind != AxisKind::Feature)
      break;
    int64_t stride = strideOf(tensor, i + operand.batched);
    if (axis.size != 1 && stride != expected)
      return fail<Err::InnerStride>(axis.name, operand.name, stride);
    expected *= axis.size;
  }
  return success();
}

Status Binder::bindExtent(const Operand &operand, const DLTensor &tensor, const View &view, Extent &extent) const {
  int64_t bytes = dtypeBytes(operand.dtype), low = 0, high = operand.inner, elements = operand.inner;
  bool overflow = false, uncountable = false; // a broadcast operand may have more elements than bytes
  for (int i = 0; i < 3; ++i) {
    int64_t reach = 0;
    if (view.counts[i] == 0)
      return success(); // nothing is touched
    overflow |= __builtin_mul_overflow(view.counts[i] - 1, view.strides[i], &reach);
    overflow |= __builtin_add_overflow(reach < 0 ? low : high, reach, reach < 0 ? &low : &high);
    uncountable |= __builtin_mul_overflow(elements, view.counts[i], &elements);
  }
  int64_t lowBytes, highBytes, span;
  overflow |= __builtin_mul_overflow(low, bytes, &lowBytes) || __builtin_mul_overflow(high, bytes, &highBytes) ||
              __builtin_sub_overflow(highBytes, lowBytes, &span);
  if (overflow)
    return fail<Err::StrideOverflow>(operand.name);
  if (sizesOnly)
    return success();
  if (!tensor.data)
    return fail<Err::NullData>(operand.name);
  auto base = reinterpret_cast<uintptr_t>(view.data);
  if (base % static_cast<uintptr_t>(bytes) != 0)
    return fail<Err::Misaligned>(operand.name, bytes);
  extent.low = base + static_cast<uintptr_t>(lowBytes);
  extent.high = base + static_cast<uintptr_t>(highBytes);
  extent.dense = !uncountable && !__builtin_mul_overflow(elements, bytes, &elements) && span == elements;
  return success();
}

Status Binder::bindView(const Operand &operand, const DLTensor &tensor, bool isWritten, View &view,
                        Extent &extent) const {
  SATTN_TRY(innerStrides(operand, tensor));
  auto set = [&](int slot, int dimension) {
    view.counts[slot] = dimension < 0 ? 1 : tensor.shape[dimension];
    // The stride of a single element means nothing, and may be anything.
    view.strides[slot] = view.counts[slot] <= 1 ? 0 : strideOf(tensor, dimension);
  };
  set(0, operand.batched ? 0 : -1);
  set(1, operand.position < 0 ? -1 : operand.position + operand.batched);
  set(2, operand.head < 0 ? -1 : operand.head + operand.batched);
  if (isWritten)
    for (int i = 0; i < 3; ++i)
      if (view.counts[i] > 1 && view.strides[i] == 0) {
        const int axis[3] = {-1, operand.position, operand.head};
        const char *what = operand.kept ? "kept summary" : "result";
        return fail<Err::ResultOverlapsItself>(axis[i] < 0 ? "B" : operand.axes[axis[i]].name, what, operand.name,
                                               what);
      }
  view.data = sizesOnly || !tensor.data ? nullptr : static_cast<char *>(tensor.data) + tensor.byte_offset;
  return bindExtent(operand, tensor, view, extent);
}

// ---- Values that follow

Status Binder::bindDerived() {
  for (const Derived &derived : m.derived) {
    Expr::Fault fault = derived.value.evaluate(state.values.data(), state.values[derived.symbol]);
    if (fault != Expr::Fault::None)
      return exprFault(fault, quoted(derived.name));
  }
  return success();
}

Status Binder::checkResults() {
  for (size_t i = 0; i < m.results.size(); ++i) {
    const Operand &result = m.results[i];
    const DLTensor *tensor = find(call.outputs, call.output_count, result.name);
    for (const Axis &axis : result.axes)
      if (axis.symbol >= 0 && value(axis.symbol) < 0)
        return fail<Err::NegativeCount>(quoted(axis.name), value(axis.symbol));
    state.given[i] = tensor != nullptr;
    if (!tensor)
      continue;
    SATTN_TRY(checkPlace(result, *tensor));
    SATTN_TRY(checkType(result, *tensor));
    for (int d = 0; d < tensor->ndim; ++d) {
      bool isBatch = result.batched && d == 0;
      const Axis *axis = isBatch ? nullptr : &result.axes[d - result.batched];
      int symbol = isBatch ? Manifest::batchSymbol : axis->symbol;
      int64_t expected = symbol >= 0 ? value(symbol) : axis->size;
      std::string name = isBatch ? "B" : axis->name;
      std::string owner = symbol >= 0 && state.owners[symbol] >= 0 ? m.roles[state.owners[symbol]].name : "this call";
      if (tensor->shape[d] != expected)
        return fail<Err::AxisMismatch>(result.name, name, tensor->shape[d], owner, name, expected);
    }
  }
  for (size_t i = 0; i < m.roles.size(); ++i)
    SATTN_TRY(bindView(m.roles[i], *find(call.inputs, call.input_count, m.roles[i].name), m.roles[i].kept,
                       state.roles[i], state.extents[i]));
  if (m.page != 0)
    SATTN_TRY(bindView(pageTable(), *call.page_table, false, state.pages, state.pagesExtent));
  for (size_t i = 0; i < m.results.size(); ++i)
    if (state.given[i])
      SATTN_TRY(bindView(m.results[i], *find(call.outputs, call.output_count, m.results[i].name), true,
                         state.results[i], state.extents[m.roles.size() + i]));
  return checkOverlap(m, state.extents, state.pagesExtent);
}

Status Binder::checkPerBatch(PerBatch which, const sattn_per_batch &given) const {
  const char *name = perBatchName(which);
  int64_t keys = value(m.keyAxis), size = which == PerBatch::QOffset ? value(m.queryAxis) : keys;
  int64_t farthest = std::max<int64_t>(0, positionLimit - size);
  if (given.count != 0 && !given.values)
    return fail<Err::NullArgument>(name);
  if (given.count < 0 || (given.count > 1 && given.count != state.batch))
    return fail<Err::PerBatchCount>(name, given.count, state.batch, state.batch);
  for (int64_t i = 0; i < given.count; ++i) {
    bool isLength = which == PerBatch::KvLen;
    if (isLength && (given.values[i] < 0 || (m.keyAxis >= 0 && given.values[i] > keys)))
      return fail<Err::LengthRange>(i, given.values[i], keys);
    if (!isLength && (given.values[i] < 0 || given.values[i] > farthest))
      return fail<Err::OffsetRange>(name, i, given.values[i], farthest);
  }
  return success();
}

Status Binder::bindPerBatch(PerBatch which, const sattn_per_batch &given, int64_t fallback) {
  auto index = static_cast<size_t>(which);
  if (call.per_batch_on_device && given.count != 0)
    return bindOnDevice(which, given);
  SATTN_TRY(checkPerBatch(which, given));
  if (given.count == state.batch && given.count != 0) {
    state.perBatchData[index] = given.values;
  } else {
    state.perBatch[index].assign(static_cast<size_t>(state.batch), given.count ? given.values[0] : fallback);
    state.perBatchData[index] = state.perBatch[index].data();
  }
  state.perBatchAddress[index] = state.perBatchData[index];
  state.perBatchCopied[index] = place == Place::Cuda && m.usesPerBatch[index];
  return success();
}

/// Values that only the device can read: what the plan needs to know of them are the caller's bounds.
Status Binder::bindOnDevice(PerBatch which, const sattn_per_batch &given) {
  auto index = static_cast<size_t>(which);
  const char *name = perBatchName(which);
  if (!given.values && !sizesOnly)
    return fail<Err::NullArgument>(name);
  if (given.count != state.batch)
    return fail<Err::DevicePerBatchCount>(name, given.count, state.batch);
  int64_t keys = value(m.keyAxis), bound = keys;
  if (which == PerBatch::KvLen && call.kv_len_max != 0)
    bound = call.kv_len_max;
  if (which == PerBatch::KvLen && (bound < 0 || (m.keyAxis >= 0 && bound > keys)))
    return fail<Err::BoundRange>("kv_len_max", bound, keys);
  if (which == PerBatch::QOffset) {
    int64_t farthest = std::max<int64_t>(0, positionLimit - value(m.queryAxis));
    bound = call.q_offset_max ? call.q_offset_max : farthest;
    if (bound < 0 || bound > farthest)
      return fail<Err::BoundRange>("q_offset_max", bound, farthest);
  }
  state.perBatch[index].assign(static_cast<size_t>(state.batch), which == PerBatch::KvOffset ? 0 : bound);
  state.perBatchData[index] = state.perBatch[index].data();
  state.perBatchAddress[index] = given.values;
  return success();
}

int64_t Binder::maximumOf(PerBatch which) const {
  const int64_t *values = state.perBatchData[static_cast<size_t>(which)];
  return std::accumulate(values, values + state.batch, int64_t(0), [](int64_t a, int64_t b) { return std::max(a, b); });
}

/// All values are multiples of m exactly where this is one; 0 is a multiple of everything.
int64_t Binder::divisorOf(PerBatch which) const {
  const int64_t *values = state.perBatchData[static_cast<size_t>(which)];
  return std::accumulate(values, values + state.batch, int64_t(0), [](int64_t a, int64_t b) { return std::gcd(a, b); });
}

Status Binder::bindPositions() {
  int64_t rows = value(m.queryAxis), keys = value(m.keyAxis);
  if (m.queryAxis >= 0 && m.keyAxis >= 0 && rows != keys && rows > 0 && keys > 0 && call.q_offset.count == 0 &&
      call.kv_len.count == 0)
    return fail<Err::NoPositions>(rows, keys, std::max<int64_t>(keys - rows, 0), rows <= keys ? "end" : "start");
  SATTN_TRY(bindPerBatch(PerBatch::QOffset, call.q_offset, 0));
  SATTN_TRY(bindPerBatch(PerBatch::KvOffset, call.kv_offset, 0));
  SATTN_TRY(bindPerBatch(PerBatch::KvLen, call.kv_len, keys));
  state.values[Manifest::qOffsetMaxSymbol] = maximumOf(PerBatch::QOffset);
  state.values[Manifest::kvLenMaxSymbol] = maximumOf(PerBatch::KvLen);
  state.values[Manifest::qOffsetGcdSymbol] = divisorOf(PerBatch::QOffset);
  state.values[Manifest::kvOffsetGcdSymbol] = divisorOf(PerBatch::KvOffset);
  return call.per_batch_on_device ? bindDivisors() : success();
}

/// What all offsets on the device are multiples of: the caller says it, and 1 is always true.
Status Binder::bindDivisors() {
  const std::tuple<const char *, int64_t, const sattn_per_batch &, int> divisors[] = {
      {"q_offset_divisor", call.q_offset_divisor, call.q_offset, Manifest::qOffsetGcdSymbol},
      {"kv_offset_divisor", call.kv_offset_divisor, call.kv_offset, Manifest::kvOffsetGcdSymbol}};
  for (const auto &[name, divisor, given, symbol] : divisors) {
    if (divisor < 0 || divisor > positionLimit)
      return fail<Err::BoundRange>(name, divisor, positionLimit);
    if (given.count != 0)
      state.values[symbol] = std::max<int64_t>(divisor, 1);
  }
  return success();
}

/// Whether memory holds the heads of a key side by side, before the next key: where not, a head's keys lie together.
bool Binder::headsAreInside() const {
  return std::all_of(m.roles.begin(), m.roles.end(), [&](const Operand &role) {
    if (role.head < 0 || role.position < 0 || m.keyAxis < 0 || role.axes[role.position].symbol != m.keyAxis)
      return true;
    const DLTensor &tensor = *find(call.inputs, call.input_count, role.name);
    int head = role.head + role.batched, position = role.position + role.batched;
    // The stride of a single element means nothing.
    return tensor.shape[head] <= 1 || tensor.shape[position] <= 1 ||
           std::abs(strideOf(tensor, head)) <= std::abs(strideOf(tensor, position));
  });
}

Status Binder::checkRequirements() const {
  for (const Requirement &requirement : m.requirements) {
    int64_t holds = 0;
    Expr::Fault fault = requirement.check.evaluate(state.values.data(), holds);
    if (fault != Expr::Fault::None)
      return exprFault(fault, quoted(requirement.message));
    if (holds)
      continue;
    std::string sizes;
    for (int symbol : requirement.check.symbolsUsed()) {
      const std::string &name = m.symbols.name(symbol);
      sizes +=
          (sizes.empty() ? "" : ", ") + (name[0] == '$' ? name.substr(1) : name) + "=" + std::to_string(value(symbol));
    }
    return fail<Err::Requirement>(requirement.message, sizes.empty() ? "never true" : sizes);
  }
  return success();
}

Status Binder::bind() {
  SATTN_TRY(checkSupported());
  SATTN_TRY(reset());
  SATTN_TRY(bindParams());
  SATTN_TRY(bindTensors());
  SATTN_TRY(bindPositions());
  state.values[Manifest::headsInsideSymbol] = headsAreInside();
  SATTN_TRY(bindDerived());
  SATTN_TRY(checkRequirements());
  SATTN_TRY(checkResults());
  SATTN_TRY(checkPages());
  return layoutWorkspace(m, state);
}

} // namespace

int64_t strideOf(const DLTensor &tensor, int dimension) {
  if (tensor.strides)
    return tensor.strides[dimension];
  int64_t stride = 1;
  for (int i = tensor.ndim - 1; i > dimension; --i)
    // An overflow means that no memory could hold the tensor; bindExtent() finds it.
    if (__builtin_mul_overflow(stride, std::max<int64_t>(tensor.shape[i], 1), &stride))
      return INT64_MAX;
  return stride;
}

Status checkOverlap(const Manifest &m, const std::vector<Extent> &extents, const Extent &table) {
  size_t roleCount = m.roles.size();
  auto nameOf = [&](size_t i) { return i < roleCount ? m.roles[i].name : m.results[i - roleCount].name; };
  auto isWritten = [&](size_t i) { return i >= roleCount || m.roles[i].kept; };
  auto kindOf = [&](size_t i) { return i < roleCount ? "kept summary" : "result"; };
  for (size_t r = 0; r < extents.size(); ++r) {
    if (isWritten(r) && extents[r].low < table.high && table.low < extents[r].high && extents[r].dense)
      return fail<Err::ResultOverlap>(kindOf(r), nameOf(r), pageTable().name);
    for (size_t other = 0; other < r; ++other) {
      if (!isWritten(r) && !isWritten(other))
        continue;
      const Extent &a = extents[r], &b = extents[other];
      bool meet = a.low < b.high && b.low < a.high;
      // Interleaved views may share a range and not an element; what is dense shares elements.
      if (meet && ((a.dense && b.dense) || a.low == b.low))
        return fail<Err::ResultOverlap>(kindOf(r), nameOf(r), nameOf(other));
    }
  }
  return success();
}

Status bindCall(const Manifest &manifest, const sattn_call &call, Place place, bool sizesOnly, RunState &state) {
  state.isPacked = false;
  if (isPacked(call))
    return bindPacked(manifest, call, place, sizesOnly, state);
  return Binder(manifest, call, place, sizesOnly, state).bind();
}

} // namespace sattn::rt
