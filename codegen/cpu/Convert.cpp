// float16, bfloat16 and byte strips to float32 and back. Without conversion instructions everything is integer
// arithmetic: LLVM's own expansion would call a library that is not there. Rounding is to nearest even at every level,
// and NaN stays NaN, so all levels give the same bits.
#include "codegen/cpu/Code.h"
#include <limits>

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

// float16 by its parts: normal numbers move their exponent by 112, subnormal ones are mantissa * 2^-24, and infinity
// and NaN keep their mantissa. No float32 subnormal appears, so flush-to-zero modes do not matter.
static Value widenHalf(Code &c, Value bits) {
  Value sign = c.shl(c.andi(bits, c.stripI(0x8000)), 16);
  Value magnitude = c.andi(bits, c.stripI(0x7fff));
  Value normal = c.addi(c.shl(magnitude, 13), c.stripI(112 << 23));
  Value special = c.ori(c.shl(magnitude, 13), c.stripI(0x7f800000));
  Value subnormal = c.asInt(c.mulf(arith::SIToFPOp::create(c.b, c.vf, magnitude), c.strip(0x1p-24f)));
  Value isSpecial = c.compareI(CmpIPredicate::uge, magnitude, c.stripI(0x7c00));
  Value isSubnormal = c.compareI(CmpIPredicate::ult, magnitude, c.stripI(0x0400));
  return c.asFloat(c.ori(sign, c.select(isSpecial, special, c.select(isSubnormal, subnormal, normal))));
}

// To float16: the mantissa is rounded in integers; results below 2^-14 are rounded by adding 0.5, which leaves the
// float16 subnormal in the low mantissa bits; from 65520 on the result is infinite.
static Value narrowHalf(Code &c, Value value) {
  Value bits = c.asInt(value);
  Value sign = c.andi(c.shrLogical(bits, 16), c.stripI(0x8000));
  Value magnitude = c.andi(bits, c.stripI(0x7fffffff));
  Value odd = c.andi(c.shrLogical(magnitude, 13), c.stripI(1));
  Value rounded = c.shrLogical(c.addi(c.addi(magnitude, c.stripI(0xfff - (112 << 23))), odd), 13);
  Value small = c.subi(c.asInt(c.addf(c.asFloat(magnitude), c.strip(0.5f))), c.stripI(0x3f000000));
  Value isSmall = c.compareI(CmpIPredicate::ult, magnitude, c.stripI(113 << 23));
  Value isLarge = c.compareI(CmpIPredicate::uge, magnitude, c.stripI(0x477ff000));
  Value isNan = c.compareI(CmpIPredicate::ugt, magnitude, c.stripI(0x7f800000));
  Value result = c.select(isLarge, c.stripI(0x7c00), c.select(isSmall, small, rounded));
  result = c.select(isNan, c.stripI(0x7e00), result);
  return c.ori(sign, result);
}

static Value narrowBrain(Code &c, Value value) {
  Value bits = c.asInt(value);
  Value odd = c.andi(c.shrLogical(bits, 16), c.stripI(1));
  Value rounded = c.shrLogical(c.addi(c.addi(bits, c.stripI(0x7fff)), odd), 16);
  Value quiet = c.ori(c.shrLogical(bits, 16), c.stripI(0x40));
  return c.select(c.compare(CmpFPredicate::UNO, value, value), quiet, rounded);
}

// Byte integers, signed or not.
static Value widenByte(Code &c, Value raw, bool isUnsigned) {
  Value integer = isUnsigned ? Value(arith::ExtUIOp::create(c.b, c.vi, raw)) : arith::ExtSIOp::create(c.b, c.vi, raw);
  return arith::SIToFPOp::create(c.b, c.vf, integer);
}
static Value narrowByte(Code &c, Value value, bool isUnsigned) {
  float least = isUnsigned ? 0 : std::numeric_limits<int8_t>::min();
  float most = isUnsigned ? std::numeric_limits<uint8_t>::max() : std::numeric_limits<int8_t>::max();
  Value inside = c.minKeep(c.maxKeep(c.roundEven(value), c.strip(least)), c.strip(most));
  return arith::TruncIOp::create(c.b, c.v8, Value(arith::FPToSIOp::create(c.b, c.vi, inside)));
}

Value Code::widen(Value raw, Type element) {
  if (element.isInteger(8))
    return widenByte(*this, raw, element.isUnsignedInteger());
  if (element.isF16() && atom.halfConvert) {
    auto half = VectorType::get({kLanes}, b.getF16Type());
    return arith::ExtFOp::create(b, vf, Value(arith::BitcastOp::create(b, half, raw)));
  }
  Value bits = arith::ExtUIOp::create(b, vi, raw);
  return element.isF16() ? widenHalf(*this, bits) : asFloat(shl(bits, 16));
}

Value Code::narrow(Value value, Type element) {
  if (element.isInteger(8))
    return narrowByte(*this, value, element.isUnsignedInteger());
  if (element.isF16() && atom.halfConvert) {
    auto half = VectorType::get({kLanes}, b.getF16Type());
    return arith::BitcastOp::create(b, v16, Value(arith::TruncFOp::create(b, half, value)));
  }
  return arith::TruncIOp::create(b, v16, element.isF16() ? narrowHalf(*this, value) : narrowBrain(*this, value));
}
