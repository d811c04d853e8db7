"""What of bench/peers.py and tools/native.py does not need PyTorch."""

import os
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT / "bench"), str(ROOT / "tools")]

import native  # noqa: E402
import peers  # noqa: E402


class Pairing(unittest.TestCase):
    def test_rounds_alternate_their_direction_after_a_warm_up(self):
        order = []
        ticks = iter(range(100))
        sides = {"ours": lambda: order.append("o"), "theirs": lambda: order.append("t")}
        times = peers.alternate(sides, 3, clock=lambda: next(ticks))
        self.assertEqual("".join(order), "ot" + "ot" + "to" + "ot")
        self.assertEqual(times, {"ours": [1, 1, 1], "theirs": [1, 1, 1]})

    def test_ratios_are_of_neighbours(self):
        report = peers.summary({"ours": [1.0, 2.0, 10.0], "theirs": [3.0, 8.0, 20.0]})
        self.assertEqual(report["theirs"]["ratio"], 3.0)
        self.assertEqual((report["theirs"]["ratio_min"], report["theirs"]["ratio_max"]), (2.0, 4.0))
        self.assertEqual((report["ours"]["ms"], report["ours"]["ms_min"], report["ours"]["ratio"]), (2000.0, 1000.0, 1.0))


class BlockMask(unittest.TestCase):
    def test_full_blocks_end_before_the_first_row(self):
        # Rows 4 to 7, blocks of 2 keys: block 1 ends at key 3, block 2 at key 5, block 3 at key 7.
        seen = [[True, True, False, False], [True, True, True, True]]
        partial, full = peers.split_blocks(seen, query_block=4, block=2)
        self.assertEqual(full, [[], [0, 1]])
        self.assertEqual(partial, [[0, 1], [2, 3]])


class Compiler(unittest.TestCase):
    def test_absent_compiler_is_named(self):
        with mock.patch.dict(os.environ, {"CXX": "no-such-compiler -O2"}):
            self.assertIn("needs a C++ compiler and 'no-such-compiler -O2' is not here", peers.no_compiler())
        with mock.patch.dict(os.environ, {"CXX": sys.executable}):
            self.assertIsNone(peers.no_compiler())


class Native(unittest.TestCase):
    def setUp(self):
        self.context = native.Context()
        self.kernel = self.context.kernel("window", dict(D=16, Dv=16, dtype="f32", group=2))

    def test_window_on_strided_arrays(self):
        rng = np.random.default_rng(0)
        q, k, v = (rng.standard_normal((1, heads, 70, 16)).astype(np.float32) for heads in (4, 2, 2))
        o = np.full_like(q, np.nan)
        arrays = {name: x.transpose(0, 2, 1, 3) for name, x in zip("qkv", (q, k, v))}
        self.kernel.bound(arrays, {"o": o.transpose(0, 2, 1, 3)}, {"W": 9}, threads=2)()
        t, s = np.arange(70)[:, None], np.arange(70)
        scores = np.einsum("bhtd,bhsd->bhts", q, k.repeat(2, axis=1)) / 4
        weights = np.where((s <= t) & (t - s < 9), np.exp(scores), 0)
        expected = np.einsum("bhts,bhsd->bhtd", weights / weights.sum(-1, keepdims=True), v.repeat(2, axis=1))
        self.assertLess(np.abs(o - expected).max(), 1e-5)

    def test_refusals_have_the_text_of_the_library(self):
        with self.assertRaisesRegex(native.NativeError, r"\[SA0306\] operand 'q'"):
            self.kernel.bound({}, {})()
        with self.assertRaisesRegex(native.NativeError, "arrays must be int32, float32, float16, bfloat16"):
            native.view(np.zeros(3))


if __name__ == "__main__":
    unittest.main()
