"""numpy in, numpy out: the command-line tool `sparse-attn` as Python functions, for tests, demo and benchmarks.

Arrays are [B, T, H, D]. float32, float16 and int32 arrays travel as they are; a uint16 array is bfloat16 bits, going in
and coming out (`bf16_bits` and `widen` convert). A refusal of the tool is a ToolError with the tool's own text.
"""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
TOOL = ROOT / "build" / "bin" / "sparse-attn"


class ToolError(Exception):
    pass


def bf16_bits(x):
    """float32 to bfloat16 bits, round to nearest even."""
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def widen(x):
    """Any array of numbers as float32; uint16 is taken for bfloat16 bits."""
    if x.dtype == np.uint16:
        return (x.astype(np.uint32) << 16).view(np.float32)
    return x.astype(np.float32)


def call(*words):
    """Runs `sparse-attn WORDS...` and returns what it printed."""
    try:
        result = subprocess.run([str(TOOL), *map(str, words)], capture_output=True, text=True)
    except FileNotFoundError:
        raise ToolError(f"{TOOL.relative_to(ROOT)} is missing: run tools/setup.sh first") from None
    if result.returncode:
        text = (result.stderr or result.stdout).strip()
        raise ToolError(text or f"sparse-attn {words[0]} ended with status {result.returncode}")
    return result.stdout


def call_json(*words):
    return json.loads(call(*words, "--json"))


def options(params):
    return [word for name, value in (params or {}).items() for word in ("--param", f"{name}={value}")]


def saved(folder, args):
    """Writes the operands into the folder and returns the words that name them."""
    words = []
    for name, array in args.items():
        array = np.ascontiguousarray(array)
        np.save(f"{folder}/{name}.npy", array)
        words += ["--arg", f"{name}{':bf16' if array.dtype == np.uint16 else ''}={folder}/{name}.npy"]
    return words


def run(pattern, args, params=None, outs=("o",), *, oracle=False, target="", q_offset=None):
    """Results by name. `pattern` is a path or the name of a shipped pattern, `args` maps roles to arrays."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["run", pattern, *saved(folder, args), *options(params)]
        if q_offset is not None:
            words += ["--q-offset", q_offset]
        if oracle:
            words.append("--oracle")
        elif target:
            words += ["--target", target]
        for name in outs:
            words += ["--out", f"{name}={folder}/{name}.out.npy"]
        call(*words)
        return {name: np.load(f"{folder}/{name}.out.npy") for name in outs}


def verify(pattern, args, params=None, *, rows="", target=""):
    """Compares compiled kernels with the oracle; `rows` is a count or `count,seed`. Returns the report of the tool."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["verify", pattern, *saved(folder, args), *options(params)]
        words += ["--rows", rows] if rows else []
        words += ["--target", target] if target else []
        return call_json(*words)


def bench(pattern, args=None, params=None, *, shape="", repeat=0):
    """Times a kernel on arrays, or on random ones of `shape`. Returns the report of the tool."""
    with tempfile.TemporaryDirectory() as folder:
        words = ["bench", pattern, *saved(folder, args or {}), *options(params)]
        words += ["--shape", shape] if shape else []
        words += ["--repeat", repeat] if repeat else []
        return call_json(*words)
