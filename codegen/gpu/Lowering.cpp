// The walk over a kernel's ops and the table of op families.
#include "codegen/gpu/Lowering.h"
#include "codegen/gpu/Order.h"
#include "mlir/Dialect/SCF/IR/SCF.h"
#include "llvm/ADT/TypeSwitch.h"

using namespace sattn;
using namespace sattn::gpu;

/// Warps of a block at most: more rows go to further blocks of the same warps, which share what they load.
static constexpr int64_t kMostWarps = 4;
/// Two warpgroups: one multiplies while the other computes a softmax.
static constexpr int64_t kMostGroupWarps = 2 * kGroupWarps;

Lowering::Lowering(tile::KernelOp kernel, mlir::LLVM::LLVMFuncOp function, const Arch &arch,
                   ArrayRef<std::string> order)
    : kernel(kernel), arch(arch), function(function), c(function), parameterValues(function.getArguments()),
      alignments(kernel.getNumOperandArgs()) {
  decodeFrame();
  decodeTask(order, parameterValues.take_back(3));
}

std::string Lowering::sharedName(tile::KernelOp kernel) { return kernel.getSymName().str() + "_shared"; }

Unsupported Lowering::unsupported(Operation *op, const Twine &what, const Twine &remedy) {
  // An op whose code stands in several copies is one error.
  if (refused.insert(op).second)
    op->emitError("[SA0263] the GPU code generator does not support ") << what << ": " << remedy;
  return {};
}

// Enough warps for the rows of the largest tile that is computed with. Right operands of dots have no rows of their
// own; only where lists leave few blocks on a multiprocessor do more warps copy them.
void Lowering::chooseWarps() {
  int64_t rows = kMmaRows;
  kernel.getBody().walk([&](Operation *op) {
    bool ignoresRight = isa<tile::DotOp>(op) && !op->getParentOfType<tile::StreamInverseOp>();
    if (isa<tile::DotOp, tile::MapOp, tile::StoreOp>(op))
      for (Value value : ignoresRight ? op->getOperands().take_front() : op->getOperands())
        if (auto type = dyn_cast<tile::TileType>(value.getType()))
          rows = std::max(rows, type.getRows());
  });
  layout.warps = std::min<int64_t>(arch.groups ? kMostGroupWarps : kMostWarps, llvm::divideCeil(rows, kMmaRows));
  if (arch.groups && layout.warps > kGroupWarps)
    layout.warps = llvm::alignTo(layout.warps, kGroupWarps);
}

static int64_t registersOfThread(int64_t threads) {
  constexpr int64_t all = 65536, most = 255; // of a multiprocessor, and that an instruction can name
  return std::min(most, all / threads);
}

// Tiles of keys and values take most of the shared memory: with how many keys `excess` bytes less would do, each tile
// counted once.
static std::string fittingTile(tile::KernelOp kernel, int64_t excess) {
  int64_t rows = 0, keys = 0, keyBytes = 0;
  llvm::SmallPtrSet<Operation *, 8> counted;
  kernel.getBody().walk([&](tile::DotOp dot) {
    auto load = dot.getB().getDefiningOp<tile::LoadOp>();
    rows = std::max(rows, dot.getA().getType().getRows());
    if (!load || !counted.insert(load).second)
      return;
    tile::TileType type = load.getTile().getType();
    keys = std::max(keys, type.getRows());
    keyBytes += type.getCols() * load.getView().getType().getElementType().getIntOrFloatBitWidth() / 8;
  });
  int64_t fitting = keyBytes == 0 ? 0 : (keys - llvm::divideCeil(excess, keyBytes)) / kMmaRows * kMmaRows;
  std::string tiles = "tiles of " + std::to_string(rows) + " rows and " + std::to_string(keys) + " keys, of which ";
  return tiles + (fitting < kMmaRows ? "no number fits" : std::to_string(fitting) + " would fit");
}

LogicalResult Lowering::run() {
  chooseWarps();
  sharedBase = mlir::LLVM::AddressOfOp::create(c.b, c.shared, sharedName(kernel));
  planRing();
  if (failed(ring ? lowerWithProducer() : lowerBody(kernel.getBody().front())))
    return failure();
  mlir::LLVM::ReturnOp::create(c.b, ValueRange());
  // Tensor maps have become further parameters.
  function.setFunctionType(mlir::LLVM::LLVMFunctionType::get(
      function.getFunctionType().getReturnType(), llvm::to_vector(function.getBody().front().getArgumentTypes())));
  if (sharedBytes() > arch.sharedBytes)
    return kernel.emitError("[SA0264] kernel '" + kernel.getSymName() + "' needs ")
           << sharedBytes() << " bytes of shared memory, but " << arch.name << " has " << arch.sharedBytes
           << " for a block, beside " << registersOfThread(blockThreads()) << " registers for each of its "
           << blockThreads() << " threads, with " << fittingTile(kernel, sharedBytes() - arch.sharedBytes)
           << ": use fewer features, 16-bit operands or a target with more";
  return success();
}

LogicalResult Lowering::lowerBody(Block &block) {
  EmissionOrder order = emissionOrder(block);
  readByMap.insert(order.readByMap.begin(), order.readByMap.end());
  for (Operation *op : order.ops) {
    c.b.setLoc(op->getLoc());
    if (failed(lower(op)))
      return failure();
  }
  return success();
}

LogicalResult Lowering::lower(Operation *op) {
  return llvm::TypeSwitch<Operation *, LogicalResult>(op)
      .Case<tile::SliceOp, tile::PrivateOp, tile::FillOp, tile::LoadOp, tile::GatherOp, tile::GatherAtOp, tile::EntryOp,
            tile::StoreOp, tile::ScatterOp, tile::LoadBlocksOp, tile::IotaOp, tile::DotOp, tile::MapOp, tile::MaskOp,
            tile::SoftmaxStepOp, tile::SoftmaxFinishOp, tile::MergeOp, tile::ReduceOp, tile::RowScanOp, tile::PoolOp,
            tile::TopInitOp, tile::TopPushOp, tile::TopMassOp, tile::TopListOp, tile::StreamOp, tile::InvertOp,
            tile::StreamInverseOp, mlir::scf::ForOp, mlir::scf::IfOp>([&](auto specific) { return lower(specific); })
      .Case<tile::SplatOp>([&](tile::SplatOp splat) {
        tile(splat.getTile()).splat = splat.getValue().convertToFloat();
        return success();
      })
      .Case<tile::CoverOp>([&](auto) { return success(); })
      .Default([&](Operation *other) { return lowerScalar(other); });
}

//===-- Values ------------------------------------------------------------------------------------------===//

Fragment Lowering::emptyFragment(tile::TileType type) const {
  Fragment fragment;
  fragment.rows = type.getRows();
  fragment.cols = type.isVector() ? 0 : type.getCols();
  int64_t blocks = layout.blocks(fragment.rows);
  fragment.at.resize(blocks * (fragment.isVector() ? 2 : fragment.cols / 2));
  return fragment;
}

FailureOr<Fragment> Lowering::fragmentOf(Operation *user, Value value) {
  TileValue &held = tile(value);
  if (held.fragment)
    return *held.fragment;
  auto type = cast<tile::TileType>(value.getType());
  if (held.unread) {
    FailureOr<Fragment> fragment = loadFragment(user, type, *held.unread);
    if (succeeded(fragment))
      tile(value).fragment = *fragment;
    return fragment;
  }
  if (!held.splat)
    return unsupported(user, "an operand in this form");
  Fragment fragment = emptyFragment(type);
  std::fill(fragment.at.begin(), fragment.at.end(), c.float32(*held.splat));
  return fragment;
}

Value Lowering::rowOf(int64_t block, int64_t half) {
  Value first = c.muli(c.addi(c.warp, c.int32(block * layout.warps)), c.int32(kMmaRows));
  return c.addi(c.addi(first, c.laneRow), c.int32(8 * half));
}
