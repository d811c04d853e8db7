// Programs, the launch plan, kernels and streams.
#ifndef SATTN_TILE_STRUCTURE
#define SATTN_TILE_STRUCTURE

include "dialects/tile/TileTypes.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/OpAsmInterface.td"
include "mlir/IR/RegionKindInterface.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/ControlFlowInterfaces.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

//===-- Program and plan --------------------------------------------------------------------------------===//

def ProgramOp : Tile_Op<"program", [IsolatedFromAbove, Symbol, SymbolTable, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "one compiled pattern: its kernels and its launch plan";
  let description = [{
    Holds `kernel` ops, the `function`s that they call, and exactly one `plan`. The attributes `roles`, `results` and `params` repeat the interface
    of the pattern for the manifest (see docs/artefact.md): arrays of dictionaries. `explain`, which may be missing, says
    why the program is as it is: `choices`, the dataflow of each accumulation and selection as `sattn-choose-dataflow`
    wrote it, with its kernel; `kernels`, the ops of the pattern that each kernel computes; `line` is that of the
    pattern's text.
  }];
  let arguments = (ins SymbolNameAttr:$sym_name);
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "$sym_name attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{ ::sattn::tile::PlanOp getPlan(); }];
}

def PlanOp : Tile_Op<"plan", [HasParent<"ProgramOp">, IsolatedFromAbove, NoTerminator, SingleBlock, NoRegionArguments]> {
  let summary = "the steps of a call, in order";
  let description = [{
    The body holds index arithmetic (upstream `arith` on `index`), names of the call (`dim`, `role`, `result`,
    `param`, `offsets`), `workspace`s and the steps: `launch`, `loop`. It serialises to the manifest; each index value
    becomes an expression over the names of the call.
  }];
  let regions = (region SizedRegion<1>:$body);
  let assemblyFormat = "attr-dict-with-keyword $body";
  let hasRegionVerifier = 1;
}

class Tile_PlanOp<string mnemonic, list<Trait> traits = []>
    : Tile_Op<mnemonic, traits # [ParentOneOf<["PlanOp", "LoopOp"]>]>;
class Tile_PlanName<string mnemonic, Type type, string what> : Tile_PlanOp<mnemonic, [Pure]> {
  let summary = what;
  let arguments = (ins StrAttr:$name);
  let results = (outs type:$value);
}
def DimOp : Tile_PlanName<"dim", Index, "a size of the call: `B`, an axis name such as `t`, `s`, `h`, `c(64)`, or a name of the manifest such as `q_offset_max`"> {
  let assemblyFormat = "$name attr-dict";
}
def ParamOp : Tile_PlanName<"param", AnyTypeOf<[Index, F32]>, "a dynamic param of the pattern (int: index, float: f32)"> {
  let assemblyFormat = "$name attr-dict `:` type($value)";
}
def RoleOp : Tile_PlanName<"role", AnyArg, "an input tensor of the call"> {
  let assemblyFormat = "$name attr-dict `:` type($value)";
}
def ResultOp : Tile_PlanName<"result", AnyArg, "an output tensor of the call"> {
  let assemblyFormat = "$name attr-dict `:` type($value)";
}
def OffsetsOp : Tile_PlanName<"offsets", PerBatch, "`q_offset`, `kv_offset` or `kv_len` of each batch entry"> {
  let assemblyFormat = "$name attr-dict";
  let hasVerifier = 1;
}
def PagesOp : Tile_PlanOp<"pages", [Pure]> {
  let summary = "the page table of the call: for each batch entry the numbers of the pages that hold its keys";
  let description = [{
    Its positions are the entries of a batch entry. Roles with a field `page` in the attribute `roles` are pools of such
    pages (see `slice`).
  }];
  let arguments = (ins);
  let results = (outs PageTable:$value);
  let assemblyFormat = "attr-dict";
}
def WorkspaceOp : Tile_Op<"workspace", [HasParent<"PlanOp">]> {
  let summary = "memory between kernels, shaped as an operand";
  let description = [{
    Contiguous `[batch][head][position][inner]`; with a layout the positions of each head are padded to whole blocks.
    Undefined until a launch writes it.
  }];
  let arguments = (ins StrAttr:$name, Index:$batch, Index:$positions, Index:$heads);
  let results = (outs AnyArg:$value);
  let assemblyFormat = "$name `[` $batch `,` $positions `,` $heads `]` attr-dict `:` type($value)";
}
def LaunchOp : Tile_PlanOp<"launch", [DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "run one kernel on a grid; all its tasks are done before the next step";
  let description = [{
    `order` lists the grid axes slowest first as in the manifest, e.g. `["-x", "z", "y"]`: tasks of one K and V
    neighbour each other, long ones start first.
  }];
  let arguments = (ins FlatSymbolRefAttr:$kernel, Index:$x, Index:$y, Index:$z, Variadic<AnyType>:$args,
                       OptionalAttr<StrArrayAttr>:$order);
  let assemblyFormat = "$kernel `grid` `(` $x `,` $y `,` $z `)` `args` `(` ($args^ `:` type($args))? `)` attr-dict";
  let hasVerifier = 1;
}
def LoopOp : Tile_PlanOp<"loop", [NoTerminator, SingleBlock]> {
  let summary = "repeat steps for 0 .. count-1, to bound the workspaces";
  let arguments = (ins Index:$count);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{ ::mlir::Value getInductionVar() { return getBody().getArgument(0); } }];
}

//===-- Kernels -----------------------------------------------------------------------------------------===//

def KernelOp : Tile_Op<"kernel", [IsolatedFromAbove, Symbol, HasParent<"ProgramOp">, SingleBlock,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a grid of independent tasks";
  let description = [{
    The block arguments are the operands (`arg`, `per_batch`, `index`, `f32`) followed by the three grid coordinates.

    ```
    sattn_tile.kernel @attend(%q: !sattn_tile.arg<f32, 64>, %c: f32) grid(%x, %y, %z) {
      ...
      sattn_tile.return
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, StrArrayAttr:$arg_names);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    unsigned getNumOperandArgs() { return getBody().getNumArguments() - 3; }
    ::mlir::Value getGrid(unsigned axis) { return getBody().getArgument(getNumOperandArgs() + axis); }
  }];
}
def FunctionOp : Tile_Op<"function", [Symbol, HasParent<"ProgramOp">]> {
  let summary = "a function of scalars in CUDA C++, for targets that make it a part of the kernels";
  let description = [{
    Takes `f32` and `i32` and gives an `f32`; it depends on its arguments alone. `text` is the source, which defines a
    function of the op's name; `file` is what it was read from.

    ```
    sattn_tile.function @softcap : (f32, f32) -> f32 cuda file "softcap.cu" text "float softcap(float x, float cap) ..."
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, TypeAttrOf<FunctionType>:$type, OptionalAttr<StrAttr>:$file,
                       OptionalAttr<StrAttr>:$source);
  let assemblyFormat = "$sym_name `:` $type `cuda` (`file` $file^)? (`text` $source^)? attr-dict";
  let hasVerifier = 1;
}
def ReturnOp : Tile_Op<"return", [HasParent<"KernelOp">, Terminator, Pure]> {
  let summary = "end of a task";
  let assemblyFormat = "attr-dict";
}

def CountOp : Tile_Op<"count", [Pure]> {
  let summary = "a run-time count of an operand: `batch`, `positions` or `heads`";
  let arguments = (ins AnyArg:$arg, StrAttr:$axis);
  let results = (outs Index:$value);
  let assemblyFormat = "custom<Keyword>($axis) `of` $arg attr-dict `:` type($arg)";
  let hasVerifier = 1;
}
def OfBatchOp : Tile_Op<"of_batch", [Pure]> {
  let summary = "the entry of one batch element";
  let arguments = (ins PerBatch:$values, Index:$batch);
  let results = (outs Index:$value);
  let assemblyFormat = "$values `[` $batch `]` attr-dict";
}

//===-- Streams -----------------------------------------------------------------------------------------===//

def CoverOp : Tile_Op<"cover", [Pure, AttrSizedOperandSegments]> {
  let summary = "the key tiles to visit: a union of runs, each tile once, ascending";
  let description = [{
    Run i visits tiles `lo[i] <= j < hi[i]`; those with `fullLo[i] <= j < fullHi[i]` are full, the others partial. Runs
    may overlap and come in any order; a tile of several runs is visited once and is full if any run says so.
    `hi <= lo` is an empty run. Bounds are in units of key tiles anchored at absolute positions.

    Example: `%n = sattn_tile.cover hull(%lo to %hi) full(%a to %b)`
  }];
  let arguments = (ins Variadic<Index>:$lo, Variadic<Index>:$hi, Variadic<Index>:$fullLo, Variadic<Index>:$fullHi);
  let results = (outs Cover:$cover);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}

def StreamOp : Tile_Op<"stream", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "loop over the tiles of a cover, carrying tiles";
  let description = [{
    Visits the tiles of the cover in ascending order. Block arguments: the tile index, then the carried values. In a
    full tile every `mask` of the body is the identity. Where the body has such a mask, the rows of a full tile that a
    `dot` takes as its right operand exist: none lies outside its view.

    ```
    %r:3 = sattn_tile.stream %j in %cover carry(%m = %m0, %l = %l0, %a = %a0) : (...) { ... sattn_tile.yield ... }
    ```
  }];
  let arguments = (ins Cover:$cover, Variadic<AnyType>:$inits);
  let results = (outs Variadic<AnyType>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Value getInductionVar() { return getBody().getArgument(0); }
    ::mlir::Block::BlockArgListType getCarried() { return getBody().getArguments().drop_front(1); }
  }];
}

def StreamInverseOp : Tile_Op<"stream_inverse", [SingleBlockImplicitTerminator<"YieldOp">, RecursiveMemoryEffects,
    DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "loop over units and, for each, over groups of the positions that selected it";
  let description = [{
    Units ascend; within a unit the members ascend and come `members` at a time. Block arguments: the unit id
    (index), the member positions (`tile<MxI32>`, relative to the inverse's first position, -1 where the group is not
    full) and the slot of the unit in each member's list (`tile<Mxi32>`). Carries nothing: the body updates private
    workspaces by `gather` and `scatter`.
  }];
  let arguments = (ins Inverse:$inverse, I64Attr:$members);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}

def YieldOp : Tile_Op<"yield", [Terminator, Pure, ReturnLike, ParentOneOf<["StreamOp", "StreamInverseOp", "MapOp"]>]> {
  let summary = "carried values of the next iteration, or the result of a map";
  let arguments = (ins Variadic<AnyType>:$values);
  let assemblyFormat = "($values^ `:` type($values))? attr-dict";
  let builders = [OpBuilder<(ins), [{ (void)$_builder; (void)$_state; }]>];
}

#endif
