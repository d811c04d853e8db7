"""Arrays for the tests: make.py FOLDER NAME=SHAPE[:DTYPE[:FILL]] ...

SHAPE is 1,64,2,32; DTYPE f4 (default), f2, i4, i8, bf16, or any numpy type; FILL normal (default), zero, nan, a number, or
range. Each NAME becomes FOLDER/NAME.npy. Seeded by the name.
"""

import sys
import zlib
from pathlib import Path

import numpy as np


def bf16_bits(x):
    bits = np.ascontiguousarray(x, np.float32).view(np.uint32)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(np.uint16)


def make(name, shape, dtype="f4", fill="normal"):
    shape = tuple(int(n) for n in shape.split(",") if n)
    if fill == "normal":
        x = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape)
    elif fill == "range":
        x = np.arange(int(np.prod(shape))).reshape(shape)
    else:
        x = np.full(shape, float("nan") if fill == "nan" else 0 if fill == "zero" else float(fill))
    return bf16_bits(x) if dtype == "bf16" else x.astype(dtype)


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for word in sys.argv[2:]:
        name, spec = word.split("=")
        np.save(folder / f"{name}.npy", make(name, *spec.split(":")))
