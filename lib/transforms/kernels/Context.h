// What all parts of the lowering share: the specialised pattern with its facts, the target's numbers, the program under
// construction, how heads are grouped, and the workspaces.
//
// Workspaces exist for a wave of (batch entry, unit of heads) pairs at a time (lib/transforms/Heads.h).
#pragma once
#include "dialects/pattern/Facts.h"
#include "dialects/pattern/KeySet.h"
#include "lib/support/TargetInfo.h"
#include "lib/transforms/Heads.h"
#include "lib/transforms/kernels/ProgramBuilder.h"

namespace sattn::lower {

/// Every m-th position of an operand: `from`, `from` + m and so on. A null `from` means all of them.
struct Lattice {
  int64_t every = 1;
  Value from;
};

/// Tiles of the longest class of residues among `size` positions, and of all classes, each padded to as many.
Value tilesOfClass(IndexBuilder &b, Value size, int64_t every, int64_t tile);
Value tilesOfClasses(IndexBuilder &b, Value size, int64_t every, int64_t tile);

/// A workspace of the plan, for every pair of a wave.
struct Workspace {
  std::string name;
  tile::ArgType type;
  /// Its positions: the size of an axis of the call, or (`perChunk`) the query rows of a chunk divided by `rowsPer`.
  AxisAttr axis;
  bool perChunk = false;
  int64_t rowsPer = 1;
  /// Where given, its positions.
  PlanSize count;
  /// More than 1: the positions of each residue class of `every` follow one another, padded to whole tiles of `tile`.
  int64_t every = 1, tile = 1;
  /// Not 0: there is one head for each query row of a chunk, padded to a multiple, and each head of `head`.
  int64_t headRows = 0;
  /// Head axis, one head for each of its heads in a unit; null: one.
  AxisAttr head;
  /// One entry holds the heads of all pairs, so that those of neighbouring pairs are neighbours.
  bool pairsAreHeads = false;
};

/// The calls that a form of the program is for: of all numbers of query rows, of few, or of all but these, and of some
/// numbers of keys.
struct CallRows {
  enum Rows { All, Few, Many } rows = All;
  int64_t few = 0;        ///< calls of at most so many rows are of few rows,
  int64_t keysPerRow = 0; ///< and, unless 0, those of one row for so many keys
  int64_t fewestKeys = 0; ///< at least so many keys
  int64_t mostKeys = 0;   ///< at most so many keys, unless 0
  /// "calls of at most 8 query rows".
  std::string text() const;
};

/// One form of a program: the kernels that serve calls of so many rows, their launches and workspaces.
class Context {
public:
  Context(PatternOp pattern, PatternFacts facts, const TargetInfo &target, ProgramBuilder &program);

  /// Ends a kernel of `program` and records its launch.
  void finish(std::unique_ptr<KernelBuilder> kernel, Launch launch);
  std::vector<Launch> launches;
  /// Numbers that kernels and workspaces of this form may ask for by name.
  SmallVector<std::pair<std::string, PlanSize>> sizes;
  /// Kind and reason where this form walks its keys in another way than sattn-choose-dataflow chose.
  std::pair<std::string, std::string> dataflow;

  /// "is not compiled yet: run the pattern with the reference (--oracle)".
  InFlightDiagnostic refuse(Operation *op, const Twine &what);

  /// True for a dynamic param of the pattern.
  bool isParam(StringRef name);
  const Facts &factsOf(Value value) const { return facts.of(value); }

  //===-- Heads.
  std::optional<int64_t> ratio(AxisAttr axis) const { return groups.ratio(axis); }
  std::optional<int64_t> unitHeads() const { return groups.unit(); }
  AxisAttr queryHeads() const { return groups.base(); }
  int64_t sharedHeads(ArrayRef<AxisAttr> axes) const { return groups.shared(axes); }
  /// Heads of `axis` in a unit, as a plan size.
  Value headsInUnit(PlanWriter &plan, AxisAttr axis) const;
  /// Tasks along y where each task takes `heads` query heads of a unit.
  PlanSize tasksInUnit(int64_t heads) const;
  /// The same where each takes the query heads of one head of `axis`; one for a null axis.
  PlanSize tasksInUnit(AxisAttr axis) const;

  //===-- Tensors.
  /// The axis that is stored inner and contiguous (features or a fixed count); 1 element where there is none.
  int64_t innerSize(ArrayRef<AxisAttr> axes) const;
  /// A role as a kernel operand.
  PlanRef role(Value tensor) const;
  tile::ArgType roleType(Value tensor) const;
  /// Positions of a page of the role that `ref` names, where pages hold it.
  std::optional<int64_t> pageOf(const PlanRef &ref) const;
  Type f32() const;
  /// Keys of a tile of keys, and of values where there are any; `packed`: as float32, whatever the role.
  int64_t keyTile(Value keys, ArrayRef<Value> values, bool packed = false) const;

  //===-- Workspaces.
  PlanRef workspace(Workspace workspace);
  std::vector<Workspace> workspaces;

  /// The pattern yields numbers of keys, or keys that it chooses by them (KeepKernel.h).
  bool keepsKeys = false;

  /// Chunks of query rows are multiples of it, at least one; so are the pairs of a wave, of this one.
  int64_t chunkMultiple = 4096, pairMultiple = 1;

  PatternOp pattern;
  BoundPattern bound;
  TargetInfo target;
  ProgramBuilder &program;
  /// A form for few rows says how many these are when it is built.
  CallRows calls;

private:
  PatternFacts facts;
  Heads groups;
};

/// How many blocks of `length` with `stride` end within the first `positions`.
Value completeBlocks(KernelBuilder &k, Value positions, int64_t length, int64_t stride);

/// The coordinates of one task inside a kernel whose grid is (x, group of query heads, pair of the wave).
///
/// Key positions are counted from the first stored key: key j of a view is position j, wherever kv_offset puts it, and
/// row i of the call is position q_offset - kv_offset + i. Blocks are counted from the first stored block likewise.
class Task {
public:
  /// A task of `heads` query heads of each of `units` units.
  Task(Context &context, KernelBuilder &k, int64_t heads, int64_t units = 1);

  Context &context;
  KernelBuilder &k;
  int64_t heads;
  Value pair, batch, unit; ///< `pair` counts within the wave
  Value firstHead;         ///< first query head of the task, within its unit

  /// Head of `axis` that the task's query heads use: among all, or within the unit as workspaces count.
  Value head(AxisAttr axis);
  Value headInUnit(AxisAttr axis);
  /// Of a workspace with one head for each row of a chunk, padded to `headRows` (Workspace): that of `row` of the
  /// chunk.
  Value headOfRow(AxisAttr axis, Value row, int64_t headRows);

  Value qOffset();
  Value kvOffset();
  /// Stored keys that exist.
  Value keyCount();
  /// Keys or blocks along a key axis that exist.
  Value keyCount(AxisAttr axis);
  /// Blocks of a role that exist: a role may hold complete blocks alone, or an incomplete last one too.
  Value storedBlocks(Value role, AxisAttr axis);
  /// Query rows of the call.
  Value rowCount();
  /// Position of row `row` of the call (or number of a block of rows) as sets count it.
  Value rowPosition(AxisAttr axis, Value row);
  /// The index value of a symbol of a set.
  Value symbol(StringRef name);

  /// The rows of one head of an operand; `limit` may be null. With `group` the head index counts groups of heads. With
  /// `column` one element of each row; with `repeat` every position is the operand's only one. Of a paged role they are
  /// found through the page table of the call.
  Value slice(const PlanRef &ref, Value batch, Value head, int64_t group = 1, bool outer = false, Value limit = {},
              std::optional<int64_t> column = std::nullopt, Lattice lattice = {}, bool repeat = false);

  /// The heads of one position of an operand, which become the positions of the view.
  Value sliceAcross(const PlanRef &ref, Value batch, Value position, std::optional<int64_t> column = std::nullopt);

  /// Makes `name` a symbol of the sets of this task.
  void define(StringRef name, Value value) { defined[name] = value; }

private:
  Value batchValue(StringRef name);
  llvm::StringMap<Value> perBatch, defined;
};

} // namespace sattn::lower
