// The passes from a pattern to a tile program. Each is described, with IR before and after, in Passes.td.
#pragma once
#include "dialects/pattern/Pattern.h"
#include "dialects/tile/Tile.h"
#include "lib/support/TargetInfo.h"
#include "mlir/Pass/Pass.h"
#include <memory>
#include <string>

namespace sattn {

/// The ends of stages that sattn-check-stage knows: an author's pattern, a specialised one with normal sets, one whose
/// dataflows are chosen, a tile program.
enum class CheckedStage { Pattern, Fused, Planned, Tile };

#define GEN_PASS_DECL
#define GEN_PASS_REGISTRATION
#include "lib/transforms/Passes.h.inc"

/// The proofs of whole sets: causality, which leaves its verdict in the attribute `causal`, and disjoint merges. Static
/// params of patterns that are not specialised have the values of `bind`, others of them their defaults.
void buildProofs(mlir::OpPassManager &manager, StringRef bind = "");
/// From an author's pattern to a specialised one with normal sets; `bind` as in docs/artefact.md, section 4.
void buildFusedPipeline(mlir::OpPassManager &manager, StringRef bind);
/// From a module with one specialised pattern to a module with one sattn_tile.program, canonicalised; `target` is the
/// text of a TargetInfo (TargetText.h).
void buildTilePasses(mlir::OpPassManager &manager, StringRef target);
/// Both: from a module with one sattn.pattern to a module with one sattn_tile.program, canonicalised. Diagnostics stand
/// at the ops of the pattern.
void buildTilePipeline(mlir::OpPassManager &manager, const TargetInfo &target, StringRef bind);
/// Offers buildTilePipeline as `--sattn-tile-pipeline=bind=...`.
void registerTilePipeline();

} // namespace sattn
