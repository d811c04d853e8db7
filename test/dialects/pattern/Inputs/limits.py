"""Texts that are too big, too deep or no text: each must be refused in a sentence, in seconds, without a crash."""
import subprocess
import sys

N = 1000000
HEAD = "sattn.pattern @p<x: int = 1>(%q: [t, h, D], %k: [s, g, D], %v: [s, g, Dv]) -> (o) {\n"
TAIL = "  %z = sattn.score dot %q, %k\n  %o = sattn.attend %z over %keys, %v\n  sattn.yield %o\n}\n"


def formula(text):
    return HEAD + "  %keys = sattn.set (t, s) : " + text + "\n" + TAIL


aliases = "#a0 = [1]\n" + "".join(f"#a{i} = [#a{i - 1}]\n" for i in range(1, N // 10))
maps = "".join(f"  %a{i} = sattn.map %{'z' if i == 0 else f'a{i - 1}'} : z + {i}\n" for i in range(N // 10))
CASES = {
    "brackets": formula("(" * N + "t" + ")" * N + " < 4"),
    "unclosed": formula("[{(" * N),
    "calls": formula("first(" * N),
    "loads": formula("%q[" * N),
    "minus": formula("- " * N + "t < 4"),
    "not": formula("not " * N + "s <= t"),
    "or": formula(" or ".join(["s <= t"] * (N // 10))),
    "sum": formula(" + ".join(["t"] * 3000) + " < 4"),
    "long sum": formula(" + ".join(["t"] * N) + " < 4"),
    "affine sum": "module attributes {a.b = affine_map<(d0) -> (d0" + "\n + d0" * N + ")>} {}",
    "chain": formula(" < ".join(["t"] * N)),
    "conditions in conditions": formula("(" * 60 + "t < s" + " < s)" * 60),
    "types": "func.func private @f() -> " + "tuple<" * N,
    "types on lines": "func.func private @f() -> " + "tuple<\n" * N,
    "attributes": "module attributes {a = " + "[" * N,
    "maps": "module attributes {a.b = affine_map<(d0) -> (" + "-" * N + "d0)>} {}",
    "regions": "module {" * N,
    "aliases": aliases,
    "lines": HEAD + "  %keys = sattn.set (t, s) : s <= t\n  %z = sattn.score dot %q, %k\n" + maps
    + f"  %o = sattn.attend %a{N // 10 - 1} over %keys, %v\n  sattn.yield %o\n}}\n",
    "params": "sattn.pattern @p<" + ", ".join(f"a{i}: int" for i in range(N // 10)) + ">(%q: [t]) -> (o) {\n"
    "  sattn.yield %q\n}\n",
    "roles": "sattn.pattern @p(" + ", ".join(f"%a{i}: [t]" for i in range(N // 10)) + ") -> (o) {\n"
    "  sattn.yield %a0\n}\n",
    "digits": formula("t < " + "9" * N),
    "name": formula("a" * N),
    "value": formula("%" + "a" * N),
    "bytes": " " * (17 << 20),
    "NUL": "module {}\0",
    "quote": '"' * N,
}
for name, text in CASES.items():
    done = subprocess.run(["sparse-attn-opt", "-"], input=text.encode(), capture_output=True, timeout=60)
    error = next((line for line in done.stderr.decode().splitlines() if "error: " in line), "no message")
    if done.returncode != 1:
        sys.exit(f"{name}: exit {done.returncode}, {error}")
    print(f"{name}: {error.split('error: ', 1)[-1][:150]}")
# Beside them, what is within the limits passes.
for text in (formula("s <= t"), formula("(" * 60 + "t" + ")" * 60 + " < 4"), formula(" or ".join(["s <= t"] * 200)), ""):
    done = subprocess.run(["sparse-attn-opt", "-"], input=text.replace("<x: int = 1>", ""), capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"refused within the limits: {done.stderr}")
