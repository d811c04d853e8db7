// The partial results of four hosts, merged by lse.
sattn.pattern @merge_partials(%o0: [t, h, Dv], %lse0: [t, h], %o1: [t, h, Dv], %lse1: [t, h],
                              %o2: [t, h, Dv], %lse2: [t, h], %o3: [t, h, Dv], %lse3: [t, h]) -> (o, lse) {
  %p0 = sattn.reopen %o0, %lse0
  %p1 = sattn.reopen %o1, %lse1
  %p2 = sattn.reopen %o2, %lse2
  %p3 = sattn.reopen %o3, %lse3
  %p = sattn.merge %p0, %p1, %p2, %p3
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}
