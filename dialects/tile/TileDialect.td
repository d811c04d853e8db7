// The tile dialect: what the passes produce and every code generator eats. Umbrella definition; types in
// TileTypes.td, structure and launch plan in TileStructure.td, memory in TileMemory.td, arithmetic in
// TileCompute.td, selections in TileSelect.td.
#ifndef SATTN_TILE_DIALECT
#define SATTN_TILE_DIALECT

include "mlir/IR/OpBase.td"

def SattnTile_Dialect : Dialect {
  let name = "sattn_tile";
  let cppNamespace = "::sattn::tile";
  let summary = "target-neutral tile programs for attention kernels";
  let description = [{
    A `program` holds kernels and one launch plan. A kernel is a grid of independent tasks; a task loads tiles,
    streams over key tiles and stores results. The dialect names no target, no register, no shared memory, no
    lane and no orientation: a code generator decides where each value lives from its uses.

    Principles:

    1. *Two grains.* Small ops (`load`, `dot`, `map`, `mask`, `reduce`, `store`) beside a few structured ones
       (`softmax_step`, `softmax_finish`, `merge`, the `top_*` family) whose meaning is given by a formula over
       small ops; a target may lower the structured op directly.
    2. *Value semantics, linear carries.* A tile is an immutable value of static extents. A tile that a stream
       carries, or that `dot ... add` or `top_push` updates, has one consuming use and no later read, so a code
       generator always updates in place.
    3. *Masks are predicates.* `mask` holds integer sets over absolute positions. A stream visits tiles that are
       either full or partial; `mask` is the identity on full tiles. There is no mask tensor.
    4. *Kernels never read what they wrote*, except private workspaces in program order. Data passes between
       kernels through workspaces of the plan.
    5. *Determinism by definition.* Top-k is the exact k-set of a total order; streams visit tiles in ascending
       order; no result depends on how tasks are scheduled.
    6. *Run-time shapes.* Only tile extents, inner extents and group sizes are static.
  }];
  let useDefaultTypePrinterParser = 1;
  let useDefaultAttributePrinterParser = 1;
  let dependentDialects = ["::mlir::arith::ArithDialect"];
}

class Tile_Op<string mnemonic, list<Trait> traits = []> : Op<SattnTile_Dialect, mnemonic, traits>;

#endif
