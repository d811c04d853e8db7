// The table of arith ops that code generators emit, each with its instruction.
#include "codegen/common/ArithToLlvmIr.h"
#include "lib/support/LLVM.h"
#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/IR/DialectRegistry.h"
#include "mlir/Target/LLVMIR/LLVMTranslationInterface.h"
#include "mlir/Target/LLVMIR/ModuleTranslation.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/IR/IRBuilder.h"

using namespace sattn;
using namespace mlir;

static llvm::CmpInst::Predicate predicateOf(arith::CmpIPredicate predicate) {
  switch (predicate) {
  case arith::CmpIPredicate::eq:
    return llvm::CmpInst::ICMP_EQ;
  case arith::CmpIPredicate::ne:
    return llvm::CmpInst::ICMP_NE;
  case arith::CmpIPredicate::slt:
    return llvm::CmpInst::ICMP_SLT;
  case arith::CmpIPredicate::sle:
    return llvm::CmpInst::ICMP_SLE;
  case arith::CmpIPredicate::sgt:
    return llvm::CmpInst::ICMP_SGT;
  case arith::CmpIPredicate::sge:
    return llvm::CmpInst::ICMP_SGE;
  case arith::CmpIPredicate::ult:
    return llvm::CmpInst::ICMP_ULT;
  case arith::CmpIPredicate::ule:
    return llvm::CmpInst::ICMP_ULE;
  case arith::CmpIPredicate::ugt:
    return llvm::CmpInst::ICMP_UGT;
  case arith::CmpIPredicate::uge:
    return llvm::CmpInst::ICMP_UGE;
  }
  llvm_unreachable("a predicate of integers");
}

static llvm::CmpInst::Predicate predicateOf(arith::CmpFPredicate predicate) {
  switch (predicate) {
  case arith::CmpFPredicate::AlwaysFalse:
    return llvm::CmpInst::FCMP_FALSE;
  case arith::CmpFPredicate::OEQ:
    return llvm::CmpInst::FCMP_OEQ;
  case arith::CmpFPredicate::OGT:
    return llvm::CmpInst::FCMP_OGT;
  case arith::CmpFPredicate::OGE:
    return llvm::CmpInst::FCMP_OGE;
  case arith::CmpFPredicate::OLT:
    return llvm::CmpInst::FCMP_OLT;
  case arith::CmpFPredicate::OLE:
    return llvm::CmpInst::FCMP_OLE;
  case arith::CmpFPredicate::ONE:
    return llvm::CmpInst::FCMP_ONE;
  case arith::CmpFPredicate::ORD:
    return llvm::CmpInst::FCMP_ORD;
  case arith::CmpFPredicate::UEQ:
    return llvm::CmpInst::FCMP_UEQ;
  case arith::CmpFPredicate::UGT:
    return llvm::CmpInst::FCMP_UGT;
  case arith::CmpFPredicate::UGE:
    return llvm::CmpInst::FCMP_UGE;
  case arith::CmpFPredicate::ULT:
    return llvm::CmpInst::FCMP_ULT;
  case arith::CmpFPredicate::ULE:
    return llvm::CmpInst::FCMP_ULE;
  case arith::CmpFPredicate::UNE:
    return llvm::CmpInst::FCMP_UNE;
  case arith::CmpFPredicate::UNO:
    return llvm::CmpInst::FCMP_UNO;
  case arith::CmpFPredicate::AlwaysTrue:
    return llvm::CmpInst::FCMP_TRUE;
  }
  llvm_unreachable("a predicate of floats");
}

static llvm::FastMathFlags flagsOf(Operation *op) {
  llvm::FastMathFlags flags;
  auto math = dyn_cast<arith::ArithFastMathInterface>(op);
  if (!math || !math.getFastMathFlagsAttr())
    return flags;
  auto has = [&](arith::FastMathFlags flag) {
    return arith::bitEnumContainsAll(math.getFastMathFlagsAttr().getValue(), flag);
  };
  flags.setAllowReassoc(has(arith::FastMathFlags::reassoc));
  flags.setNoNaNs(has(arith::FastMathFlags::nnan));
  flags.setNoInfs(has(arith::FastMathFlags::ninf));
  flags.setNoSignedZeros(has(arith::FastMathFlags::nsz));
  flags.setAllowReciprocal(has(arith::FastMathFlags::arcp));
  flags.setAllowContract(has(arith::FastMathFlags::contract));
  flags.setApproxFunc(has(arith::FastMathFlags::afn));
  return flags;
}

namespace {
/// Emits one op: operands and type of the result are those of LLVM.
class Emitter {
public:
  Emitter(llvm::IRBuilderBase &b, ArrayRef<llvm::Value *> x, llvm::Type *type) : b(b), x(x), type(type) {}

  /// Null for ops that the table lacks.
  llvm::Value *emit(Operation *op) {
    if (llvm::Value *result = integer(op))
      return result;
    if (llvm::Value *result = floating(op))
      return result;
    return cast(op);
  }

private:
  llvm::Value *integer(Operation *op) {
    using llvm::Intrinsic::smax, llvm::Intrinsic::smin, llvm::Intrinsic::umax, llvm::Intrinsic::umin;
    return llvm::TypeSwitch<Operation *, llvm::Value *>(op)
        .Case<arith::AddIOp>([&](auto) { return b.CreateAdd(x[0], x[1]); })
        .Case<arith::SubIOp>([&](auto) { return b.CreateSub(x[0], x[1]); })
        .Case<arith::MulIOp>([&](auto) { return b.CreateMul(x[0], x[1]); })
        .Case<arith::DivSIOp>([&](auto) { return b.CreateSDiv(x[0], x[1]); })
        .Case<arith::DivUIOp>([&](auto) { return b.CreateUDiv(x[0], x[1]); })
        .Case<arith::RemSIOp>([&](auto) { return b.CreateSRem(x[0], x[1]); })
        .Case<arith::RemUIOp>([&](auto) { return b.CreateURem(x[0], x[1]); })
        .Case<arith::AndIOp>([&](auto) { return b.CreateAnd(x[0], x[1]); })
        .Case<arith::OrIOp>([&](auto) { return b.CreateOr(x[0], x[1]); })
        .Case<arith::XOrIOp>([&](auto) { return b.CreateXor(x[0], x[1]); })
        .Case<arith::ShLIOp>([&](auto) { return b.CreateShl(x[0], x[1]); })
        .Case<arith::ShRSIOp>([&](auto) { return b.CreateAShr(x[0], x[1]); })
        .Case<arith::ShRUIOp>([&](auto) { return b.CreateLShr(x[0], x[1]); })
        .Case<arith::MaxSIOp>([&](auto) { return b.CreateBinaryIntrinsic(smax, x[0], x[1]); })
        .Case<arith::MinSIOp>([&](auto) { return b.CreateBinaryIntrinsic(smin, x[0], x[1]); })
        .Case<arith::MaxUIOp>([&](auto) { return b.CreateBinaryIntrinsic(umax, x[0], x[1]); })
        .Case<arith::MinUIOp>([&](auto) { return b.CreateBinaryIntrinsic(umin, x[0], x[1]); })
        .Case<arith::CmpIOp>([&](auto cmp) { return b.CreateICmp(predicateOf(cmp.getPredicate()), x[0], x[1]); })
        .Case<arith::SelectOp>([&](auto) { return b.CreateSelect(x[0], x[1], x[2]); })
        .Default([](Operation *) { return nullptr; });
  }

  llvm::Value *floating(Operation *op) {
    using llvm::Intrinsic::maximum, llvm::Intrinsic::maxnum, llvm::Intrinsic::minimum, llvm::Intrinsic::minnum;
    llvm::IRBuilderBase::FastMathFlagGuard guard(b);
    b.setFastMathFlags(flagsOf(op));
    return llvm::TypeSwitch<Operation *, llvm::Value *>(op)
        .Case<arith::AddFOp>([&](auto) { return b.CreateFAdd(x[0], x[1]); })
        .Case<arith::SubFOp>([&](auto) { return b.CreateFSub(x[0], x[1]); })
        .Case<arith::MulFOp>([&](auto) { return b.CreateFMul(x[0], x[1]); })
        .Case<arith::DivFOp>([&](auto) { return b.CreateFDiv(x[0], x[1]); })
        .Case<arith::NegFOp>([&](auto) { return b.CreateFNeg(x[0]); })
        .Case<arith::MaximumFOp>([&](auto) { return b.CreateBinaryIntrinsic(maximum, x[0], x[1]); })
        .Case<arith::MinimumFOp>([&](auto) { return b.CreateBinaryIntrinsic(minimum, x[0], x[1]); })
        .Case<arith::MaxNumFOp>([&](auto) { return b.CreateBinaryIntrinsic(maxnum, x[0], x[1]); })
        .Case<arith::MinNumFOp>([&](auto) { return b.CreateBinaryIntrinsic(minnum, x[0], x[1]); })
        .Case<arith::CmpFOp>([&](auto cmp) { return b.CreateFCmp(predicateOf(cmp.getPredicate()), x[0], x[1]); })
        .Default([](Operation *) { return nullptr; });
  }

  llvm::Value *cast(Operation *op) {
    return llvm::TypeSwitch<Operation *, llvm::Value *>(op)
        .Case<arith::ExtSIOp>([&](auto) { return b.CreateSExt(x[0], type); })
        .Case<arith::ExtUIOp>([&](auto) { return b.CreateZExt(x[0], type); })
        .Case<arith::TruncIOp>([&](auto) { return b.CreateTrunc(x[0], type); })
        .Case<arith::ExtFOp>([&](auto) { return b.CreateFPExt(x[0], type); })
        .Case<arith::TruncFOp>([&](auto) { return b.CreateFPTrunc(x[0], type); })
        .Case<arith::BitcastOp>([&](auto) { return b.CreateBitCast(x[0], type); })
        .Case<arith::SIToFPOp>([&](auto) { return b.CreateSIToFP(x[0], type); })
        .Case<arith::UIToFPOp>([&](auto) { return b.CreateUIToFP(x[0], type); })
        .Case<arith::FPToSIOp>([&](auto) { return b.CreateFPToSI(x[0], type); })
        .Case<arith::FPToUIOp>([&](auto) { return b.CreateFPToUI(x[0], type); })
        .Default([](Operation *) { return nullptr; });
  }

  llvm::IRBuilderBase &b;
  ArrayRef<llvm::Value *> x;
  llvm::Type *type;
};

class ArithTranslation : public LLVMTranslationDialectInterface {
public:
  using LLVMTranslationDialectInterface::LLVMTranslationDialectInterface;

  LogicalResult convertOperation(Operation *op, llvm::IRBuilderBase &builder,
                                 LLVM::ModuleTranslation &translation) const override {
    llvm::Type *type = translation.convertType(op->getResult(0).getType());
    llvm::Value *result = nullptr;
    if (auto constant = dyn_cast<arith::ConstantOp>(op))
      result = LLVM::detail::getLLVMConstant(type, constant.getValue(), op->getLoc(), translation);
    else
      result = Emitter(builder, translation.lookupValues(op->getOperands()), type).emit(op);
    if (!result)
      return failure();
    translation.mapValue(op->getResult(0), result);
    return success();
  }
};
} // namespace

void sattn::codegen::registerArithTranslation(DialectRegistry &registry) {
  registry.addExtension(
      +[](MLIRContext *, arith::ArithDialect *dialect) { dialect->addInterfaces<ArithTranslation>(); });
}
