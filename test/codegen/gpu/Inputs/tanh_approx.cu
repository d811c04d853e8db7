float softcap(float x, float cap) {
  asm("{ .reg .f32 r;\n\t"
      "div.rn.f32 r, %0, %1;\n\t"
      "tanh.approx.f32 r, r;\n\t"
      "mul.f32 %0, r, %1; }"
      : "+f"(x)
      : "f"(cap));
  return x;
}
