// Elementary functions on strips, by polynomials: a library call would be a symbol that the object does not have.
// NaN stays NaN everywhere; errors are relative and include float32 rounding.
#include "codegen/cpu/Code.h"

using namespace sattn;
using namespace sattn::cpu;
using namespace mlir;
using arith::CmpFPredicate;
using arith::CmpIPredicate;

// Horner's rule, constant term first.
static Value polynomial(Code &c, Value x, ArrayRef<float> terms) {
  Value sum = c.strip(terms.back());
  for (float term : llvm::reverse(terms.drop_back()))
    sum = c.fma(sum, x, c.strip(term));
  return sum;
}

// 2^x = 2^n * 2^r, and 2^r by the polynomial of degree 5 that is 1 at 0, so that whole powers are exact, and best in
// the maximum norm of the relative error. With scaling instructions n = floor(x): r in [0, 1), error 1.5e-7, and
// infinities and underflow come out right by themselves: the fraction of an infinity is 0. Without them n is x rounded,
// r in [-1/2, 1/2], error 1.7e-7; n is taken from the low bits of x + 1.5 * 2^23 and added to the exponent, so results
// below 2^-126 are made 0 and x stops at 128.
Value Code::exp2(Value x) {
  if (atom.scale) {
    Value all = arith::ConstantOp::create(b, b.getIntegerAttr(i16, -1));
    Value fraction = intrinsic("llvm.x86.avx512.mask.reduce.ps.512", vf,
                               {x, int32(/*floor*/ 1 | /*quiet*/ 8), zero(), all, int32(/*current mode*/ 4)});
    Value power = polynomial(*this, fraction,
                             {1.0f, 0.6931512951850891f, 0.24016445875167847f, 0.05579992011189461f,
                              0.009017032571136951f, 0.0018671299330890179f});
    return intrinsic("llvm.x86.avx512.mask.scalef.ps.512", vf, {power, x, zero(), all, int32(4)});
  }
  Value magic = strip(0x1.8p23f);
  Value bounded = minKeep(strip(128.0f), x);
  Value shifted = addf(bounded, magic);
  Value rest = subf(bounded, subf(shifted, magic));
  Value power = polynomial(*this, rest,
                           {1.0f, 0.6931470036506653f, 0.24022242426872253f, 0.05550733581185341f,
                            0.009671512991189957f, 0.001326472731307149f});
  Value scaled = asFloat(addi(asInt(power), shl(asInt(shifted), 23)));
  // The exponent of 2^128 is that of infinity, but the mantissa is the polynomial's.
  scaled = select(compare(CmpFPredicate::OGE, x, strip(128.0f)), strip(std::numeric_limits<float>::infinity()), scaled);
  return select(compare(CmpFPredicate::OLT, x, strip(-126.0f)), zero(), scaled);
}

// log2 x = e + log2 m with m in [sqrt 1/2, sqrt 2): with s = (m - 1) / (m + 1) it is 2/ln 2 * (s + s^3/3 + s^5/5 + ..),
// whose rest after s^9 is below 3e-9. log2 0 = -inf, negative numbers give NaN, infinity stays.
Value Code::log2(Value x) {
  Value bits = asInt(x);
  Value exponent = arith::ShRSIOp::create(b, subi(bits, stripI(0x3f3504f3)), stripI(23));
  Value m = asFloat(subi(bits, shl(exponent, 23)));
  Value s = divf(subf(m, strip(1.0f)), addf(m, strip(1.0f)));
  Value series = polynomial(*this, mulf(s, s), {2.885390082f, 0.961796694f, 0.577078016f, 0.412198583f, 0.320598898f});
  Value result = fma(s, series, Value(arith::SIToFPOp::create(b, vf, exponent)));
  Value infinity = strip(std::numeric_limits<float>::infinity());
  result = select(compare(CmpFPredicate::OEQ, x, infinity), infinity, result);
  result = select(compare(CmpFPredicate::OEQ, x, zero()), minusInf(), result);
  return select(compare(CmpFPredicate::UGE, x, zero()), select(compare(CmpFPredicate::UNO, x, x), x, result),
                strip(std::numeric_limits<float>::quiet_NaN()));
}

// Numbers from 2^23 on are whole; below, int32 holds the truncated value.
Value Code::floor(Value x) {
  if (atom.round)
    return LLVM::FFloorOp::create(b, x);
  Value magnitude = asFloat(andi(asInt(x), stripI(0x7fffffff)));
  Value small = compare(CmpFPredicate::OLT, magnitude, strip(0x1p23f));
  Value safe = select(small, x, zero());
  Value truncated = arith::SIToFPOp::create(b, vf, arith::FPToSIOp::create(b, vi, safe));
  Value above = compare(CmpFPredicate::OGT, truncated, x);
  return select(small, subf(truncated, select(above, strip(1.0f), zero())), x);
}

// Adding and subtracting 2^23 with the sign of x rounds to nearest even; -0.3 gives -0.
Value Code::roundEven(Value x) {
  if (atom.round)
    return LLVM::RoundEvenOp::create(b, x);
  Value sign = andi(asInt(x), stripI(static_cast<int32_t>(0x80000000u)));
  Value magnitude = asFloat(andi(asInt(x), stripI(0x7fffffff)));
  Value rounded = subf(addf(magnitude, strip(0x1p23f)), strip(0x1p23f));
  Value small = compare(CmpFPredicate::OLT, magnitude, strip(0x1p23f));
  return select(small, asFloat(ori(asInt(rounded), sign)), x);
}

// tanh |x| = 1 - 2 / (e^(2|x|) + 1); below 0.25, where that cancels, the odd series up to x^11 (rest below 4e-8).
Value Code::tanh(Value x) {
  Value sign = andi(asInt(x), stripI(static_cast<int32_t>(0x80000000u)));
  Value a = asFloat(andi(asInt(x), stripI(0x7fffffff)));
  Value power = exp2(mulf(a, strip(2.885390082f)));
  Value large = subf(strip(1.0f), divf(strip(2.0f), addf(power, strip(1.0f))));
  Value series = polynomial(*this, mulf(a, a),
                            {1.0f, -0.333333333f, 0.133333333f, -0.0539682540f, 0.0218694885f, -0.00886323552f});
  Value result = select(compare(CmpFPredicate::OLT, a, strip(0.25f)), mulf(a, series), large);
  return asFloat(ori(asInt(result), sign));
}
