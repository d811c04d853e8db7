// The upstream structure that kernels may hold beside streams: scf.for and scf.if with tiles.
#include "codegen/cpu/Lowering.h"
#include "mlir/Dialect/SCF/IR/SCF.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;

// Numbers that control flow may carry beside tiles.
static bool isNumber(Type type) { return type.isIndex() || type.isF32() || type.isInteger(); }
static bool isTile(Value value) { return isa<tile::TileType, tile::TopType>(value.getType()); }

LogicalResult Lowering::lower(scf::ForOp op) {
  auto step = Code::known(scalar(op.getStep()));
  if (!step || *step <= 0)
    return unsupported(op, "loops whose step is not a positive constant");
  std::vector<TileValue> carried;
  Values numbers;
  for (Value init : op.getInitArgs()) {
    if (!isTile(init) && !isNumber(init.getType()))
      return unsupported(op, "loops that carry anything but tiles and numbers");
    if (!isTile(init)) {
      numbers.push_back(scalar(init));
      continue;
    }
    FailureOr<TileValue> memory = startCarry(op, init);
    if (failed(memory))
      return failure();
    carried.push_back(*memory);
  }
  bool ok = true;
  Values results = c.loop(scalar(op.getLowerBound()), scalar(op.getUpperBound()), *step, numbers,
                          [&](Value i, ValueRange state) -> Values {
                            Places before = now();
                            scalars[op.getInductionVar()] = i;
                            size_t nextTile = 0, nextNumber = 0;
                            for (Value argument : op.getRegionIterArgs()) {
                              if (isTile(argument))
                                tile(argument) = carried[nextTile++];
                              else
                                scalars[argument] = state[nextNumber++];
                            }
                            Operation *yield = op.getBody()->getTerminator();
                            ok = succeeded(lowerBody(*op.getBody())) && ok;
                            SmallVector<Value> tilesOut;
                            Values numbersOut;
                            for (Value value : yield->getOperands())
                              isTile(value) ? tilesOut.push_back(value)
                                            : numbersOut.push_back(ok ? scalar(value) : state[numbersOut.size()]);
                            ok = ok && succeeded(finishCarry(yield, tilesOut, carried));
                            goBack(std::move(before));
                            return numbersOut;
                          });
  if (!ok)
    return failure();
  size_t nextTile = 0, nextNumber = 0;
  for (Value result : op.getResults()) {
    if (isTile(result))
      tile(result) = carried[nextTile++];
    else
      scalars[result] = results[nextNumber++];
  }
  return success();
}

LogicalResult Lowering::lower(scf::IfOp op) {
  std::vector<TileValue> memory;
  SmallVector<Type> numberTypes;
  for (Value result : op.getResults()) {
    if (isa<tile::TopType>(result.getType()))
      return unsupported(op, "selections as results of a branch");
    if (!isTile(result) && !isNumber(result.getType()))
      return unsupported(op, "branches that give anything but tiles and numbers");
    if (isTile(result)) {
      memory.emplace_back();
      memory.back().panels = newPanels(result);
    } else {
      numberTypes.push_back(result.getType().isIndex() ? Type(c.i64) : result.getType());
    }
  }
  bool ok = true;
  auto branch = [&](Region &region) -> Values {
    Values numbers;
    if (region.empty())
      return numbers;
    Places before = now();
    Operation *yield = region.front().getTerminator();
    ok = succeeded(lowerBody(region.front())) && ok;
    SmallVector<Value> tilesOut;
    for (auto [value, result] : llvm::zip(yield->getOperands(), op.getResults())) {
      if (isTile(value))
        tilesOut.push_back(value);
      else
        numbers.push_back(ok ? scalar(value)
                             : arith::ConstantOp::create(c.b, c.b.getZeroAttr(numberTypes[numbers.size()])));
    }
    ok = ok && succeeded(finishCarry(yield, tilesOut, memory));
    goBack(std::move(before));
    return numbers;
  };
  Values numbers;
  if (numberTypes.empty())
    c.when(
        scalar(op.getCondition()), [&] { (void)branch(op.getThenRegion()); },
        [&] { (void)branch(op.getElseRegion()); });
  else
    numbers = c.when(
        scalar(op.getCondition()), numberTypes, [&] { return branch(op.getThenRegion()); },
        [&] { return branch(op.getElseRegion()); });
  if (!ok)
    return failure();
  size_t nextTile = 0, nextNumber = 0;
  for (Value result : op.getResults()) {
    if (isTile(result))
      tile(result) = memory[nextTile++];
    else
      scalars[result] = numbers[nextNumber++];
  }
  return success();
}
