"""hostile.py FOLDER: texts that are too large or too deep, in every way that a recursive parser can be hurt."""

import sys
from pathlib import Path

folder, many = Path(sys.argv[1]), 1_000_000
pattern = "sattn.pattern @p(%q: [t, h, D]) -> (o) {\n  %s = sattn.set (t, s) : FORMULA\n  sattn.yield %q\n}\n"
texts = {
    "brackets": "(" * many,
    "types": "module attributes {a.b = " + "tuple<" * many + "} {}",
    "spaced_types": "module attributes {a.b = " + "tuple  <" * many + "} {}",
    "commented_types": "module attributes {a.b = " + "tuple //\n <" * many + "} {}",
    "minus": "module attributes {a.b = affine_map<(d0) -> (" + "-" * many + "d0)>} {}",
    "sum": "module attributes {a.b = affine_map<(d0) -> (d0" + " + d0" * many + ")>} {}",
    "brackets_sum": "module attributes {a.b = affine_map<(d0) -> (d0" + "\n+ (d0)" * many + ")>} {}",
    "large": "//" + " " * (17 << 20),
    "nul": "a\0b",
    "nots": pattern.replace("FORMULA", "not " * many + "s <= t"),
}
for name, text in texts.items():
    (folder / f"{name}.mlir").write_text(text)
