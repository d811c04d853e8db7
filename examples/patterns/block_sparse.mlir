// Blocks of b keys for each block of qblock rows and each head, as compressed lists: those of row block u are the entries
// idx[ptr[u]] up to idx[ptr[u + 1] - 1] of its head, of the last one all that follow. Entries that are -1 or name no block
// are ignored, so that a list may be padded; token by token causal inside. A decoded row has one list: @block_lists.
// The format of "FlashInfer: Efficient and Customizable Attention Engine for LLM Inference Serving", Ye et al., 2025,
// arXiv:2501.01005.
sattn.pattern @block_sparse<static b: int = 128, static qblock: int = b, scale: float = rsqrt(D)>
    (%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv], %ptr: int[u(qblock), h], %idx: int[h, D2]) -> (o, lse) {
  %list = sattn.listed %idx rows(%ptr) blocks(b)
  %past = sattn.set (t, s) : s <= t
  %keys = sattn.intersect %list, %past
  %z = sattn.score dot %q, %k scale(scale)
  %p = sattn.accumulate softmax %z over %keys, %v
  %o = sattn.finalize %p
  %lse = sattn.lse %p
  sattn.yield %o, %lse
}
