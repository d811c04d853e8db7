"""damage.py FOLDER: changes one byte in the middle of every file of a cache."""

import os
import sys
from pathlib import Path

for path in Path(sys.argv[1]).rglob("*"):
    if path.is_file() and path.stat().st_size > 200:
        os.chmod(path, 0o600)
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
