// Bounds of streams as expressions over a task's coordinates (TileCount.h).
#include "runtime/TileCount.h"

#include <nlohmann/json.hpp>

#include <algorithm>
#include <cmath>

namespace sattn::rt {

using nlohmann::json;

namespace {

/// What a value depends on: bits 0 to 2 are the grid axes, then loops, then units of lists.
using Dims = uint64_t;
constexpr size_t maxVariables = 40, maxStreams = 256, maxValues = 4096, maxRuns = 256;

// Tasks are evaluated one by one up to this many in a call, then evenly spaced ones of each launch.
constexpr int64_t evaluationBudget = int64_t(1) << 21, leastEvaluations = 256, maxTurns = 1 << 20;

// No stream has more tiles than there are keys.
int64_t clampTile(int64_t tile) { return std::clamp<int64_t>(tile, 0, int64_t(1) << 48); }

struct Bound {
  Expr expr;
  Dims dims = 0;
};

/// A named value of a kernel.
struct Value {
  int symbol;
  Bound bound;
  int entryOf = -1; ///< argument: the value is its entry number `bound`
};

struct Variable {
  int symbol;
  Bound count;
};

struct Run {
  Bound lo, hi, fullLo, fullHi;
};

struct Stream {
  StreamCount count;
  std::vector<int> loops;
  std::vector<Run> runs; ///< of a cover
  int lists = -1;        ///< the stream of lists that a cover stands in
  bool isLists = false;
  int unit = -1; ///< of lists: the variable that counts units
  int64_t members = 1, slots = 1;
  Bound units, listed; ///< of lists: units that exist, rows of a task
  Dims dims = 0;       ///< of all bounds, loops included
  Dims runDims = 0;
  std::vector<int64_t> mostAt; ///< where `most`, the tiles of the longest unit, was found
  double most = 0;
};

class Malformed {};

} // namespace

//===-- Reading -------------------------------------------------------------------------------------------------===//

struct TileCounter::KernelStreams {
  KernelStreams(const json &facts, const Manifest &manifest);

  void add(const Step &step, const int64_t (&grid)[3], const RunState &state);

  std::string kernel;
  std::vector<Stream> streams;
  bool isMalformed = false;

private:
  void read(const json &facts);
  void readStream(const json &fields);
  void readLists(const json &fields, Stream &stream);
  Bound bound(const json &expr) const;
  int addSymbol(const std::string &name, Dims dims);
  int addVariable(const std::string &name, Bound count);

  bool fill(const Step &step, const RunState &state);
  bool evaluate(const Bound &bound, int64_t &result) const;
  bool refresh(Dims changed, Dims known);
  void countStream(Stream &stream, const int64_t (&grid)[3]);
  bool countTask(Stream &stream, size_t loop, Dims known, double &visited, double &full);
  bool countRuns(const Stream &stream, double &visited, double &full) const;
  bool boundLists(Stream &stream, Dims known, double &visited);
  bool groupsOf(const Stream &lists, double &groups) const;
  bool mostTiles(Stream &stream, Dims known, double &tiles);

  SymbolTable symbols;
  std::vector<Dims> symbolDims;
  std::vector<Value> values;
  std::vector<Variable> variables;       ///< loops and units; variable i is bit 3 + i
  std::vector<int64_t> now;              ///< by symbol
  std::vector<const int64_t *> perBatch; ///< by argument
  int64_t batch = 0;
  int64_t budget = evaluationBudget;
};

int TileCounter::KernelStreams::addSymbol(const std::string &name, Dims dims) {
  int symbol = symbols.add(name);
  if (symbol < 0)
    throw Malformed();
  symbolDims.push_back(dims);
  return symbol;
}

int TileCounter::KernelStreams::addVariable(const std::string &name, Bound count) {
  if (variables.size() >= maxVariables)
    throw Malformed();
  int variable = static_cast<int>(variables.size());
  variables.push_back({addSymbol(name, Dims(1) << (3 + variable)), std::move(count)});
  return variable;
}

Bound TileCounter::KernelStreams::bound(const json &expr) const {
  Bound result;
  if (Expr::compile(expr, symbols, "explain", result.expr).failed())
    throw Malformed();
  for (int symbol : result.expr.symbolsUsed())
    result.dims |= symbolDims[symbol];
  return result;
}

static size_t argumentsOf(const std::vector<Step> &steps, const Manifest &m, const std::string &kernel) {
  size_t count = 0;
  for (const Step &step : steps) {
    if (step.kind == Step::Kind::Kernel && m.kernels[step.kernel].name == kernel)
      count = std::max(count, step.args.size());
    count = std::max(count, argumentsOf(step.body, m, kernel));
  }
  return count;
}

TileCounter::KernelStreams::KernelStreams(const json &facts, const Manifest &manifest) {
  try {
    kernel = facts.at("kernel").get<std::string>();
    for (int axis = 0; axis < 3; ++axis)
      addSymbol(std::string(1, "xyz"[axis]), Dims(1) << axis);
    for (size_t i = 0; i < argumentsOf(manifest.steps, manifest, kernel); ++i)
      for (const char *part : {"", ".batch", ".positions", ".heads"})
        addSymbol("a" + std::to_string(i) + part, 0);
    read(facts);
  } catch (const json::exception &) {
    isMalformed = true;
  } catch (const Malformed &) {
    isMalformed = true;
  }
  if (isMalformed)
    streams.clear();
}

// Names first: values use loops and units, counts of loops and units use values.
void TileCounter::KernelStreams::read(const json &facts) {
  const json &given = facts.at("values"), &loops = facts.at("loops"), &list = facts.at("streams");
  if (given.size() > maxValues || list.size() > maxStreams)
    throw Malformed();
  for (const json &loop : loops)
    addVariable(loop.at(0).get<std::string>(), {});
  for (const json &stream : list)
    if (stream.contains("unit"))
      addVariable(stream["unit"].get<std::string>(), {});
  for (const json &item : given) {
    Value value;
    const json &expr = item.at(1);
    if (expr.is_object()) {
      std::string argument = expr.at("per_batch").get<std::string>();
      if (argument[0] != 'a' || symbols.find(argument) < 0)
        throw Malformed();
      value.entryOf = std::stoi(argument.substr(1));
      value.bound = bound(expr.at("entry"));
    } else {
      value.bound = bound(expr);
    }
    value.symbol = addSymbol(item.at(0).get<std::string>(), value.bound.dims);
    values.push_back(std::move(value));
  }
  for (size_t i = 0; i < loops.size(); ++i)
    variables[i].count = bound(loops[i].at(1));
  for (const json &stream : list)
    readStream(stream);
}

void TileCounter::KernelStreams::readStream(const json &fields) {
  Stream stream;
  stream.count.kernel = kernel;
  stream.count.keys = fields.value("keys", "");
  stream.count.line = fields.value("line", int64_t(0));
  stream.count.unknown = fields.value("unknown", "");
  if (fields.contains("tile")) {
    stream.count.rows = fields["tile"].at(0).get<int64_t>();
    stream.count.columns = fields["tile"].at(1).get<int64_t>();
  }
  for (const json &name : fields.value("in", json::array()))
    for (size_t i = 0; i < variables.size(); ++i)
      if (symbols.name(variables[i].symbol) == name.get<std::string>()) {
        stream.loops.push_back(static_cast<int>(i));
        stream.dims |= variables[i].count.dims;
      }
  if (fields.contains("of")) {
    stream.lists = fields["of"].get<int>();
    if (stream.lists < 0 || static_cast<size_t>(stream.lists) >= streams.size())
      throw Malformed();
    stream.count.isExact = false;
    if (!streams[stream.lists].isLists)
      stream.count.unknown = "it stands in one that is not known";
    stream.dims |= streams[stream.lists].dims;
  }
  if (stream.count.unknown.empty()) {
    if (fields.contains("unit")) {
      readLists(fields, stream);
    } else {
      if (fields.at("runs").size() > maxRuns)
        throw Malformed();
      for (const json &run : fields.at("runs")) {
        stream.runs.push_back({bound(run.at(0)), bound(run.at(1)), bound(run.at(2)), bound(run.at(3))});
        for (const Bound *part :
             {&stream.runs.back().lo, &stream.runs.back().hi, &stream.runs.back().fullLo, &stream.runs.back().fullHi})
          stream.runDims |= part->dims;
      }
      stream.dims |= stream.runDims;
    }
  }
  streams.push_back(std::move(stream));
}

void TileCounter::KernelStreams::readLists(const json &fields, Stream &stream) {
  stream.isLists = true;
  stream.count.isExact = false;
  stream.members = fields.at("members").get<int64_t>();
  stream.slots = fields.at("slots").get<int64_t>();
  if (stream.members < 1 || stream.slots < 1 || stream.slots > (1 << 24))
    throw Malformed();
  stream.units = bound(fields.at("units"));
  stream.listed = bound(fields.at("rows"));
  stream.dims |= stream.units.dims | stream.listed.dims;
  for (size_t i = 0; i < variables.size(); ++i)
    if (symbols.name(variables[i].symbol) == fields.at("unit").get<std::string>()) {
      stream.unit = static_cast<int>(i);
      variables[i].count = stream.units;
    }
}

//===-- Counting ------------------------------------------------------------------------------------------------===//

bool TileCounter::KernelStreams::evaluate(const Bound &bound, int64_t &result) const {
  return bound.expr.evaluate(now.data(), result) == Expr::Fault::None;
}

// Arguments of the launch, and the values that hold for all its tasks.
bool TileCounter::KernelStreams::fill(const Step &step, const RunState &state) {
  now.assign(symbols.size(), 0);
  perBatch.assign((symbols.size() - 3) / 4 + 1, nullptr);
  batch = state.batch;
  for (size_t i = 0; i < step.args.size(); ++i) {
    const KernelArg &arg = step.args[i];
    int64_t *slot = now.data() + 3 + 4 * i; // "a<i>" and its three counts
    switch (arg.kind) {
    case KernelArg::Kind::Role:
    case KernelArg::Kind::Result: {
      const View &view = (arg.kind == KernelArg::Kind::Role ? state.roles : state.results)[arg.index];
      std::copy(view.counts.begin(), view.counts.end(), slot + 1);
      break;
    }
    case KernelArg::Kind::Workspace:
      for (int part = 0; part < 3; ++part)
        if (arg.counts[part].evaluate(state.values.data(), slot[1 + part]) != Expr::Fault::None)
          return false;
      break;
    case KernelArg::Kind::Index:
      if (arg.value.evaluate(state.values.data(), *slot) != Expr::Fault::None)
        return false;
      break;
    case KernelArg::Kind::PerBatch:
      perBatch[i] = state.perBatchData[arg.index];
      break;
    case KernelArg::Kind::Pages:
      std::copy(state.pages.counts.begin(), state.pages.counts.end(), slot + 1);
      break;
    case KernelArg::Kind::FloatParam:
    case KernelArg::Kind::FloatConstant:
      break;
    }
  }
  return refresh(0, 0);
}

/// Recomputes the values that depend on one of `changed` and on nothing that is not `known`; with 0 those that depend
/// on nothing.
bool TileCounter::KernelStreams::refresh(Dims changed, Dims known) {
  for (const Value &value : values) {
    bool isStale = changed == 0 ? value.bound.dims == 0 : (value.bound.dims & changed) != 0;
    if (!isStale || (value.bound.dims & ~known) != 0)
      continue;
    int64_t result;
    if (!evaluate(value.bound, result))
      return false;
    if (value.entryOf >= 0) {
      const int64_t *entries = perBatch[value.entryOf];
      if (!entries || result < 0 || result >= batch)
        return false;
      result = entries[result];
    }
    now[value.symbol] = result;
  }
  return true;
}

void TileCounter::KernelStreams::add(const Step &step, const int64_t (&grid)[3], const RunState &state) {
  if (grid[0] <= 0 || grid[1] <= 0 || grid[2] <= 0)
    return;
  bool isKnown = !isMalformed && fill(step, state);
  for (Stream &stream : streams) {
    if (!isKnown)
      stream.count.unknown = "its bounds cannot be evaluated for this call";
    if (stream.count.unknown.empty())
      countStream(stream, grid);
  }
}

// The axes that the bounds depend on are walked, z slowest; the others multiply.
void TileCounter::KernelStreams::countStream(Stream &stream, const int64_t (&grid)[3]) {
  double same = 1;
  int64_t total = 1;
  for (int axis = 0; axis < 3; ++axis) {
    if (!(stream.dims >> axis & 1))
      same *= static_cast<double>(grid[axis]);
    else if (__builtin_mul_overflow(total, grid[axis], &total))
      return void(stream.count.unknown = "it has too many tasks");
  }
  int64_t cap = std::max(leastEvaluations, budget / 4);
  int64_t stride = total > cap ? total / cap + (total % cap != 0) : 1;
  int64_t evaluated = 0;
  double visited = 0, full = 0;
  stream.mostAt.clear(); // arguments differ from launch to launch
  for (int64_t i = stride / 2; i < total; i += stride, ++evaluated) {
    int64_t rest = i;
    for (int axis = 0; axis < 3; ++axis)
      if (stream.dims >> axis & 1) {
        now[axis] = rest % grid[axis];
        rest /= grid[axis];
      }
    if (!refresh(stream.dims & 7, 7) || !countTask(stream, 0, 7, visited, full))
      return void(stream.count.unknown = "its bounds cannot be evaluated for this call");
  }
  if (evaluated == 0)
    return;
  budget = std::max<int64_t>(0, budget - evaluated);
  stream.count.isSampled |= stride > 1;
  double scale = same * static_cast<double>(total) / static_cast<double>(evaluated);
  stream.count.visited += visited * scale;
  stream.count.full += full * scale;
}

bool TileCounter::KernelStreams::countTask(Stream &stream, size_t loop, Dims known, double &visited, double &full) {
  if (loop == stream.loops.size()) {
    if (stream.isLists || stream.lists >= 0)
      return boundLists(stream, known, visited);
    return countRuns(stream, visited, full);
  }
  const Variable &variable = variables[stream.loops[loop]];
  Dims bit = Dims(1) << (3 + stream.loops[loop]);
  int64_t count;
  if (!evaluate(variable.count, count) || count > maxTurns)
    return false;
  for (int64_t i = 0; i < count; ++i, --budget) {
    now[variable.symbol] = i;
    if (!refresh(bit, known | bit) || !countTask(stream, loop + 1, known | bit, visited, full))
      return false;
  }
  return true;
}

// A union of runs: each tile once, full if any run says so.
bool TileCounter::KernelStreams::countRuns(const Stream &stream, double &visited, double &full) const {
  using Interval = std::pair<int64_t, int64_t>;
  auto unionOf = [](std::vector<Interval> &parts) {
    std::sort(parts.begin(), parts.end());
    int64_t sum = 0, end = 0;
    for (auto [lo, hi] : parts) {
      sum += std::max<int64_t>(0, hi - std::max(lo, end));
      end = std::max(end, hi);
    }
    return static_cast<double>(sum);
  };
  std::vector<Interval> all, fullOnes;
  for (const Run &run : stream.runs) {
    int64_t lo, hi, fullLo, fullHi;
    if (!evaluate(run.lo, lo) || !evaluate(run.hi, hi) || !evaluate(run.fullLo, fullLo) ||
        !evaluate(run.fullHi, fullHi))
      return false;
    lo = clampTile(lo), hi = clampTile(hi);
    if (hi <= lo)
      continue;
    fullLo = std::clamp(fullLo, lo, hi);
    all.push_back({lo, hi});
    fullOnes.push_back({fullLo, std::clamp(fullHi, fullLo, hi)});
  }
  visited += unionOf(all);
  full += unionOf(fullOnes);
  return true;
}

/// The most groups of rows that lists can make: U units get M = rows x slots entries, a group holds `members`, and
/// sum(ceil(m / members)) <= (M + U (members - 1)) / members; no unit has more groups than all rows make.
bool TileCounter::KernelStreams::groupsOf(const Stream &lists, double &groups) const {
  int64_t units, rows;
  if (!evaluate(lists.units, units) || !evaluate(lists.listed, rows))
    return false;
  double entries = static_cast<double>(std::max<int64_t>(0, rows)) * static_cast<double>(lists.slots);
  double used = std::min(static_cast<double>(std::max<int64_t>(0, units)), entries);
  entries = std::min(entries, used * static_cast<double>(std::max<int64_t>(0, rows))); // a row lists a unit once
  double members = static_cast<double>(lists.members);
  double each = std::ceil(static_cast<double>(std::max<int64_t>(0, rows)) / members);
  groups = std::min(used * each, std::floor((entries + used * (members - 1)) / members));
  return true;
}

bool TileCounter::KernelStreams::boundLists(Stream &stream, Dims known, double &visited) {
  double groups, tiles = 1;
  const Stream &lists = stream.isLists ? stream : streams[stream.lists];
  if (!groupsOf(lists, groups) || (!stream.isLists && groups > 0 && !mostTiles(stream, known, tiles)))
    return false;
  visited += groups * tiles;
  return true;
}

/// Tiles of the unit that has most of them. Mostly the same for many tasks: they depend on the length of the keys
/// alone.
bool TileCounter::KernelStreams::mostTiles(Stream &stream, Dims known, double &tiles) {
  int number = streams[stream.lists].unit;
  Dims bit = Dims(1) << (3 + number);
  std::vector<int64_t> at;
  for (int axis = 0; axis < 3; ++axis)
    at.push_back(stream.runDims >> axis & 1 ? now[axis] : -1);
  for (size_t i = 0; i < variables.size(); ++i)
    at.push_back((stream.runDims & ~bit) >> (3 + i) & 1 ? now[variables[i].symbol] : -1);
  int64_t count = 1;
  if ((stream.runDims & bit) && (!evaluate(variables[number].count, count) || count > maxTurns))
    return false;
  at.push_back(count);
  if (at != stream.mostAt) {
    stream.most = 0;
    for (int64_t i = 0; i < count; ++i) {
      now[variables[number].symbol] = i;
      double visited = 0, full = 0;
      if (!refresh(bit, known | bit) || !countRuns(stream, visited, full))
        return false;
      stream.most = std::max(stream.most, visited);
    }
    stream.mostAt = std::move(at);
  }
  tiles = stream.most;
  return true;
}

//===-- The counter ---------------------------------------------------------------------------------------------===//

TileCounter::TileCounter(const Manifest &manifest) : m(manifest) {
  json facts = json::parse(manifest.explain.empty() ? "{}" : manifest.explain, nullptr, false);
  if (!facts.is_object() || !facts.contains("streams") || !facts["streams"].is_array())
    return;
  for (const json &kernel : facts["streams"])
    kernels.push_back(std::make_unique<KernelStreams>(kernel, manifest));
}

TileCounter::~TileCounter() = default;

void TileCounter::add(const Step &step, const int64_t (&grid)[3], const RunState &state) {
  for (auto &streams : kernels)
    if (streams->kernel == m.kernels[step.kernel].name)
      streams->add(step, grid, state);
}

std::vector<StreamCount> TileCounter::counts() const {
  std::vector<StreamCount> all;
  for (const auto &streams : kernels) {
    for (const Stream &stream : streams->streams)
      all.push_back(stream.count);
    if (streams->isMalformed) {
      StreamCount broken;
      broken.kernel = streams->kernel;
      broken.unknown = "the facts of its streams are malformed";
      all.push_back(std::move(broken));
    }
  }
  return all;
}

} // namespace sattn::rt
