// The frame of a pattern: sattn.pattern, sattn.yield, and sattn.function beside the pattern.
#ifndef SATTN_STRUCTURE_OPS_TD
#define SATTN_STRUCTURE_OPS_TD

include "mlir/IR/SymbolInterfaces.td"
include "dialects/pattern/PatternAttrs.td"
include "dialects/pattern/PatternTypes.td"

def PatternOp : Sattn_Op<"pattern", [IsolatedFromAbove, Symbol, NoTerminator,
                                     DeclareOpInterfaceMethods<OpAsmOpInterface, ["getAsmBlockArgumentNames"]>]> {
  let summary = "a sparse attention pattern: params, roles, results";
  let description = [{
    The declaration of everything that a call supplies, and a straight line of ops that ends with `sattn.yield`.

    Params are numbers, dynamic unless `static`: a static param is fixed when the pattern is specialised, which a block
    length, a divisor, a factor of a position and the width of a tensor require. A default is an integer, a float,
    `rsqrt(D)`, or an expression of earlier params.

    Roles are the operands of a call: strided views of floats, or of int32 where written `int[...]`. The first letter of
    an axis is its kind: `t` query rows, `u(l)` blocks of l rows, `s` keys, `c(l, d)` blocks of l keys every d (disjoint
    without d), `h` query heads, `g` kv heads, `D...` features, or a fixed count. Axes of one name have one size. A
    role with a position axis has a batch axis, which is never written.

    `bind` holds what specialisation fixed: element types of roles, sizes of feature axes, the ratio of head axes, and
    the static params, which are constants in the body then.

    Constraints: names (C1) to (C3), axes (C4), nothing is idle (C5), as many yields as results (C6), static block
    lengths (C10), (C11); at most 1000 lines.

    ```mlir
    sattn.pattern @window<W: int = 512, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o, lse) {
      %keys = sattn.set (t, s) : 0 <= t - s < W
      %z = sattn.score dot %q, %k scale(scale)
      %p = sattn.accumulate softmax %z over %keys, %v
      %o = sattn.finalize %p
      %lse = sattn.lse %p
      sattn.yield %o, %lse
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ParamArrayAttr:$params, RoleArrayAttr:$roles, StrArrayAttr:$outputs,
                       OptionalAttr<DictionaryAttr>:$bind);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
}

def YieldOp : Sattn_Op<"yield", [HasParent<"PatternOp">, Terminator]> {
  let summary = "the results of a pattern";
  let description = [{
    Gives one tensor for each declared result, in their order (C6). Outputs have the rows and heads of their scores.

    ```mlir
    sattn.pattern @keys_of_blocks(%k: [s, g, D]) -> (kc) {
      %kc = sattn.summarize mean %k blocks(64)
      sattn.yield %kc
    }
    ```
  }];
  let arguments = (ins Variadic<Tensor>:$values);
  let assemblyFormat = "$values attr-dict";
}

def FunctionOp : Sattn_Op<"function", [Symbol]> {
  let summary = "a function of scores in CUDA C++";
  let description = [{
    Stands beside the pattern, whose maps call it: `@softcap(z, cap)`. The source is a file, named as seen from the
    pattern's file, or a string; it defines a function of the op's name that takes the params, `int` or `float`, in
    their order and returns a `float`. NVRTC compiles it for GPU targets, where it becomes a part of the kernels.

    `as` says the same in the formula language. CPU targets and the oracle compute that, and `sparse-attn verify
    --target ptx-sim` holds the source to it. The function depends on its arguments alone and has no effect but its
    result: a kernel may call it for scores that are masked, and once for many.

    `text` is what the file holds. Tools add it when they read the pattern, so that the text of a pattern is all that a
    kernel is made of, and a changed file is another kernel.

    Constraints: a source, its params and formula (C38), calls (C39).

    ```mlir
    sattn.function @softcap(x: float, cap: float)
        cuda text "float softcap(float x, float cap) { return cap * tanhf(x / cap); }"
        as cap * tanh(x / cap)
    sattn.pattern @softcapped<cap: float = 30.0, scale: float = rsqrt(D)>
        (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
      %past = sattn.set (t, s) : s <= t
      %z = sattn.score dot %q, %k scale(scale)
      %y = sattn.map %z : @softcap(z, cap)
      %o = sattn.attend %y over %past, %v
      sattn.yield %o
    }
    ```
  }];
  let arguments = (ins SymbolNameAttr:$sym_name, ParamArrayAttr:$params, OptionalAttr<StrAttr>:$file,
                       OptionalAttr<StrAttr>:$source, OptionalAttr<ExprAttr>:$formula);
  let assemblyFormat = [{
    $sym_name `(` custom<FunctionParams>($params) `)` `cuda` (`file` $file^)? (`text` $source^)?
    (`as` custom<FunctionFormula>($formula)^)? attr-dict
  }];
  let hasVerifier = 1;
}

#endif // SATTN_STRUCTURE_OPS_TD
