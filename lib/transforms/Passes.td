// The passes from a pattern to a tile program, in the order in which buildTilePipeline (Passes.h) runs them.
#ifndef SATTN_PASSES_TD
#define SATTN_PASSES_TD

include "mlir/Pass/PassBase.td"

def SattnSpecialize : Pass<"sattn-specialize", "::sattn::PatternOp"> {
  let summary = "bind element types, feature sizes, head groups and static params";
  let description = [{
    Before: a pattern as its author wrote it. After: a pattern with a `bind` dictionary, in which every length, stride
    and divisor is a number, `rsqrt(D)` is a float, `first(c)` and `last(c)` are products of `c`, `attend` is
    `finalize` of `accumulate softmax`, and a summary of blocks of one position is its operand. Params that stay are
    dynamic and their defaults are literals. The text of the result is canonical: two spellings of one pattern and
    binding give the same text. Changes numbers: no.

    ```mlir
    // Before, with bind="dtype=f16,D=64,Dv=64,group=4"
    sattn.pattern @p<static b: int = 32, scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %keys = sattn.set (t, s) : s <= t and (t - s) mod b == 0
      ...
    // After
    sattn.pattern @p<scale: float = 0.125>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
        bind {D = 64 : i64, Dv = 64 : i64, b = 32 : i64, dtype.k = f16, dtype.q = f16, dtype.v = f16, group = 4 : i64} {
      %keys = sattn.set (t, s) : s <= t and (t - s) mod 32 == 0
      ...
    ```
  }];
  let options = [
    Option<"bind", "bind", "std::string", /*default=*/"",
           "comma-separated name=value: dtype=f32|f16|bf16, dtype.ROLE, feature axes (D=64), group, group.X, static "
           "params">,
  ];
  let statistics = [
    Statistic<"paramsBound", "params-bound", "static params replaced by numbers">,
    Statistic<"attendsExpanded", "attends-expanded", "sattn.attend replaced by accumulate and finalize">,
  ];
}

def SattnVerifyCausal : Pass<"sattn-verify-causal", "::sattn::PatternOp"> {
  let summary = "prove that no row depends on a later position, or say why not";
  let description = [{
    Before: a pattern. After: the same with the attribute `causal`: `"proven"` for all params, lengths and offsets;
    `"proven given its where-clause"` where a selection has a part in a result; either followed by `", while no param is
    negative"` where that is needed; `"not claimed (why)"`. Before specialisation static params have the
    values of `bind`, others of them their defaults.

    Rows and columns hold what stands at their positions, a block holds its last token. Refused, with the smallest row
    and key: a selection that reaches `s > t`; a block that is attended to, normalised over, weighed or ranked before
    its last token (a forced block is not ranked); a set that sees later keys and nothing earlier; and a static param
    whose value no kernel can have, such as a divisor of 0. A static set that sees both ways (`all`,
    `-W <= t - s <= W`) is not claimed to be causal, and legal; so are results of `route`, `colsum` and `smooth`, which
    look at whole sequences, and selections made for blocks of rows. Changes numbers: no.

    ```mlir
    // Before
    sattn.pattern @window<W: int = 512>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %keys = sattn.set (t, s) : 0 <= t - s < W
      ...
    // After
    sattn.pattern @window<W: int = 512>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o)
        attributes {causal = "proven"} {
      %keys = sattn.set (t, s) : 0 <= t - s < W
      ...
    ```
  }];
  let options = [
    Option<"bind", "bind", "std::string", /*default=*/"",
           "as of sattn-specialize; only static params have a meaning here">,
  ];
  let statistics = [
    Statistic<"setsCompared", "sets-compared", "sets compared with the future of their rows">,
  ];
}

def SattnVerifyDisjoint : Pass<"sattn-verify-disjoint", "::sattn::PatternOp"> {
  let summary = "refuse merged results that share a key";
  let description = [{
    Before and after: a pattern. `merge` adds the sums of its parts, so a key that two parts hold counts twice. Parts over
    the same values are compared, formulas and selections alike: of a selection its `where` is known, and that it shares
    nothing with a set from which it was subtracted. Refused with the smallest row and key that may count twice while no
    param is negative. What no
    proof decides is a remark. Results of earlier calls (`reopen`) are not compared. Changes numbers: no.

    ```mlir
    // Refused: merged results overlap: key 0 of row 0 would count twice
    %near = sattn.set (t, s) : 0 <= t - s < W
    %sinks = sattn.set (t, s) : s <= t and s < 4
    %a = sattn.accumulate softmax %z over %near, %v
    %b = sattn.accumulate softmax %z over %sinks, %v
    %p = sattn.merge %a, %b
    // Accepted
    %rest = sattn.minus %sinks, %near
    %b = sattn.accumulate softmax %z over %rest, %v
    %p = sattn.merge %a, %b
    ```
  }];
  let options = [
    Option<"bind", "bind", "std::string", /*default=*/"",
           "as of sattn-specialize; only static params have a meaning here">,
  ];
  let statistics = [
    Statistic<"pairsProven", "pairs-proven", "pairs of merged parts proven to share no key">,
  ];
}

def SattnNormalizeSets : Pass<"sattn-normalize-sets", "::sattn::PatternOp"> {
  let summary = "one formula, or one selection and one formula, for each use of a set";
  let description = [{
    Before: a specialised pattern. After: no `union` and no `minus` is left; every set that an op uses is a `set`, a
    selection, or `intersect` of one selection and one `set`. Sets over blocks that meet sets over tokens are lifted to
    tokens. A `union` of a formula and a selection that is attended to becomes two accumulations that share no key and
    are merged. Changes numbers: reassociates (the split union).

    ```mlir
    // Before
    %both = sattn.union %near, %sel
    %keys = sattn.intersect %both, %causal
    %acc = sattn.accumulate softmax %z over %keys, %v
    // After
    %near_causal = sattn.set (t, s) : 0 <= t - s < W
    %a = sattn.accumulate softmax %z over %near_causal, %v
    %rest = sattn.set (t, s) : s <= t and t - s >= W
    %far = sattn.intersect %sel, %rest
    %b = sattn.accumulate softmax %z over %far, %v
    %acc = sattn.merge %a, %b
    ```
  }];
  let statistics = [
    Statistic<"opsFolded", "ops-folded", "union, intersect and minus ops folded into terms">,
    Statistic<"unionsSplit", "unions-split", "unions of a formula and a selection made disjoint">,
  ];
}

def SattnChooseDataflow : Pass<"sattn-choose-dataflow", "::sattn::PatternOp"> {
  let summary = "how each accumulation walks its keys, and why";
  let description = [{
    Before: a specialised pattern with normal sets. After: every `accumulate` and `select` has a `dataflow` attribute:
    `kind`, the most `rows` of a task and, where they grow with the length of the call, the keys for each of them
    (`keys_per_row`); `why`, the estimate (`cycles` of one row and head at `keys` keys), what was `refused` with estimates
    where there are any, and the length from which selecting pays (`break_even`). The same is a remark of category
    `sattn-choose-dataflow` (`--remarks-filter=sattn-choose-dataflow`). The decision uses nothing of a target but the
    numbers of TargetInfo (lib/analysis/CostModel.h). Changes numbers: no.

    - `range`: the set is a formula; a tile of rows streams the cover of the set. Where every set of the pattern implies
      one `(t - s) mod m`, rows and keys of one class of residues are streamed (`every`, `shift`).
    - `inverted`: every row has its own list of blocks; the lists of neighbouring rows are inverted within a task, so
      that a block is loaded once for all rows that chose it. The longer the call, the more rows are neighbours, so
      that as many choose a block. Where blocks are small, masking all keys costs less up to some length of the call:
      `masked_keys`, if it is long enough to be worth a form of its own.
    - `listed`: blocks of rows share a list.
    - `gathered`: a task is a row, which gathers the single tokens of its list.

    ```mlir
    // Before
    %acc = sattn.accumulate softmax %z over %sel, %v
    // After
    %acc = sattn.accumulate softmax %z over %sel, %v {dataflow = {keys_per_row = 32 : i64, kind = "inverted", rows = 4032 : i64, why = "...", ...}}
    ```
  }];
  let options = [
    Option<"targetText", "target", "std::string", /*default=*/"",
           "fields of TargetInfo that differ from the defaults, e.g. rowTile=64,keyLayout=rows:4,waveBytes=67108864">,
    Option<"keys", "keys", "int64_t", /*default=*/"16384", "number of keys for which the estimates are made">,
  ];
  let statistics = [
    Statistic<"rangesChosen", "ranges-chosen", "accumulations over formulas">,
    Statistic<"invertedChosen", "inverted-chosen", "accumulations over inverted lists">,
    Statistic<"listedChosen", "listed-chosen", "accumulations over lists that rows share">,
    Statistic<"gatheredChosen", "gathered-chosen", "accumulations over lists of single tokens">,
  ];
}

def SattnToTile : Pass<"sattn-to-tile", "::mlir::ModuleOp"> {
  let summary = "a pattern becomes a tile program: kernels and a launch plan";
  let description = [{
    Before: a specialised pattern with normal sets. After: one `sattn_tile.program` with the attributes `roles`,
    `results`, `params` and `requires` for the manifest, and `explain`, which says why. Keys and values are packed into
    the target's layouts once for a wave of (batch entry, unit of heads) pairs; the waves bound the workspaces. Masks are integer sets, loops are
    covers; neither a mask nor a score is ever an array. Where a target has a form of its own for calls of few rows, the
    program holds both; `dataflow=KIND` of the bind gives one of them all calls, and names what there is where KIND is
    neither. Changes numbers: reassociates.

    ```mlir
    // Before
    %z = sattn.score dot %q, %k scale(scale)
    %keys = sattn.set (t, s) : s <= t
    %acc = sattn.accumulate softmax %z over %keys, %v
    %o = sattn.finalize %acc
    // After
    sattn_tile.kernel @pack_k_keys(...) { load, store into panels }
    sattn_tile.kernel @attend(...) {
      %cover = sattn_tile.cover hull(%c0 to %hi) full(%c0 to %full)
      %r:3 = sattn_tile.stream %j in %cover carry(...) { dot nt, mask, softmax_step, dot nn }
      %o, %lse = sattn_tile.softmax_finish %r#0, %r#1, %r#2
      sattn_tile.store %o, ...
    }
    sattn_tile.plan { loop over waves { launch @pack_k_keys; launch @pack_v_values; launch @attend } }
    ```
  }];
  let options = [
    Option<"targetText", "target", "std::string", /*default=*/"",
           "fields of TargetInfo that differ from the defaults, e.g. rowTile=64,keyLayout=rows:4,waveBytes=67108864">,
  ];
  let statistics = [
    Statistic<"kernelsBuilt", "kernels-built", "kernels in the tile program">,
  ];
  let dependentDialects = ["::sattn::tile::SattnTileDialect", "::mlir::arith::ArithDialect", "::mlir::math::MathDialect",
                           "::mlir::scf::SCFDialect"];
}

def SattnCheckStage : Pass<"sattn-check-stage", "::mlir::ModuleOp"> {
  let summary = "refuse what a module may not hold at the end of a stage";
  let description = [{
    Before and after: the same module. The pipeline runs it where a stage begins or ends, so that a pass that forgets an
    op, and an edited dump that lacks one, are refused where it happened and not three passes later. What it asks for:

    - `pattern`: patterns alone, without a `dataflow`.
    - `fused`: every pattern has a `bind` with an element type for each role and a size for each feature axis, no static
      param, no `attend`, no `union` and no `minus`; each `intersect` is of one selection and one formula.
    - `planned`: the same, and every `accumulate` and `select` has a `dataflow`.
    - `tile`: tile programs alone, with `roles`, `results`, `params` and `requires`; layouts are the target's. Which ops
      a kernel may hold is checked by `sattn_tile.kernel` itself.

    Costs a walk over the ops: microseconds. Changes numbers: no.

    ```mlir
    // Refused with stage=planned: 'sattn.accumulate' has no dataflow at stage 'planned'
    %acc = sattn.accumulate softmax %z over %keys, %v
    // Accepted
    %acc = sattn.accumulate softmax %z over %keys, %v {dataflow = {kind = "range", rows = 64 : i64, why = "..."}}
    ```
  }];
  let options = [
    Option<"stage", "stage", "::sattn::CheckedStage", /*default=*/"::sattn::CheckedStage::Pattern",
           "pattern, fused, planned or tile",
           [{::llvm::cl::values(
              clEnumValN(::sattn::CheckedStage::Pattern, "pattern", "a pattern as its author wrote it"),
              clEnumValN(::sattn::CheckedStage::Fused, "fused", "a specialised pattern with normal sets"),
              clEnumValN(::sattn::CheckedStage::Planned, "planned", "the same with dataflows"),
              clEnumValN(::sattn::CheckedStage::Tile, "tile", "a tile program"))}]>,
    Option<"targetText", "target", "std::string", /*default=*/"",
           "fields of TargetInfo that differ from the defaults, as of sattn-to-tile: whose layouts a tile program has">,
  ];
  let statistics = [
    Statistic<"opsChecked", "ops-checked", "ops that were looked at">,
  ];
}

#endif // SATTN_PASSES_TD
