"""Each pattern of a folder verifies, prints to a fixed point (also through the generic form), stays valid when
canonicalised, cites its source, and has at most 18 lines of ops. usage: roundtrip.py FOLDER NAME..."""
import subprocess
import sys
from pathlib import Path


def opt(text, *options):
    done = subprocess.run(["sparse-attn-opt", "-", *options], input=text, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{path.name}: {done.stderr}")
    return done.stdout


folder, names = Path(sys.argv[1]), sys.argv[2:]
found = sorted(path.stem for path in folder.glob("*.mlir"))
if found != sorted(names):
    sys.exit(f"{folder} holds {found}, not {sorted(names)}")
for path in sorted(folder.glob("*.mlir")):
    text = path.read_text()
    printed = opt(text)
    if opt(printed) != printed or opt(opt(text, "-mlir-print-op-generic")) != printed:
        sys.exit(f"{path.name}: printing is not a fixed point")
    opt(opt(text, "-canonicalize", "-cse"))
    comment = text[:text.index("sattn.pattern")]
    lines = [line for line in text.splitlines() if line.startswith("  ") and "sattn." in line]
    if f"@{path.stem}<" not in text or '"' not in comment or ", 20" not in comment or not 0 < len(lines) <= 18:
        sys.exit(f"{path.name}: wants @{path.stem}, a source with its year, and at most 18 lines; has {len(lines)}")
    print(f"{path.stem}: {len(lines)} lines")
