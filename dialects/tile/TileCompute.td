// Arithmetic on tiles.
#ifndef SATTN_TILE_COMPUTE
#define SATTN_TILE_COMPUTE

include "dialects/tile/TileStructure.td"

def SplatOp : Tile_Op<"splat", [Pure]> {
  let summary = "a tile of one constant";
  let arguments = (ins F32Attr:$value);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "$value attr-dict `:` type($tile)";
  let hasVerifier = 1;
}
def IotaOp : Tile_Op<"iota", [Pure]> {
  let summary = "a row vector, or one row for all, of numbers that count";
  let description = [{
    Element i is `numbers`(i): of a row vector `tile<R>` one number for each row, of a tile of one row `tile<1xC>` one for
    each column. With a position at the first element added, elements stand for the positions of rows and columns.

    Example: `%r = sattn_tile.iota affine_map<(r) -> (r floordiv 4)> : !sattn_tile.tile<64xf32>`
  }];
  let arguments = (ins AffineMapAttr:$numbers);
  let results = (outs AnyTile:$tile);
  let assemblyFormat = "$numbers attr-dict `:` type($tile)";
  let hasVerifier = 1;
}
def DotOp : Tile_Op<"dot", [Pure, AttrSizedOperandSegments]> {
  let summary = "matrix product with float32 accumulation: `nt` A B^T, `nn` A B, or distances `l1`, optionally added to scaled rows";
  let description = [{
    `nt`: s[r,c] = sum_d a[r,d] b[c,d].  `nn`: y[r,d] = sum_c a[r,c] b[c,d].  `l1`: s[r,c] = sum_d |a[r,d] - b[c,d]|,
    without an accumulator.  With `add %acc scaled %v`: y[r,d] = v[r]*acc[r,d] + ...; the accumulator is updated in place. An `nn` result may have fewer columns than b: those
    of the first features, so that keys whose prefix the values are need not be loaded twice. A term whose a is exactly 0 because `mask` or
    `choose` removed it contributes nothing, even if b is NaN or infinite. The summation order is free, but fixed for an artefact.

    With `heads = H` it is H products side by side, one for each head of keys: head h has rows h*R/H .. (h+1)*R/H - 1 of
    the R rows of a, and every H-th row of b, h, H + h and so on, as a view of `group = H` lists the heads of a position.

    With `below = N` the elements of a and b of an `l1` are integers from 0 to N - 1: a code generator may compare their bits.
  }];
  let arguments = (ins StrAttr:$kind, AnyTile:$a, AnyTile:$b, Optional<AnyTile>:$acc, Optional<AnyTile>:$scale,
                       OptionalAttr<I64Attr>:$heads, OptionalAttr<I64Attr>:$below);
  let results = (outs AnyTile:$result);
  let builders = [OpBuilder<(ins "mlir::Type":$result, "llvm::StringRef":$kind, "mlir::Value":$a, "mlir::Value":$b, "mlir::Value":$acc,
                                 "mlir::Value":$scale, CArg<"int64_t", "1">:$heads), [{
    build($_builder, $_state, result, kind, a, b, acc, scale,
          heads == 1 ? mlir::IntegerAttr() : $_builder.getI64IntegerAttr(heads), /*below=*/mlir::IntegerAttr());
  }]>];
  let assemblyFormat = [{ custom<Keyword>($kind) $a `,` $b (`add` $acc^)? (`scaled` $scale^)? attr-dict `:` type($a) `,` type($b) (`,` type($acc)^)? (`,` type($scale)^)? `->` type($result) }];
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    /// Products side by side.
    int64_t headCount() { return static_cast<int64_t>(getHeads().value_or(1)); }
  }];
}
def MapOp : Tile_Op<"map", [Pure, SingleBlock]> {
  let summary = "element-wise function";
  let description = [{
    The region computes one element from one element of each operand with `arith` and `math` ops on scalars and `call`s.
    A row vector `tile<R>` is repeated along the columns of a 2-D result, a tile of one row `tile<1xC>` along its rows.
    Region arguments are the elements in order.
  }];
  let arguments = (ins Variadic<AnyType>:$inputs);
  let results = (outs AnyTile:$result);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasRegionVerifier = 1;
}
def CallOp : Tile_Op<"call", [Pure, HasParent<"MapOp">, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "the value of a function of the program";
  let description = [{ `%y = sattn_tile.call @softcap(%z, %cap) : f32, f32` }];
  let arguments = (ins FlatSymbolRefAttr:$callee, Variadic<AnyTypeOf<[F32, I32]>>:$args);
  let results = (outs F32:$result);
  let assemblyFormat = "$callee `(` $args `)` attr-dict `:` type($args)";
}
def ColumnsOp : Tile_Op<"columns", [Pure]> {
  let summary = "the numbers of a row vector side by side: the columns of a tile of one row";
  let description = [{
    Example: `%y = sattn_tile.columns %x : !sattn_tile.tile<64xf32> -> !sattn_tile.tile<1x64xf32>`
  }];
  let arguments = (ins AnyTile:$tile);
  let results = (outs AnyTile:$result);
  let assemblyFormat = "$tile attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}
def HadamardOp : Tile_Op<"hadamard", [Pure, AllTypesMatch<["tile", "result"]>]> {
  let summary = "each row times the Hadamard matrix in natural order: y[r,j] = sum_i (-1)^popcount(i & j) x[r,i]";
  let arguments = (ins AnyTile:$tile);
  let results = (outs AnyTile:$result);
  let assemblyFormat = "$tile attr-dict `:` type($result)";
  let hasVerifier = 1;
}
def MaskOp : Tile_Op<"mask", [Pure, AttrSizedOperandSegments]> {
  let summary = "s where (t, s) lies in the union of integer sets, else -inf";
  let description = [{
    Row r stands at t = `row` + rowMap(r), column c at s = `col` + c; the sets are over dims (t, s) and the symbols. Without
    `when` the mask acts in partial tiles of the enclosing stream; with `when` it acts where that (uniform) condition
    holds. `ids` replaces the row positions: row block i stands at `row` + ids[i]. Each of `tables` is one more dim: a
    number for each row (`tile<Rxi32>`), for each column (`tile<1xCxi32>`), or for each distance between them
    (`tile<1x(R+C)xi32>`: row r and column c have number r - c + C - 1).

    Example: `%y = sattn_tile.mask %s rows(%t0) cols(%s0) symbols(%w) {row_map = affine_map<(r) -> (r)>,
    sets = [affine_set<(t, s)[w] : (t - s >= 0, w - 1 - t + s >= 0)>]} : !sattn_tile.tile<64x64xf32>`
  }];
  let arguments = (ins AnyTile:$tile, Index:$row, Index:$col, Variadic<Index>:$symbols, Optional<I1>:$when,
                       Optional<AnyTile>:$ids, Variadic<AnyTile>:$tables, ArrayAttr:$sets, AffineMapAttr:$row_map);
  let results = (outs AnyTile:$result);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
}
def ChooseOp : Tile_Op<"choose", [Pure, AllTypesMatch<["tile", "result"]>]> {
  let summary = "s where the bit of the column's block is set in the word of the row, or with `others` is not, else -inf";
  let description = [{
    Column c lies in block c floordiv `block`, and bit i of `words`(r) is that of block i: what `members` writes. It acts
    in full tiles of a stream, too, and removes terms as `mask` does.

    Example: `%y = sattn_tile.choose %s by %words block 16 : !sattn_tile.tile<64x64xf32>, !sattn_tile.tile<64xi32>`
  }];
  let arguments = (ins AnyTile:$tile, AnyTile:$words, I64Attr:$block, UnitAttr:$others);
  let results = (outs AnyTile:$result);
  let assemblyFormat = "$tile `by` $words `block` $block (`others` $others^)? attr-dict `:` type($tile) `,` type($words)";
  let hasVerifier = 1;
}
def ReduceOp : Tile_Op<"reduce", [Pure]> {
  let summary = "`max` or `sum` over columns (to a row vector) or over the heads of each position (groups of rows)";
  let description = [{
    `cols`: tile<RxC> to tile<R>. `heads`: tile<RxC> to tile<(R/G)xC>, rows being (position, head) with the head fastest,
    or slowest with `outer`. NaN stays in its row.
  }];
  let arguments = (ins StrAttr:$kind, AnyTile:$tile, StrAttr:$over, OptionalAttr<I64Attr>:$group, UnitAttr:$outer);
  let results = (outs AnyTile:$result);
  let assemblyFormat = "custom<Keyword>($kind) $tile `over` custom<Keyword>($over) (`(` $group^ `)`)? (`outer` $outer^)? attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}
def RowScanOp : Tile_Op<"row_scan", [Pure]> {
  let summary = "prefix sum along the columns of each row, from the last column if `reverse`; inclusive";
  let arguments = (ins AnyTile:$tile, UnitAttr:$reverse);
  let results = (outs AnyTile:$result);
  let assemblyFormat = "$tile (`reverse` $reverse^)? attr-dict `:` type($tile) `->` type($result)";
  let hasVerifier = 1;
}
def SoftmaxStepOp : Tile_Op<"softmax_step", [Pure, AllTypesMatch<["m", "l", "newM", "newL", "alpha"]>, AllTypesMatch<["s", "p"]>]> {
  let summary = "one step of the online softmax in base 2";
  let description = [{
    m' = max(m, max_c s[.,c]); alpha = exp2(m - m'); p = exp2(s - m'); l' = alpha*l + sum_c p. Where m' = -inf: p = 0 and
    alpha = 1. The scores come multiplied by log2(e). A target may let a row keep m' = m while its maximum exceeds m by
    less than 2^8 in p, as long as m', l' and alpha agree: the partial result that they stand for is the same.
  }];
  let arguments = (ins AnyTile:$s, AnyTile:$m, AnyTile:$l);
  let results = (outs AnyTile:$newM, AnyTile:$newL, AnyTile:$alpha, AnyTile:$p);
  let assemblyFormat = "$s `,` $m `,` $l attr-dict `:` type($s) `,` type($m)";
  let hasVerifier = 1;
}
def SoftmaxFinishOp : Tile_Op<"softmax_finish", [Pure, AllTypesMatch<["acc", "o"]>, AllTypesMatch<["m", "l", "lse"]>]> {
  let summary = "o = acc / l and the natural log-sum-exp; rows without any key: o = 0, lse = -inf";
  let description = [{ lse = (m + log2 l) * ln 2. A sink logit z (natural) joins the denominator of o only. }];
  let arguments = (ins AnyTile:$m, AnyTile:$l, AnyTile:$acc, Optional<AnyTile>:$sink);
  let results = (outs AnyTile:$o, AnyTile:$lse);
  let assemblyFormat = "$m `,` $l `,` $acc (`sink` $sink^)? attr-dict `:` type($m) `,` type($acc) (`,` type($sink)^)?";
  let hasVerifier = 1;
}
def MergeOp : Tile_Op<"merge", [Pure, AllTypesMatch<["m0", "l0", "m1", "l1", "m", "l"]>, AllTypesMatch<["acc0", "acc1", "acc"]>]> {
  let summary = "merges two partial softmax results; an empty one (m = -inf, l = 0) is the identity";
  let arguments = (ins AnyTile:$m0, AnyTile:$l0, AnyTile:$acc0, AnyTile:$m1, AnyTile:$l1, AnyTile:$acc1);
  let results = (outs AnyTile:$m, AnyTile:$l, AnyTile:$acc);
  let assemblyFormat = "`(` $m0 `,` $l0 `,` $acc0 `)` `,` `(` $m1 `,` $l1 `,` $acc1 `)` attr-dict `:` type($m0) `,` type($acc0)";
  let hasVerifier = 1;
}

#endif
