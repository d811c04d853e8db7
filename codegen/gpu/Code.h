// Builder of one kernel's code on the GPU: to the scalars, loops and branches of ScalarCode it adds the threads of a
// block, addresses in global and shared memory, and the instructions that the target is made of, as LLVM intrinsics.
// The families of tile ops (Lowering.h) are written on top.
#pragma once
#include "codegen/common/ScalarCode.h"
#include "codegen/gpu/Arch.h"

namespace sattn::gpu {

using codegen::Values;

/// Types that the matrix instructions multiply. Products are summed in float32.
enum class MmaType { F16, BF16, TF32 };

inline constexpr int64_t kTeamBarrier = 1; ///< number of the barrier of a team

class Code : public codegen::ScalarCode {
public:
  Code(mlir::LLVM::LLVMFuncOp function);

  Type global, shared; ///< pointers

  //===-- Threads (i32) ---------------------------------------------------------------------------------===//
  Value thread, warp, lane;
  Value laneRow;    ///< lane / 4: the row of a fragment that the lane holds, of 8
  Value lanePair;   ///< lane % 4: the pair of columns, of 4
  int64_t team = 0; ///< threads that barriers are for, the first of the block; 0: all
  void barrier();
  void warpBarrier(); ///< lanes of a warp: what one read, another may overwrite
  Value shuffleXor(Value number, int64_t mask);
  Value fromLane(Value word, Value lane); ///< an f32 or i32 of another lane
  Value fromLaneBelow(Value word);        ///< of the lane before; the first lane gets its own
  Value ballot(Value condition);          ///< i32: a bit for each lane
  Value countBits(Value word);
  Value lowestBit(Value word);   ///< its number; word is not 0
  Value leastOfWarp(Value word); ///< unsigned i32
  /// The value that `join` gives over the four lanes that share a row.
  Value acrossRow(Value number, llvm::function_ref<Value(Value, Value)> join);

  //===-- Numbers ---------------------------------------------------------------------------------------===//
  Value minusInf();
  Value exp2(Value x); ///< 0 for -inf
  Value log2(Value x);
  Value maxNumber(Value a, Value c); ///< the greater; a NaN is passed over
  Value bits(Value number);          ///< i32 of a float32
  Value number(Value bits);
  /// Two float32 rounded to nearest even as one i32, `low` in the low half.
  Value pack(Value low, Value high, Type element);
  Value widen(Value shortFloat); ///< f16 or bf16 to float32
  /// `number` (i64), of which nobody knows that it is the same: what follows from it is computed again, where it would
  /// take registers until then.
  Value anew(Value number);

  /// The value of a function that the module does not define (f32 and i32 to f32); it depends on `arguments` alone.
  Value callFunction(StringRef symbol, ValueRange arguments);

  //===-- Memory ----------------------------------------------------------------------------------------===//
  Value at(Value pointer, Value bytes); ///< i32 or i64
  Value at(Value pointer, int64_t bytes);
  Value load(Type type, Value pointer, int64_t alignment);
  void store(Value value, Value pointer, int64_t alignment);
  /// Copies 16 bytes from global to shared memory in the background; zeros where `live` (i1) does not hold.
  void copyAsync(Value to, Value from, Value live);
  void commitCopies();
  void awaitCopies(); ///< all that were committed by this thread

  //===-- Matrices --------------------------------------------------------------------------------------===//
  /// Four 8x8 matrices of 16-bit elements; lane l gives the address of row l % 8 of matrix l / 8.
  Values loadMatrices(Value pointer, bool transposed);
  /// c + a b of 16 rows and 8 columns; inner extent 16, or 8 for TF32. Four, two and four registers.
  Values mma(MmaType type, ValueRange a, ValueRange b, ValueRange c);

  //===-- Warpgroups (GroupCode.cpp) --------------------------------------------------------------------===//
  /// Orders writes of this thread to shared memory before what the asynchronous proxy does after the next barrier.
  void fenceAsync();
  /// i1: whether the condition held for any thread; a barrier.
  Value anyThread(Value condition);
  /// A product of a warpgroup: 64 rows, 16 inner elements for each step.
  struct GroupProduct {
    MmaType type;
    ArrayRef<Value> a;        ///< four registers for each step, or the matrix descriptor (i64) of the first
    SmallVector<int64_t> aAt; ///< what to add to the latter for each step
    Value b;                  ///< matrix descriptor (i64) of the first step
    SmallVector<int64_t> at;  ///< what to add to it for each step
    bool transposed = false;  ///< inner elements are rows of b
  };
  /// c + a b, or a b where `c` is empty; `registers` sums of each thread. Complete when it returns.
  Values multiplyGroup(const GroupProduct &product, ValueRange c, int64_t registers);
  /// Descriptor of a tile in 128-byte swizzled panels; `panelBytes` apart, where inner elements are rows.
  Value descriptor(Value base, int64_t panelBytes);

  //===-- Copies of boxes and who waits for them (GroupCode.cpp) ----------------------------------------===//
  /// An mbarrier (8 bytes of shared memory) whose phases end with `arrivals` and all bytes that were expected.
  void initBarrier(Value barrier, int64_t arrivals);
  void publishBarriers(); ///< makes initialised ones known to the asynchronous proxy, before a barrier of the block
  void arrive(Value barrier);
  void arriveExpecting(Value barrier, int64_t bytes);
  /// Waits for the end of the phase with this parity (i32).
  void await(Value barrier, Value parity);
  /// Registers of the threads of this warpgroup, which all come here.
  void setRegisters(int64_t count, bool more);
  /// One thread copies the box at `coordinates` (i32) of a tensor; it reports its bytes to the barrier.
  void copyBox(Value to, Value map, ArrayRef<Value> coordinates, Value barrier);

  /// Inline PTX with the given results and LLVM's constraints for results and operands.
  Values assembly(StringRef text, StringRef constraints, ValueRange operands, ArrayRef<Type> results = {});

private:
  Value sharedAddress(Value pointer); ///< i32
  Values fields(Value structure, size_t count);
};

} // namespace sattn::gpu
