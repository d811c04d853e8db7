// From the words of the command line to checked operands, params and offsets.
#include "tools/sparse-attn/Invocation.h"
#include "tools/sparse-attn/Npy.h"
#include "tools/sparse-attn/Packed.h"
#include "tools/sparse-attn/Pages.h"
#include "tools/sparse-attn/Random.h"
#include "tools/sparse-attn/ToolError.h"

#include <algorithm>
#include <atomic>
#include <cctype>
#include <charconv>
#include <cmath>
#include <sstream>
#include <thread>

namespace sattn::tool {

static constexpr int64_t maxSize = int64_t(1) << 62;
static constexpr int64_t maxPosition = int64_t(1) << 40;

//===-- Words -------------------------------------------------------------------------------------------===//

bool parseInteger(const std::string &text, int64_t &value) {
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

static bool parseNumber(const std::string &text, double &value) {
  const char *end = text.data() + text.size();
  auto [stop, error] = std::from_chars(text.data(), end, value);
  return error == std::errc() && stop == end && !text.empty();
}

/// NAME=VALUE at the first '='.
static std::pair<std::string, std::string> splitPair(const std::string &word, const char *option, const char *form) {
  size_t equals = word.find('=');
  if (equals == std::string::npos || equals == 0 || equals + 1 == word.size())
    fail(Err::OptionSyntax, option, word, form);
  return {word.substr(0, equals), word.substr(equals + 1)};
}

static void takeParam(Invocation &call, const std::string &word) {
  auto [name, value] = splitPair(word, "--param", "NAME=NUMBER");
  const ParamInfo *param = call.info.param(name);
  if (!param)
    fail(Err::UnknownParam, name, paramList(call.info));
  bool isGiven = call.statics.count(name) || std::any_of(call.params.begin(), call.params.end(),
                                                         [&](const ParamValue &p) { return p.name == name; });
  if (isGiven)
    fail(Err::GivenTwice, name);
  ParamValue given{name, param->isFloat, 0, 0};
  if (param->isFloat) {
    if (!parseNumber(value, given.number) || !std::isfinite(static_cast<float>(given.number)))
      fail(Err::ParamNotFloat, name, value);
  } else if (!parseInteger(value, given.integer)) {
    fail(Err::ParamNotInt, name, value);
  }
  if (param->isStatic)
    call.statics[name] = given.integer;
  else
    call.params.push_back(given);
}

/// The params that are integers, as a bind text: block lengths and proofs follow from those that prove to be static.
static std::string integerParams(const std::vector<std::string> &words) {
  std::map<std::string, int64_t> integers;
  for (const std::string &word : words) {
    auto [name, value] = splitPair(word, "--param", "NAME=NUMBER");
    bool isWord = std::all_of(name.begin(), name.end(), [](unsigned char c) { return std::isalnum(c) || c == '_'; });
    if (int64_t number = 0; isWord && parseInteger(value, number))
      integers[name] = number;
  }
  std::string bind;
  for (const auto &[name, value] : integers)
    bind += fmt::format("{}{}={}", bind.empty() ? "" : ",", name, value);
  return bind;
}

Invocation openPattern(const CallOptions &options) {
  Invocation call;
  call.file = findPattern(options.pattern);
  call.keepSummaries = options.keepSummaries;
  call.dataflow = options.dataflow;
  call.info = describe(call.file, integerParams(options.params));
  for (const std::string &word : options.params)
    takeParam(call, word);
  for (const ParamInfo &param : call.info.params) {
    bool isGiven =
        call.statics.count(param.name) ||
        std::any_of(call.params.begin(), call.params.end(), [&](const ParamValue &p) { return p.name == param.name; });
    if (param.text.empty() && !isGiven)
      fail(Err::MissingParam, param.name, param.name);
  }
  return call;
}

//===-- Sizes -------------------------------------------------------------------------------------------===//

const Operand *Invocation::operand(const std::string &name) const {
  for (const Operand &operand : operands)
    if (operand.name == name)
      return &operand;
  return nullptr;
}

int64_t Invocation::size(const std::string &axis, int64_t otherwise) const {
  auto found = sizes.find(axis);
  return found == sizes.end() ? otherwise : found->second;
}

// That of the first operand with features; of the first of all, where none has.
Dtype Invocation::inputDtype() const {
  for (bool features : {true, false})
    for (const RoleInfo &role : info.roles)
      if (const Operand *given = role.isInt ? nullptr : operand(role.name))
        if (!features || (!role.axes.empty() && role.axes.back()[0] == 'D'))
          return given->tensor.dtype;
  return Dtype::F32;
}

Dtype Invocation::resultDtype(const ResultInfo &result) const { return result.float32 ? Dtype::F32 : inputDtype(); }

std::string Invocation::bind() const {
  std::map<std::string, std::string> items;
  Dtype main = inputDtype();
  items["dtype"] = dtypeName(main);
  for (const RoleInfo &role : info.roles) {
    const Operand *given = operand(role.name);
    if (given && !role.isInt && given->tensor.dtype != main)
      items["dtype." + role.name] = dtypeName(given->tensor.dtype);
  }
  for (const auto &[axis, size] : sizes) {
    if (axis[0] == 'D')
      items[axis] = std::to_string(size);
    // Query heads for each head of an axis that serves them.
    if ((axis[0] == 'g' || (axis[0] == 'h' && axis != "h")) && sizes.count("h"))
      items[axis == "g" ? "group" : "group." + axis] =
          std::to_string(size == 0 ? 1 : std::max<int64_t>(1, sizes.at("h") / size));
  }
  if (pageSize != 0)
    items["paged"] = std::to_string(pageSize);
  for (const auto &[name, value] : statics)
    items[name] = std::to_string(value);
  if (keepSummaries)
    items["keep"] = "summaries";
  if (!dataflow.empty())
    items["dataflow"] = dataflow;
  std::string text;
  for (const auto &[name, value] : items)
    text += fmt::format("{}{}={}", text.empty() ? "" : ",", name, value);
  return text;
}

const std::vector<int64_t> *Invocation::cumulative(const std::string &axis) const {
  const std::vector<int64_t> &lengths = axis[0] == 't' || axis[0] == 'u' ? cuQ : cuKv;
  return lengths.empty() ? nullptr : &lengths;
}

bool Invocation::isPacked(const std::vector<std::string> &axes) const {
  return std::any_of(axes.begin(), axes.end(),
                     [&](const std::string &axis) { return isPositionAxis(axis) && cumulative(axis); });
}

/// How many positions the words of `result` say that there are to be chosen.
static int64_t chosenCount(const Invocation &call, const ResultInfo &result) {
  std::vector<int64_t> stack;
  for (const std::string &word : result.top) {
    if (word == "+" || word == "-" || word == "*") {
      int64_t y = stack.back();
      stack.pop_back();
      int64_t &x = stack.back(), z = 0;
      bool isOver = word == "+"   ? __builtin_add_overflow(x, y, &z)
                    : word == "-" ? __builtin_sub_overflow(x, y, &z)
                                  : __builtin_mul_overflow(x, y, &z);
      x = isOver ? INT64_MAX : z; // the kernel refuses the call
      continue;
    }
    int64_t number = 0;
    if (!parseInteger(word, number)) {
      const ParamInfo *param = call.info.param(word);
      auto given =
          std::find_if(call.params.begin(), call.params.end(), [&](const ParamValue &p) { return p.name == word; });
      number = given != call.params.end() ? given->integer : static_cast<int64_t>(param->value.value_or(0));
    }
    stack.push_back(number);
  }
  return stack.back();
}

/// Size of an axis of chosen positions: packed sequences have as many each as there are.
static int64_t chosenSize(const Invocation &call, const ResultInfo &result, const std::string &axis) {
  int64_t count = chosenCount(call, result), all = 0;
  std::string of = axis.substr(0, axis.find('('));
  if (!call.cumulative(of))
    return std::clamp<int64_t>(count, 0, call.size(of, 0));
  for (int64_t b = 0; b < call.size("B"); ++b)
    all += std::clamp<int64_t>(count, 0, rowsOf(call, of, b, false));
  return all;
}

Shape Invocation::resultShape(const ResultInfo &result) const {
  Shape shape;
  if (result.batched() && !isPacked(result.axes))
    shape.push_back(size("B"));
  for (const std::string &axis : result.axes)
    if (isFixedAxis(axis))
      shape.push_back(std::stoll(axis));
    else if (!result.top.empty() && isPositionAxis(axis))
      shape.push_back(chosenSize(*this, result, axis));
    else if (isPositionAxis(axis) && !sizes.count(axis) && cumulative(axis))
      shape.push_back(allRowsOf(*this, axis, result.ragged));
    else if (std::optional<BlockAxis> blocks = sizes.count(axis) ? std::nullopt : blockAxis(axis))
      shape.push_back(blocks->count(size(blocks->ofKeys ? "s" : "t", 0), result.ragged));
    else
      shape.push_back(size(axis));
  return shape;
}

int Invocation::rowDimension(const ResultInfo &result) const {
  for (size_t i = 0; i < result.axes.size(); ++i)
    if (result.axes[i] == "t")
      return static_cast<int>(i) + (result.batched() && !isPacked(result.axes));
  return -1;
}

std::vector<int64_t> Invocation::perBatch(const std::vector<int64_t> &given, int64_t otherwise) const {
  int64_t batch = size("B");
  if (given.empty())
    return std::vector<int64_t>(batch, otherwise);
  return given.size() == 1 ? std::vector<int64_t>(batch, given[0]) : given;
}

namespace {
/// Gives each axis its size and refuses a second one.
class SizeTable {
public:
  /// `inPages`: operands that may be are pools of pages.
  explicit SizeTable(Invocation &call, bool inPages = false) : call(call), inPages(inPages) {}

  void add(const RoleInfo &role, const Operand &operand) {
    const Shape &shape = operand.tensor.shape;
    bool hasBatch = role.batched() && !call.isPacked(role.axes);
    size_t expected = role.axes.size() + hasBatch;
    if (shape.size() != expected)
      fail(Err::WrongRank, role.name, shape.size(), expected,
           fmt::format("{}{}", hasBatch ? "B, " : "", fmt::join(role.axes, ", ")), operand.source, shapeText(shape));
    size_t at = 0;
    bool isPool = inPages && isPaged(role);
    if (hasBatch && !isPool)
      set("B", shape[0], role, operand);
    at += hasBatch;
    for (const std::string &axis : role.axes) {
      int64_t extent = shape[at++];
      if (isPool && axis == "s") {
        if (extent != call.pageSize)
          fail(Err::PageRows, role.name, extent, call.pageSize, operand.source, shapeText(shape));
        continue;
      }
      if (isPositionAxis(axis) && call.cumulative(axis))
        checkPacked(axis, extent, role, operand);
      if (!isFixedAxis(axis))
        set(axis, extent, role, operand);
      else if (extent != std::stoll(axis))
        fail(Err::FixedAxis, role.name, extent, axis, operand.source, shapeText(shape));
    }
  }

private:
  void checkPacked(const std::string &axis, int64_t extent, const RoleInfo &role, const Operand &operand) {
    int64_t complete = allRowsOf(call, axis, false), all = allRowsOf(call, axis, true);
    std::optional<BlockAxis> blocks = blockAxis(axis);
    if (extent != complete && (!blocks || blocks->length != blocks->stride || extent != all))
      fail(Err::PackedTotal, role.name, axis, extent, axis[0] == 't' || axis[0] == 'u' ? "--cu-q" : "--cu-kv", complete,
           operand.source, shapeText(operand.tensor.shape));
  }
  void set(const std::string &axis, int64_t extent, const RoleInfo &role, const Operand &operand) {
    auto [place, isNew] = call.sizes.try_emplace(axis, extent);
    if (isNew)
      first[axis] = role.name;
    else if (place->second != extent)
      fail(Err::AxisMismatch, role.name, axis, extent, first.count(axis) ? first[axis] : "the call", axis,
           place->second, operand.source, shapeText(operand.tensor.shape));
  }

  Invocation &call;
  bool inPages;
  std::map<std::string, std::string> first;
};
} // namespace

static void checkHeads(const Invocation &call) {
  auto queries = call.sizes.find("h");
  for (const RoleInfo &role : call.info.roles)
    for (const std::string &axis : role.axes) {
      if (axis[0] != 'g' || queries == call.sizes.end())
        continue;
      int64_t heads = call.size(axis);
      if (heads == 0 ? queries->second != 0 : queries->second % heads != 0)
        fail(Err::HeadsDivide, heads, queries->second, role.name, axis);
    }
}

//===-- Operands from files -----------------------------------------------------------------------------===//

static Operand readOperand(const Invocation &call, const std::string &word) {
  auto [name, path] = splitPair(word, "--arg", "NAME[:TYPE]=FILE.npy");
  std::string type;
  if (size_t colon = name.find(':'); colon != std::string::npos) {
    type = name.substr(colon + 1);
    name.resize(colon);
  }
  const RoleInfo *role = call.info.role(name);
  if (!role)
    fail(Err::UnknownOperand, name, roleList(call.info));
  Dtype stated = Dtype::F32;
  if (!type.empty() && (!parseDtype(type, stated) || stated > Dtype::I32))
    fail(Err::OptionSyntax, "--arg", word, "NAME[:TYPE]=FILE.npy with TYPE f32, f16, bf16 or i32");
  Operand operand{name, readNpy(path, name, type == "bf16"), path};
  bool isInt = operand.tensor.dtype == Dtype::I32;
  const char *expected = role->isInt ? "i32" : "f32, f16 or bf16";
  if (isInt != role->isInt || (!type.empty() && operand.tensor.dtype != stated))
    fail(Err::WrongDtype, name, dtypeName(operand.tensor.dtype), isInt != role->isInt ? expected : type.c_str(), path);
  return operand;
}

static std::vector<int64_t> readNumbers(const std::string &word, const char *option) {
  int64_t number = 0;
  if (word.empty())
    return {};
  if (parseInteger(word, number))
    return {number};
  if (word.size() > 4 && word.compare(word.size() - 4, 4, ".npy") == 0)
    return readNpyIntegers(word, option);
  fail(Err::BadNumber, option, word, "an integer or a .npy file of integers");
}

static void readOffsets(Invocation &call, const CallOptions &options) {
  call.qOffset = readNumbers(options.qOffset, "--q-offset");
  call.kvOffset = readNumbers(options.kvOffset, "--kv-offset");
  call.kvLen = readNumbers(options.kvLen, "--kv-len");
}

static void sampleRows(Invocation &call, const std::string &word) {
  if (word.empty())
    return;
  size_t comma = word.find(',');
  int64_t count = 0, seed = 0;
  if (!parseInteger(word.substr(0, comma), count) || count < 1 ||
      (comma != std::string::npos && !parseInteger(word.substr(comma + 1), seed)))
    fail(Err::BadNumber, "--rows", word, "a positive number of rows, optionally with a seed: N[,SEED]");
  call.rows = sampleWithoutReplacement(call.size("t", 0), count, static_cast<uint64_t>(seed));
}

/// Offsets and sizes agree; t != s needs an offset or a length that says where the queries stand. Of packed sequences
/// that goes for each.
static void checkPositions(const Invocation &call) {
  if (isPacked(call)) {
    for (const auto &[option, values] :
         {std::pair("--q-offset", &call.qOffset), {"--kv-offset", &call.kvOffset}, {"--kv-len", &call.kvLen}})
      if (values->size() > 1 && static_cast<int64_t>(values->size()) != call.size("B"))
        fail(Err::PerBatchCount, option, values->size(), call.size("B"), call.size("B"));
    for (int64_t b = 0; b < call.size("B"); ++b)
      try {
        checkPositions(sequenceOf(call, b, /*withOperands=*/false));
      } catch (const ToolError &error) {
        std::string text = error.what();
        throw ToolError(text.insert(text.find(' ') + 1, fmt::format("sequence {}: ", b)));
      }
    return;
  }
  int64_t batch = call.size("B"), t = call.size("t", -1), s = call.size("s", -1);
  struct {
    const char *option;
    const std::vector<int64_t> &values;
    int64_t farthest;
  } lists[] = {{"--q-offset", call.qOffset, std::max<int64_t>(0, maxPosition - std::max<int64_t>(t, 0))},
               {"--kv-offset", call.kvOffset, std::max<int64_t>(0, maxPosition - std::max<int64_t>(s, 0))},
               {"--kv-len", call.kvLen, maxPosition}};
  for (const auto &[option, values, farthest] : lists) {
    int64_t count = static_cast<int64_t>(values.size());
    if (count > 1 && count != batch)
      fail(Err::PerBatchCount, option, count, batch, batch);
    for (int64_t i = 0; i < count; ++i)
      if (values[i] < 0 || values[i] > farthest)
        fail(Err::OffsetRange, option, i, values[i], farthest);
  }
  for (size_t i = 0; i < call.kvLen.size(); ++i)
    if (s >= 0 && call.kvLen[i] > s)
      fail(Err::LengthRange, i, call.kvLen[i], s);
  if (t > 0 && s > 0 && t != s && call.qOffset.empty() && call.kvLen.empty())
    fail(Err::NoPositions, t, s, std::max<int64_t>(s - t, 0), t <= s ? "end" : "start");
}

/// `atEnd`: offsets where the options say nothing of positions; `lengths`: keys where they say nothing of them.
static void takePositions(Invocation &call, const CallOptions &options, const std::vector<int64_t> &atEnd = {},
                          const std::vector<int64_t> &lengths = {}) {
  checkHeads(call);
  readOffsets(call, options);
  if (call.qOffset.empty() && call.kvLen.empty())
    call.qOffset = atEnd;
  if (call.kvLen.empty())
    call.kvLen = lengths;
  if (call.pageTable.data)
    joinPages(call);
  checkPositions(call);
  if (call.pageSize != 0 && !call.pageTable.data)
    layOutPages(call);
  sampleRows(call, options.rows);
}

/// The size of pages, and a table for operands that are pools of them.
static void readPages(Invocation &call, const CallOptions &options) {
  call.pageSize = options.pageSize;
  if (options.pageTable.empty())
    return;
  if (call.pageSize == 0)
    fail(Err::NoPageSize);
  call.pageTable = readNpy(options.pageTable, "--page-table");
}

void readOperands(Invocation &call, const CallOptions &options) {
  if (!options.packed.empty())
    fail(Err::PackedFiles);
  readPages(call, options);
  readPacked(call, options);
  for (const std::string &word : options.args) {
    Operand operand = readOperand(call, word);
    if (call.operand(operand.name))
      fail(Err::GivenTwice, operand.name);
    call.operands.push_back(std::move(operand));
  }
  std::vector<Operand> ordered;
  SizeTable table(call, call.pageTable.data != nullptr);
  for (const RoleInfo &role : call.info.roles) {
    const Operand *given = call.operand(role.name);
    if (!given)
      fail(Err::MissingOperand, role.name, fmt::format("{}{}", role.batched() ? "B, " : "", fmt::join(role.axes, ", ")),
           role.name);
    table.add(role, *given);
    ordered.push_back(*given);
  }
  call.operands = std::move(ordered);
  takePositions(call, options);
}

//===-- Generated operands ------------------------------------------------------------------------------===//

namespace {
/// The sizes that --shape gives, by the names of the pattern's axes.
class ShapeTable {
public:
  /// Sizes that packed sequences say stand in `call`.
  ShapeTable(const Invocation &call, const std::string &text) : call(call) {
    const PatternInfo &info = call.info;
    std::string rest = text;
    while (!rest.empty()) {
      size_t comma = rest.find(',');
      auto [name, value] = splitPair(rest.substr(0, comma), "--shape", "NAME=SIZE");
      rest = comma == std::string::npos ? "" : rest.substr(comma + 1);
      int64_t size = 0;
      if (!parseInteger(value, size) || size < 0 || size > maxSize)
        fail(Err::BadNumber, name, value, "a size, 0 or more");
      if (!isKnown(info, name))
        fail(Err::UnknownDim, name, fmt::format("{}", fmt::join(axes(info), ", ")));
      if (!given.emplace(name, size).second)
        fail(Err::GivenTwice, name);
      bool isRow = name == "B" || name == "T" || name == "Tq" || isPositionAxis(name);
      if (isPacked(call) && (isRow || (name == "S" && !call.cuKv.empty())))
        fail(Err::PackedShape, name);
    }
  }

  int64_t of(const std::string &axis) const {
    if (isFixedAxis(axis))
      return std::stoll(axis);
    if (isPositionAxis(axis) && call.cumulative(axis))
      return allRowsOf(call, axis, false);
    if (auto own = given.find(axis); own != given.end())
      return own->second;
    if (std::optional<BlockAxis> blocks = blockAxis(axis))
      return blocks->count(of(blocks->ofKeys ? "s" : "t"), false);
    if (axis == "B")
      return call.size("B", 1);
    if (axis == "t")
      return first({"Tq", "T", "S"}, 512);
    if (axis == "s")
      return first({"S", "T", "Tq"}, 512);
    if (axis == "h")
      return first({"Hq", "Hkv"}, 4);
    if (axis == "g")
      return first({"Hkv", "Hq"}, 4);
    if (axis[0] == 'h')
      return of("h");
    if (axis[0] == 'g')
      return of("g");
    return first({"D"}, 64);
  }

  static bool isKnown(const PatternInfo &info, const std::string &name) {
    static const char *general[] = {"B", "T", "S", "Tq", "Hq", "Hkv", "D", "Dv"};
    std::vector<std::string> own = axes(info);
    return std::find(std::begin(general), std::end(general), name) != std::end(general) ||
           std::find(own.begin(), own.end(), name) != own.end();
  }

private:
  int64_t first(std::initializer_list<const char *> names, int64_t otherwise) const {
    for (const char *name : names)
      if (auto found = given.find(name); found != given.end())
        return found->second;
    return otherwise;
  }
  static std::vector<std::string> axes(const PatternInfo &info) {
    std::vector<std::string> names;
    for (const RoleInfo &role : info.roles)
      for (const std::string &axis : role.axes)
        if (!isFixedAxis(axis) && std::find(names.begin(), names.end(), axis) == names.end())
          names.push_back(axis);
    return names;
  }

  const Invocation &call;
  std::map<std::string, int64_t> given;
};
} // namespace

void keepWordsOf(CallOptions &options, std::string &shape) {
  PatternInfo info = describe(findPattern(options.pattern), "");
  auto nameOf = [](const std::string &word) { return word.substr(0, word.find_first_of("=:")); };
  std::erase_if(options.params, [&](const std::string &word) { return !info.param(nameOf(word)); });
  std::erase_if(options.args, [&](const std::string &word) { return !info.role(nameOf(word)); });
  std::string kept;
  std::istringstream words(shape);
  for (std::string word; std::getline(words, word, ',');)
    if (ShapeTable::isKnown(info, nameOf(word)))
      kept += (kept.empty() ? "" : ",") + word;
  shape = kept;
}

/// An id: small ones are likelier, so that a few blocks or documents meet many of them, and one in eight is -1, which
/// names nothing in a list.
static int32_t drawId(Random &random) {
  uint64_t magnitude = random.below(8);
  return magnitude == 7 ? -1 : static_cast<int32_t>(random.below(uint64_t(1) << magnitude));
}

/// Fills elements [begin, end): ids for int operands, numbers for the others.
static void fillRange(Tensor &tensor, const ShapeOptions &options, uint64_t stream, int64_t begin, int64_t end) {
  Random random((options.seed * 1000003 + stream) * 0x9E3779B97F4A7C15ull + static_cast<uint64_t>(begin));
  for (int64_t i = begin; i < end; ++i) {
    if (tensor.dtype == Dtype::I32)
      tensor.as<int32_t>()[i] = drawId(random);
    else
      tensor.set(i, options.exact ? (static_cast<double>(random.below(33)) - 16) / 8 : random.normal());
  }
}

/// Chunks have seeds of their own, so that the numbers do not depend on the number of threads.
static void fillOperand(Tensor &tensor, const ShapeOptions &options, uint64_t stream) {
  constexpr int64_t chunk = int64_t(1) << 16;
  int64_t size = tensor.size();
  std::atomic<int64_t> next{0};
  auto work = [&] {
    for (int64_t begin; (begin = next.fetch_add(chunk)) < size;)
      fillRange(tensor, options, stream, begin, std::min(begin + chunk, size));
  };
  std::vector<std::thread> helpers;
  for (unsigned i = 1; i < std::thread::hardware_concurrency() && static_cast<int64_t>(i) * chunk < size; ++i)
    helpers.emplace_back(work);
  work();
  for (std::thread &helper : helpers)
    helper.join();
}

Dtype parseOperandDtype(const std::string &name) {
  Dtype dtype;
  if (!parseDtype(name, dtype) || dtype > Dtype::BF16)
    fail(Err::BadNumber, "--dtype", name, "f32, f16 or bf16");
  return dtype;
}

void generateOperands(Invocation &call, const ShapeOptions &options, const CallOptions &callOptions) {
  call.pageSize = callOptions.pageSize;
  readPacked(call, callOptions);
  std::vector<int64_t> lengths;
  if (!callOptions.packed.empty()) {
    if (isPacked(call))
      fail(Err::PackedFiles);
    parsePacked(call, callOptions.packed, lengths);
  }
  std::string shape = options.shape;
  if (!lengths.empty() && call.cuKv.empty()) // keys of each sequence have a place in the longest
    shape += fmt::format("{}S={}", shape.empty() ? "" : ",", *std::max_element(lengths.begin(), lengths.end()));
  ShapeTable shapes(call, shape);
  SizeTable table(call);
  uint64_t stream = 0;
  for (const RoleInfo &role : call.info.roles) {
    Shape shape;
    if (role.batched() && !call.isPacked(role.axes))
      shape.push_back(shapes.of("B"));
    for (const std::string &axis : role.axes)
      shape.push_back(shapes.of(axis));
    // Gates, sinks and tables without features of their own stay float32 beside 16-bit operands.
    bool isNarrow = !role.axes.empty() && role.axes.back()[0] == 'D';
    Operand operand{role.name,
                    Tensor::allocate(role.isInt ? Dtype::I32
                                     : isNarrow ? options.dtype
                                                : Dtype::F32,
                                     shape, role.name),
                    "generated"};
    if (options.fill)
      fillOperand(operand.tensor, options, ++stream);
    table.add(role, operand);
    call.operands.push_back(std::move(operand));
  }
  if (!call.cuKv.empty() || !call.sizes.count("s"))
    lengths.clear(); // the keys are packed, or there are none
  std::vector<int64_t> atEnd;
  for (int64_t b = 0; b < (isPacked(call) ? call.size("B") : 1); ++b) {
    int64_t t = call.cuQ.empty() ? call.size("t", 0) : rowsOf(call, "t", b, false);
    int64_t s = !lengths.empty() ? lengths[b] : call.cuKv.empty() ? call.size("s", 0) : rowsOf(call, "s", b, false);
    atEnd.push_back(std::max<int64_t>(0, s - t));
  }
  bool differ = call.size("t", 0) != call.size("s", 0) || isPacked(call);
  takePositions(call, callOptions, differ ? atEnd : std::vector<int64_t>(), lengths);
}

} // namespace sattn::tool
