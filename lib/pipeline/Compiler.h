// The compiler as one call: pattern text in, artefact bytes or diagnostics out. The C interface (sattn/compiler.h), the
// tools and the runtime's compile hook are thin covers of it. Pipeline.cpp lists the stages.
#pragma once
#include "mlir/Pass/PassManager.h"
#include "llvm/ADT/StringRef.h"
#include <functional>
#include <optional>
#include <string>
#include <vector>

namespace sattn {

/// The named stages, each a text that can be dumped; Fused to Assembly can be overridden.
enum class Stage { Pattern, Fused, Tile, LlvmIr, Assembly, Artefact };
/// The stage of a name: "0-pattern", "1-fused", "2-tile", "3-cpu.ll" or "3-gpu.ll", "4-cpu.s" or "4-gpu.ptx",
/// "5-artefact".
std::optional<Stage> parseStage(llvm::StringRef name);

struct CompileRequest {
  std::string text; ///< one sattn.pattern, or one sattn_tile.program, which enters at stage Tile
  std::string fileName = "pattern";
  std::string bind;               ///< docs/artefact.md, section 4; any order
  std::string target;             ///< "" and "cpu": the level of this machine; or "sm_90a"
  std::optional<Stage> stopAfter; ///< give the text of this stage
  std::string dumpDir;            ///< write each stage's text into this directory; "" for none
  std::optional<Stage> overrideStage;
  std::string overrideText; ///< takes the place of what overrideStage made
  bool printOps = false;    ///< a diagnostic ends with its op, as the passes see it: for developers
  /// Called with the pass manager of each stage before it runs: the tools install instrumentation.
  std::function<void(mlir::PassManager &)> configure;
};

struct CompileResult {
  bool ok = false;
  std::string output;      ///< artefact bytes, or the text of the stage asked for
  std::string manifest;    ///< of the artefact
  std::string diagnostics; ///< errors, or warnings; lines for people
  /// Milliseconds by stage, in order: why a compile takes what it takes.
  std::vector<std::pair<std::string, double>> timings;
};

/// Thread-safe: every call has its own context; only the link step is serialised. Runs on a thread of its own with a
/// stack that the limits on texts were made for.
CompileResult compile(const CompileRequest &request);

struct DescribeResult {
  bool ok = false;
  std::string json; ///< Describe.h
  std::string diagnostics;
};
/// Parses, verifies and proves `text`; nothing is lowered.
DescribeResult describe(llvm::StringRef text, llvm::StringRef fileName, llvm::StringRef bind);

/// "sattn 0.1.0 llvm 22.1.8 <hash of the sources>".
const std::string &buildId();

} // namespace sattn
