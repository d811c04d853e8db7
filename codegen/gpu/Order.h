// The order in which the ops of a block are emitted. Registers are what a block of threads has least of.
#pragma once
#include "lib/support/LLVM.h"
#include "llvm/ADT/SmallPtrSet.h"

namespace sattn::gpu {

struct EmissionOrder {
  SmallVector<Operation *> ops;
  /// Loads and gathers whose one user, a map, may as well read them as it goes.
  llvm::SmallPtrSet<Operation *, 8> readByMap;
};

/// The ops of `block` but its terminator. What is read from memory and computed from that alone comes after the streams
/// and dots that do not use it, unless something is written between: its registers would be taken while they run.
EmissionOrder emissionOrder(Block &block);

} // namespace sattn::gpu
