"""near.py A.npy B.npy [BOUND]: arrays of one shape agree to BOUND (default 1e-5) times the largest number; uint16 is
bfloat16. Prints what it compared."""

import sys

import numpy as np


def load(path):
    x = np.load(path)
    return (x.astype(np.uint32) << 16).view(np.float32) if x.dtype == np.uint16 else x.astype(np.float64)


a, b = load(sys.argv[1]), load(sys.argv[2])
bound = float(sys.argv[3]) if len(sys.argv) > 3 else 1e-5
if a.shape != b.shape:
    sys.exit(f"shapes {a.shape} and {b.shape}")
same = (a == b) | (np.isnan(a) & np.isnan(b))
difference = np.where(same, 0.0, np.abs(a - b))
largest = max(1e-30, np.abs(b[np.isfinite(b)]).max(initial=0))
if not (difference <= bound * largest).all():
    sys.exit(f"differ by {np.nanmax(difference)}")
print(f"agree: {a.shape}")
