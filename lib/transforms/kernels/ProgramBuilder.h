// Builds one tile program: kernels first, the launch plan last.
//
// A kernel asks for its operands by name while its body is written; the plan, which comes after all kernels, knows
// what each name is. So what a launch passes always fits what the kernel takes. The plan is written by PlanWriter
// (Plan.h) from the records kept here.
#pragma once
#include "dialects/tile/Tile.h"
#include "lib/support/LLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/StringMap.h"
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace sattn::lower {

/// What an operand of a kernel is in the plan.
struct PlanRef {
  enum Kind { Role, Result, Param, Offsets, Pages, Workspace, Size } kind;
  std::string name;
  Type type;
  bool operator==(const PlanRef &other) const = default;
};

/// Index arithmetic with folding, for kernels and plans alike. Never overflows for sizes the runtime accepts.
class IndexBuilder {
public:
  IndexBuilder(mlir::OpBuilder builder, Location loc) : b(builder), loc(loc) {}
  Value constant(int64_t value);
  Value add(Value x, Value y);
  Value add(Value x, int64_t y) { return add(x, constant(y)); }
  Value sub(Value x, Value y);
  Value mul(Value x, Value y);
  Value mul(Value x, int64_t y) { return mul(x, constant(y)); }
  Value min(Value x, Value y);
  Value max(Value x, Value y);
  /// Divisors are positive.
  Value floorDiv(Value x, Value y);
  Value floorDiv(Value x, int64_t y) { return floorDiv(x, constant(y)); }
  Value ceilDiv(Value x, Value y);
  Value ceilDiv(Value x, int64_t y) { return ceilDiv(x, constant(y)); }
  Value mod(Value x, Value y);

  mlir::OpBuilder b;
  Location loc;
};

class PlanWriter;

/// One kernel under construction. The insertion point of `b` moves with the code; `begin` stays at the top of the body,
/// where operands that are asked for later are sliced and sized.
class KernelBuilder : public IndexBuilder {
public:
  KernelBuilder(tile::KernelOp kernel, mlir::OpBuilder builder)
      : IndexBuilder(builder, kernel.getLoc()), kernel(kernel) {}

  /// The kernel's argument for `ref`, added at the first request.
  Value operand(const PlanRef &ref);
  Value size(StringRef name) { return operand({PlanRef::Size, name.str(), b.getIndexType()}); }
  Value gridX() { return kernel.getGrid(0); }
  Value gridY() { return kernel.getGrid(1); }
  Value gridZ() { return kernel.getGrid(2); }

  tile::TileType tile(int64_t rows, int64_t cols, Type element = {});
  tile::TileType rowVector(int64_t rows, Type element = {});
  Value splat(double value, tile::TileType type);
  Value float32(double value);
  /// An element-wise function of the inputs; `body` gets a builder inside the region and the elements.
  Value map(ValueRange inputs, tile::TileType result,
            llvm::function_ref<Value(mlir::OpBuilder &, mlir::Block::BlockArgListType)> body);

  tile::KernelOp kernel;
  std::vector<PlanRef> operands;
};

/// The size of one grid axis, written into the plan.
using PlanSize = std::function<Value(PlanWriter &)>;

/// A launch to be written into the plan.
struct Launch {
  std::unique_ptr<KernelBuilder> kernel;
  PlanSize x, y, z;
  /// Further numbers that the kernel takes by name; `x` may use them.
  SmallVector<std::pair<std::string, PlanSize>> sizes;
  SmallVector<StringRef> order;
  /// Runs for every chunk of query rows rather than once a wave.
  bool perChunk = false;
  /// Values of the pattern that the kernel computes for others, or the role that it packs; empty: the pattern's
  /// results.
  SmallVector<Value> makes;
  /// Does what the launch before does, for other calls.
  bool isAlternative = false;
};

class ProgramBuilder {
public:
  ProgramBuilder(mlir::ModuleOp module, Location loc, StringRef name);

  /// A new kernel of that name, with a number behind it where there is one already.
  std::unique_ptr<KernelBuilder> kernel(StringRef name);
  /// A name for a workspace, made likewise.
  std::string workspaceName(StringRef name) { return uniqueName(workspaceNames, name); }

  tile::ProgramOp program;

private:
  static std::string uniqueName(llvm::StringMap<int> &names, StringRef name);
  llvm::StringMap<int> kernelNames, workspaceNames;
};

} // namespace sattn::lower
