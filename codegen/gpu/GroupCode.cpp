// The part of Code.h that warpgroups use. LLVM has no form of wgmma whose left operand stands in registers, and would
// see its results before they are there; so a whole product, from the fence to the wait, is one piece of inline PTX.
#include "codegen/gpu/Code.h"

using namespace sattn;
using namespace sattn::gpu;
using namespace mlir;

Values Code::assembly(StringRef text, StringRef constraints, ValueRange operands, ArrayRef<Type> results) {
  Type type = results.empty()       ? Type()
              : results.size() == 1 ? results.front()
                                    : LLVM::LLVMStructType::getLiteral(b.getContext(), results);
  auto op = LLVM::InlineAsmOp::create(b, type ? TypeRange(type) : TypeRange(), operands, text, constraints,
                                      /*has_side_effects=*/true, /*is_align_stack=*/false,
                                      LLVM::tailcallkind::TailCallKind::None, LLVM::AsmDialectAttr(), ArrayAttr());
  if (results.size() == 1)
    return {op.getResult(0)};
  return results.empty() ? Values() : fields(op.getResult(0), results.size());
}

void Code::fenceAsync() { assembly("fence.proxy.async.shared::cta;", "~{memory}", {}); }

Value Code::anyThread(Value condition) {
  if (team != 0)
    return intrinsic("llvm.nvvm.barrier.cta.red.or.aligned.count", i1, {int32(kTeamBarrier), int32(team), condition});
  return intrinsic("llvm.nvvm.barrier.cta.red.or.aligned.all", i1, {int32(0), condition});
}

//===-- Copies of boxes ---------------------------------------------------------------------------------===//

Value Code::sharedAddress(Value pointer) { return LLVM::PtrToIntOp::create(b, i32, pointer); }

void Code::initBarrier(Value barrier, int64_t arrivals) {
  assembly("mbarrier.init.shared::cta.b64 [$0], $1;", "r,r,~{memory}", {sharedAddress(barrier), int32(arrivals)});
}
void Code::publishBarriers() { assembly("fence.mbarrier_init.release.cluster;", "~{memory}", {}); }
void Code::arrive(Value barrier) {
  assembly("mbarrier.arrive.shared::cta.b64 _, [$0];", "r,~{memory}", {sharedAddress(barrier)});
}
void Code::arriveExpecting(Value barrier, int64_t bytes) {
  assembly("mbarrier.arrive.expect_tx.shared::cta.b64 _, [$0], $1;", "r,r,~{memory}",
           {sharedAddress(barrier), int32(bytes)});
}
void Code::await(Value barrier, Value parity) {
  assembly("{\n.reg .pred done;\nagain:\nmbarrier.try_wait.parity.shared::cta.b64 done, [$0], $1;\n"
           "@!done bra again;\n}",
           "r,r,~{memory}", {sharedAddress(barrier), parity});
}
void Code::setRegisters(int64_t count, bool more) {
  std::string text = more ? "setmaxnreg.inc.sync.aligned.u32 " : "setmaxnreg.dec.sync.aligned.u32 ";
  assembly(text + std::to_string(count) + ";", "~{memory}", {});
}
void Code::copyBox(Value to, Value map, ArrayRef<Value> coordinates, Value barrier) {
  Values operands{sharedAddress(to), LLVM::PtrToIntOp::create(b, i64, map), sharedAddress(barrier)};
  operands.append(coordinates.begin(), coordinates.end());
  assembly("cp.async.bulk.tensor.4d.shared::cluster.global.tile.mbarrier::complete_tx::bytes [$0], [$1, {$3, $4, $5, "
           "$6}], [$2];",
           "r,l,r,r,r,r,r,~{memory}", operands);
}

//===-- Products ----------------------------------------------------------------------------------------===//

// Bits 0-13: address / 16; 16-29: distance of the panels / 16; 32-45: distance of eight rows / 16; 62-63: 1, the
// 128-byte swizzle (PTX ISA, "Matrix-descriptor format").
Value Code::descriptor(Value base, int64_t panelBytes) {
  constexpr int64_t eightRows = 1024;
  Value address = LLVM::PtrToIntOp::create(b, i32, base);
  Value low = arith::ExtUIOp::create(b, i64, andi(arith::ShRUIOp::create(b, address, int32(4)), int32(0x3fff)));
  return ori(low, int64(panelBytes / 16 << 16 | eightRows / 16 << 32 | int64_t(1) << 62));
}

// "{$0, $1, ...}"
static std::string listOf(int64_t first, int64_t count) {
  std::string text = "{";
  for (int64_t i = 0; i < count; ++i)
    text += (i == 0 ? "$" : ", $") + std::to_string(first + i);
  return text + "}";
}

Values Code::multiplyGroup(const GroupProduct &product, ValueRange c, int64_t registers) {
  auto steps = static_cast<int64_t>(product.at.size());
  StringRef element = product.type == MmaType::F16 ? "f16" : "bf16";
  std::string name =
      ("wgmma.mma_async.sync.aligned.m64n" + Twine(2 * registers) + "k16.f32." + element + "." + element + " ").str();
  bool fromRegisters = product.aAt.empty();
  auto operands = static_cast<int64_t>(product.a.size());
  std::string sums = listOf(0, registers), b0 = "$" + std::to_string(registers + operands);
  std::string text = "{\n.reg .b64 a, b;\n.reg .pred p;\n";
  text += c.empty() ? "setp.ne.b32 p, 0, 0;\n" : "setp.eq.b32 p, 0, 0;\n";
  text += "wgmma.fence.sync.aligned;\n";
  for (int64_t k = 0; k < steps; ++k) {
    if (!fromRegisters)
      text += "add.s64 a, $" + std::to_string(registers) + ", " + std::to_string(product.aAt[k]) + ";\n";
    text += "add.s64 b, " + b0 + ", " + std::to_string(product.at[k]) + ";\n";
    text += name + sums + ", " + (fromRegisters ? listOf(registers + 4 * k, 4) : "a") + ", b, p, 1, 1, ";
    text += fromRegisters ? "" : "0, ";
    text += product.transposed ? "1;\n" : "0;\n";
    if (k == 0 && c.empty())
      text += "setp.eq.b32 p, 0, 0;\n";
  }
  text += "wgmma.commit_group.sync.aligned;\nwgmma.wait_group.sync.aligned 0;\n}";

  std::string constraints;
  for (int64_t i = 0; i < registers; ++i)
    constraints += "=&f,";
  for (int64_t i = 0; i < operands; ++i)
    constraints += fromRegisters ? "r," : "l,";
  constraints += "l,";
  for (size_t i = 0; i < c.size(); ++i)
    constraints += std::to_string(i) + ",";
  Values inputs(product.a.begin(), product.a.end());
  inputs.push_back(product.b);
  inputs.append(c.begin(), c.end());
  return assembly(text, constraints + "~{memory}", inputs, SmallVector<Type>(registers, f32));
}
