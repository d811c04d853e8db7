// The launch plan of a tile program as the manifest of docs/artefact.md. Index arithmetic of the plan becomes
// expressions over the names of the call; what several places use becomes a derived value, so that the manifest grows
// with the plan and not with the paths through it.
#pragma once
#include "lib/support/LLVM.h"
#include <optional>
#include <string>
#include <vector>

namespace sattn {
namespace tile {
class ProgramOp;
}

/// An argument of which a GPU kernel copies boxes.
struct ManifestTensorMap {
  int64_t arg = 0, bytes = 0, inner = 0; ///< its number, bytes of an element, features
  int64_t box[2] = {};                   ///< features, positions
};

/// A block of threads that computes one task on a GPU.
struct ManifestBlock {
  int64_t threads = 0, sharedBytes = 0;
  std::vector<int64_t> alignment; ///< bytes that address and strides of each argument must divide by; 0: the element's
  std::vector<ManifestTensorMap> maps;
};

/// Code of one kernel, as the code generator names it.
struct ManifestKernel {
  std::string name;   ///< symbol of the kernel op
  std::string symbol; ///< symbol in the code
  int64_t scratch = 0;
  std::optional<ManifestBlock> block = std::nullopt;
};

/// What a manifest says beyond the program itself.
struct ManifestFacts {
  std::string build;   ///< the compiler
  std::string target;  ///< "cpu-avx512"
  std::string pattern; ///< the pattern's text, byte for byte
  std::string bind;    ///< sorted
  std::vector<ManifestKernel> kernels;
  /// The pattern's file, as locations name it; lines of other files (of an overridden stage) are left out.
  std::string file;
  /// Facts for people, printed by explain: name and text, in this order, after the reasons and the streams.
  std::vector<std::pair<std::string, std::vector<std::string>>> explain;
};

/// The manifest of `program`, one line of JSON; byte-equal for equal input. The program's attributes `roles`,
/// `results`, `params` and (optional) `requires` hold the fields that the manifest has under these names; `explain`
/// (optional) goes into the manifest's `explain`. An op of the plan that has no form in a manifest is a diagnostic at
/// the op.
FailureOr<std::string> planToManifest(tile::ProgramOp program, const ManifestFacts &facts);

} // namespace sattn
