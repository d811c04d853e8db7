// Blocks of b keys that the caller's mask holds for each block of qblock rows and each head: entry c of a row block is not
// 0 where its rows see block c; token by token causal inside. The mask has a column for each block of the longest call.
// Decoded rows begin no block of rows: with qblock = 1 each has a mask of its own.
// As in "Block Sparse Attention", Guo, Tang, Yang, Zhang, Liu, Han, 2024, github.com/mit-han-lab/Block-Sparse-Attention.
sattn.pattern @block_bitmap<static b: int = 128, static qblock: int = b, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %mask: int[u(qblock), h, D2]) -> (o, lse) {
  %seen = sattn.listed %mask flags blocks(b)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %seen, %past
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}
