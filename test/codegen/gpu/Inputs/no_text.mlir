// A function whose file nobody has read, as an engine may give it to the library: in generic form, which tools leave
// alone.
"sattn.function"() <{sym_name = "f", params = [#sattn.param<x: float>], file = "f.cu"}> : () -> ()
sattn.pattern @p<scale: float = rsqrt(D)>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {
  %keys = sattn.set (t, s) : s <= t
  %z = sattn.score dot %q, %k scale(scale)
  %y = sattn.map %z : @f(z)
  %o = sattn.attend %y over %keys, %v
  sattn.yield %o
}
