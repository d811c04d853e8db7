"""Layer 20 of a real model: its operands for each pattern, and its dense attention as the yardstick.

A pattern is judged by what it keeps of the dense attention: the share of the weight that falls on the keys that it
sees (mass), how many keys these are, and how far its output is from the dense output.
"""

import numpy as np

import sparse_attn

DATA = sparse_attn.ROOT / "examples" / "data"
BLOCK = 64  # block length of every shipped selection
WINDOW = 512  # of every shipped window
SCALE = 1 / 8  # D^-1/2


def compressed(x, length=32, stride=16):
    """Means of the complete blocks of `x` [1, S, G, D]."""
    count = (x.shape[1] - length) // stride + 1
    starts = np.arange(count) * stride
    sums = np.cumsum(np.pad(x.astype(np.float64), ((0, 0), (1, 0), (0, 0), (0, 0))), axis=1)
    return ((sums[:, starts + length] - sums[:, starts]) / length).astype(np.float32)


class Model:
    def __init__(self):
        stored = {name: np.load(DATA / f"smollm2_l20_t4096_{name}.npy") for name in "qkv"}
        self.q, self.k, self.v = (stored[name].astype(np.float32) for name in "qkv")
        self.rows, self.heads, self.width = self.q.shape[1:]
        self.kv_heads = self.k.shape[2]
        self.group = self.heads // self.kv_heads

    @property
    def shape(self):
        return f"B=1,T={self.rows},Hq={self.heads},Hkv={self.kv_heads},D={self.width}"

    def operands(self, pattern, v=None, gates=(1 / 3, 1 / 3, 1 / 3)):
        """Operands by role. What the model does not have is stood in for: gates of 1/3, chunk landmarks by the mean key
        and the retrieval query by the mean query of the group."""
        args = dict(q=self.q, k=self.k, v=self.v if v is None else v)
        if pattern.startswith("nsa"):
            args["g"] = np.broadcast_to(np.float32(gates), (1, self.rows, self.heads, 3))
        if pattern == "nsa_ext":
            args |= dict(kc=compressed(self.k), vc=compressed(args["v"]))
        if pattern.startswith("hsa"):
            grouped = self.q.reshape(1, self.rows, self.kv_heads, self.group, self.width)
            args |= dict(r=grouped.mean(axis=3), m=compressed(self.k, BLOCK, BLOCK))
        return args

    def probabilities(self, head):
        """Dense causal attention of one query head, [T, S]."""
        scores = self.q[0, :, head] @ self.k[0, :, head // self.group].T * np.float32(SCALE)
        scores[np.triu_indices(self.rows, 1)] = -np.inf
        scores -= scores.max(axis=1, keepdims=True)
        np.exp(scores, out=scores)
        scores /= scores.sum(axis=1, keepdims=True)
        return scores

    def block_markers(self):
        """Values that carry one feature for each block of keys: the output then says which blocks a row attends to."""
        blocks = self.rows // BLOCK
        markers = np.zeros((1, self.rows, self.kv_heads, blocks), np.float32)
        keys = np.arange(self.rows)
        markers[0, keys, :, keys // BLOCK] = 1
        return markers

    def selected(self, pattern):
        """[T, H, blocks], true where the pattern attends to a block."""
        args = self.operands(pattern, self.block_markers(), gates=(0, 1, 0))
        return sparse_attn.run(pattern, args)["o"][0] > 0
