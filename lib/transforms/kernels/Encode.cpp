// Kernels that turn rows into codes.
#include "lib/transforms/kernels/Encode.h"
#include "lib/transforms/kernels/Formulas.h"
#include "lib/transforms/kernels/Plan.h"
#include "llvm/Support/MathExtras.h"
#include <cmath>

namespace sattn::lower {
using namespace mlir;

namespace {
constexpr int64_t kEncodedRows = 64;

/// What is encoded: a role, or its Hadamard transform.
struct Source {
  Value role;
  EncodeOp transform;
};
} // namespace

static FailureOr<Source> sourceOf(Context &context, Operation *user, EncodeOp buckets) {
  Source source{buckets.getX(), buckets.getX().getDefiningOp<EncodeOp>()};
  if (source.transform && source.transform.getHow() == CodeKind::Hadamard)
    source.role = source.transform.getX();
  if (Operation *made = source.role.getDefiningOp())
    return context.refuse(made, "'" + made->getName().getStringRef() + "' as an operand of 'sattn.encode'");
  if (context.bound.role(source.role).getIsInt())
    return context.refuse(user, "an int role as an operand of a score");
  int64_t features = context.innerSize(context.factsOf(source.role).axes);
  if (source.transform && !llvm::isPowerOf2_64(features))
    return source.transform.emitError() << "[SA0207] 'sattn.encode hadamard' of " << features
                                        << " features: a Hadamard transform needs a power of 2";
  return source;
}

// 1 where an element is above the level, else -1.
static Value above(Task &task, Value rows, Value level, double scale) {
  KernelBuilder &k = task.k;
  return k.map(
      {rows, level}, cast<tile::TileType>(rows.getType()), [&](OpBuilder &b, Block::BlockArgListType args) -> Value {
        auto constant = [&](double value) -> Value {
          return arith::ConstantOp::create(b, k.loc, b.getF32FloatAttr(static_cast<float>(value)));
        };
        Value x = scale == 1.0 ? Value(args[0]) : Value(arith::MulFOp::create(b, k.loc, args[0], constant(scale)));
        Value isAbove = arith::CmpFOp::create(b, k.loc, arith::CmpFPredicate::OGT, x, args[1]);
        return arith::SelectOp::create(b, k.loc, isAbove, constant(1.0), constant(-1.0));
      });
}

FailureOr<Codes> encode(Context &context, Operation *user, Value tensor) {
  auto buckets = tensor.getDefiningOp<EncodeOp>(); // the verifier of sattn.score l1 knows
  auto source = sourceOf(context, user, buckets);
  if (failed(source))
    return failure();
  MLIRContext *mlir = context.pattern.getContext();
  const Facts &facts = context.factsOf(tensor);
  SmallVector<ExprAttr> levels(buckets.getLevelsAttr().getAsRange<ExprAttr>());
  int64_t features = context.innerSize(facts.axes), count = static_cast<int64_t>(levels.size());
  Codes codes;
  codes.axis = facts.position();
  codes.head = facts.headAxis();
  codes.features = features * count;
  Workspace workspace;
  workspace.name = context.bound.role(source->role).getName().str() + "_codes";
  workspace.type = tile::ArgType::get(mlir, BFloat16Type::get(mlir), codes.features, tile::PanelsAttr());
  workspace.axis = codes.axis;
  workspace.head = codes.head;
  codes.ref = context.workspace(workspace);

  auto kernel = context.program.kernel("encode_" + codes.ref.name);
  KernelBuilder &k = *kernel;
  k.loc = buckets.getLoc();
  int64_t group = context.ratio(codes.head).value_or(1);
  Task task(context, k, group);
  Value first = k.mul(k.gridX(), kEncodedRows), limit = codes.axis.isRow() ? Value() : task.keyCount();
  Value view = task.slice(context.role(source->role), task.batch, task.head(codes.head), 1, false, limit);
  Value rows = tile::LoadOp::create(k.b, k.loc, k.tile(kEncodedRows, features), view, first);
  bool transforms = source->transform && source->role != buckets.getX();
  if (transforms)
    rows = tile::HadamardOp::create(k.b, k.loc, rows.getType(), rows);
  double scale = transforms ? 1.0 / std::sqrt(static_cast<double>(features)) : 1.0;
  auto part = tile::ViewType::get(mlir, workspace.type.getElementType(), features, 1, false, tile::PanelsAttr());
  for (auto [i, level] : llvm::enumerate(levels)) {
    Value into = tile::SliceOp::create(
        k.b, k.loc, part, k.operand(codes.ref), task.pair, task.headInUnit(codes.head), Value(), Value(), Value(),
        IntegerAttr(), k.b.getI64IntegerAttr(static_cast<int64_t>(i) * features), /*repeat=*/false, /*across=*/false,
        /*page=*/IntegerAttr());
    tile::StoreOp::create(k.b, k.loc, above(task, rows, emitNumber(task, level), scale), into, first);
  }
  Launch launch;
  launch.x = [axis = codes.axis](PlanWriter &plan) { return plan.index.ceilDiv(plan.axisSize(axis), kEncodedRows); };
  launch.y = context.ratio(codes.head) ? context.tasksInUnit(group)
                                       : PlanSize([](PlanWriter &plan) { return plan.index.constant(1); });
  launch.makes = {tensor};
  context.finish(std::move(kernel), std::move(launch));
  return codes;
}

} // namespace sattn::lower
