"""Random set formulas as text: the text that the tool prints holds the same points, judged by Python's own arithmetic.
usage: fuzz_sets.py [SEED [COUNT]]"""
import random
import re
import subprocess
import sys

seed, count = (int(x) for x in (sys.argv[1:] + ["1", "400"][len(sys.argv) - 1:]))
rng = random.Random(seed)
SUMS = ["t", "s", "t - s", "s mod 4", "t floordiv 4 - s floordiv 4", "(t - s) mod 3", "2 * t - 4 * s", "s - S", "t - W",
        "-(t - 2 * (s - 1))", "t - s * 3 mod 4", "- t mod 3 + s", "(t + W) floordiv 2 mod 3"]
NUMBERS = ["0", "1", "3", "-2", "W", "W - 1", "2 * S", "S + 1", "-S"]
POINTS = [(t, s, W, S) for W in (1, 3, 6) for S in (0, 2, 5) for t in range(14) for s in range(14)]


def formula(depth):
    kind = rng.random()
    if depth == 0 or kind < 0.3:
        a, b = rng.choice(SUMS), rng.choice(SUMS + NUMBERS)
        compare = rng.choice(["<", "<=", "==", ">", ">="])
        return rng.choice([f"{rng.choice(NUMBERS)} <= {a} < {b}", f"{a} {compare} {b}", "s <= t", f"{b} >= {a} > s - W"])
    if kind < 0.45:
        return f"not {formula(depth - 1)}" if rng.random() < 0.5 else f"not ({formula(depth - 1)})"
    left, right = formula(depth - 1), formula(depth - 1)
    if rng.random() < 0.5:
        left = f"({left})"
    if rng.random() < 0.5:
        right = f"({right})"
    return f"{left} {rng.choice(['and', 'or'])} {right}"


def python(text):
    """The formula as a Python function; the languages agree in precedence and in chained comparisons."""
    text = re.sub(r"\bfloordiv\b", "//", re.sub(r"\bmod\b", "%", text)).replace("not all", "False").replace("all", "True")
    return eval(f"lambda t, s, W, S: bool({text})")


sources = []
while len(sources) < count:
    text = formula(3)
    if any(python(text)(*point) for point in POINTS):
        sources.append(text)
pattern = """sattn.pattern @p{}<W: int, S: int>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {{
  %a = sattn.set (t, s) : {}
  %b = sattn.set (t, s) : 0 <= W + S
  %keys = sattn.intersect %a, %b
  %z = sattn.score dot %q, %k
  %o = sattn.attend %z over %keys, %v
  sattn.yield %o
}}
"""


def run(texts):
    """One tool run for all; each formula stands in a part of its own, so a refused one does not hide the others. The
    empty pipeline leaves out the proofs: most formulas leak."""
    whole = "// -----\n".join(pattern.format(i, text) for i, text in enumerate(texts))
    command = ["sparse-attn-opt", "-split-input-file", "--pass-pipeline=builtin.module()", "-"]
    done = subprocess.run(command, input=whole, capture_output=True, text=True)
    found = dict(re.findall(r"@p(\d+)<.*?sattn\.set \(t, s\) : ([^\n]*)", done.stdout, re.DOTALL))
    return found, re.findall(r"error: (.*)", done.stderr)


printed, errors = run(sources)
if any("has more than 64 disjuncts" not in error for error in errors) or len(printed) + len(errors) != count:
    sys.exit(f"seed {seed}: refused with {set(errors)}")
for i, text in printed.items():
    source, canonical = python(sources[int(i)]), python(text)
    for point in POINTS:
        if source(*point) != canonical(*point):
            sys.exit(f"seed {seed}: differ at (t, s, W, S) = {point}\n source    {sources[int(i)]}\n canonical {text}")
again, errors = run([printed.get(str(i), "all") for i in range(count)])
if errors or any(again[i] != text for i, text in printed.items()):
    sys.exit(f"seed {seed}: printing is not a fixed point: {errors}")
print(f"{len(printed)} formulas keep their points, {count - len(printed)} are too big")
