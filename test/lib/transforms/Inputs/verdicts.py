"""verdicts.py FOLDER: what plain sparse-attn-opt says of each pattern of the folder, as `name: verdict`."""

import re
import subprocess
import sys
from pathlib import Path

for path in sorted(Path(sys.argv[1]).glob("*.mlir")):
    done = subprocess.run(["sparse-attn-opt", str(path)], capture_output=True, text=True)
    if done.returncode or done.stderr:
        sys.exit(f"{path.name}: status {done.returncode}: {done.stderr}")
    verdicts = re.findall(r'causal = "([^"]*)"', done.stdout)
    print(f"{path.stem}: {' and '.join(verdicts) or 'no verdict'}")
