"""Random patterns: formulas and their algebra, selections, summaries and branches as trees, the text that a tree means,
and the smaller trees that shrinking tries."""

import re

# Bounds of dynamic params; a call may bring others.
PARAMS = {"W": 40, "A": 9}
ATOMS = ("s <= t", "s <= t", "s < t", "t - s < W", "0 <= t - s < W", "-7 <= t - s <= 20", "s < A", "s >= A", "t >= A",
         "s floordiv 24 == t floordiv 24", "t floordiv 16 - s floordiv 16 <= 2", "(t - s) mod 3 == 0", "s mod 5 < 2",
         "s mod 4 == t mod 4", "2 * s <= t + A", "t - s >= W", "s + A <= t", "%doc[t] == %doc[s]", "t - s == 64")
OPEN = ("first(c) <= {row}", "last(c) <= {row}", "last(c) < {row}", "last(c) <= {row} - A",
        "last(c) <= {row} and {row} - last(c) < 200", "last(c) <= {row} and first(c) >= A")


def formula(r, depth):
    if depth == 0 or r.random() < 0.35:
        return ("atom", r.choice(ATOMS))
    kind = r.choice(["and", "and", "or", "not"])
    return (kind, *(formula(r, depth - 1) for _ in range(1 if kind == "not" else 2)))


def key_set(r, depth):
    if depth == 0 or r.random() < 0.5:
        drawn = formula(r, 2)
        return ("formula", ("and", ("atom", "s <= t"), drawn) if r.random() < 0.6 else drawn)
    return (r.choice(["union", "intersect", "minus"]), *(key_set(r, depth - 1) for _ in range(r.choice([2, 2, 3]))))


def selection(r, row_blocks):
    is_open = r.random() < 0.4
    return {"kind": "select", "top": r.randint(2, 5), "by": r.choice(["mean", "minmax"]), "shared": r.random() < 0.6,
            "row_blocks": row_blocks, "where": OPEN[0] if is_open else r.choice(OPEN[1:]),
            "force": "last(1)" if is_open else r.choice(["", "", "first(1)", "last(2)"]),
            "probable": not is_open and r.random() < 0.25, "above": r.choice(["", "", " above(0.05)"]),
            "within": ("formula", ("atom", "s <= t")) if is_open or r.random() < 0.5 else None,
            "beside": key_set(r, 1) if r.random() < 0.2 else None}


def branch(r, row_blocks):
    kind = r.choice(["set", "set", "select", "select", "compressed"])
    if kind == "set":
        return {"kind": kind, "set": key_set(r, 2)}
    if kind == "select":
        return selection(r, row_blocks)
    return {"kind": kind, "where": r.choice(["last(c) <= t", "last(c) < t", "last(c) <= t - A"])}


def random_pattern(r):
    """The tree of a pattern: branches that are mixed, or a first one that is merged with what it leaves of another."""
    row_blocks = r.random() < 0.3  # lists of rows beside lists of blocks of rows are not compiled
    branches = [branch(r, row_blocks) for _ in range(r.choice([1, 1, 2, 3]))]
    sets = [part["kind"] == "set" for part in branches]
    # Distances make large scores, whose rounding the bound of `verify` knows from an lse.
    maps = ["", "", "", "20.0 * tanh(z / 20.0)"] + ["z - %slope[h] * (t - s)"] * (len(branches) == 1)
    return {"branches": branches, "merged": len(branches) == 2 and all(sets) and r.random() < 0.6, "map": r.choice(maps)}


def random_statics(r):
    """Values of the static params that a text may have."""
    l = r.choice([16, 32, 64])
    return {"b": r.choice([8, 16, 32, 64]), "qb": r.choice([16, 32, 64]), "l": l, "d": r.choice([l, l // 2])}


class Text:
    def __init__(self):
        self.lines, self.names = [], {}

    def line(self, what, name="x"):
        """Names the value of a line; a line that stands already is not repeated."""
        if what not in self.names:
            self.names[what] = f"%{name}{len(self.names)}"
            self.lines.append(f"  {self.names[what]} = sattn.{what}")
        return self.names[what]

    def condition(self, node):
        if node[0] == "atom":
            return node[1]
        parts = [f"({self.condition(part)})" for part in node[1:]]
        return f"not {parts[0]}" if node[0] == "not" else f" {node[0]} ".join(parts)

    def key_set(self, node):
        if node[0] == "formula":
            return self.line(f"set (t, s) : {self.condition(node[1])}", "keys")
        parts = list(dict.fromkeys(self.key_set(part) for part in node[1:]))
        return parts[0] if len(parts) == 1 else self.line(f"{node[0]} {', '.join(parts)}", "keys")

    def select(self, part):
        # Sums of rows are exact, and so are ties; the mean of three rows is no float32 number, and rounding would choose.
        row, q = ("t", "%q") if not part["row_blocks"] else ("u(qb)", self.line("summarize sum %q blocks(qb)", "mq"))
        ragged = " ragged" if part["where"] == OPEN[0] else ""
        summary = self.line(f"summarize {part['by']} %k blocks(b){ragged}", "mk")
        score = self.line(f"score {'bound' if part['by'] == 'minmax' else 'dot'} {q}, {summary}", "a")
        position = "t" if row == "t" else "last(u)" if ragged else "first(u)"
        where = self.line(f"set ({row}, c(b)) : {part['where'].format(row=position)}", "open")
        if part["probable"]:
            score = self.line(f"normalize {score} over {where}", "p")
        if part["shared"]:
            score = self.line(f"reduce sum {score} over h to g", "a")
        force = f" force({part['force']})" if part["force"] else ""
        chosen = self.line(f"select top({part['top']}){'' if force else part['above']} {score} where {where}{force}", "sel")
        if part["within"]:
            chosen = self.line(f"intersect {chosen}, {self.key_set(part['within'])}", "keys")
        if part["beside"]:
            chosen = self.line(f"union {chosen}, {self.key_set(part['beside'])}", "keys")
        return chosen

    def attended(self, part, scores, values, minus=None):
        if part["kind"] == "compressed":
            keys, values = (self.line(f"summarize mean %{x} blocks(l, d)", f"{x}c") for x in "kv")
            scores = self.line(f"score dot %q, {keys} scale(scale)", "zc")
            keys = self.line(f"set (t, c(l, d)) : {part['where']}", "past")
        else:
            keys = self.key_set(part["set"]) if part["kind"] == "set" else self.select(part)
        if minus:
            keys = self.line(f"minus {keys}, {minus}", "keys")
        return self.line(f"accumulate softmax {scores} over {keys}, {values}", "part"), keys

    def finish(self, tree):
        scores = None
        if any(part["kind"] != "compressed" for part in tree["branches"]):
            scores = self.line("score dot %q, %k scale(scale)", "z")
            if tree["map"]:
                scores = self.line(f"map {scores} : {tree['map']}", "y")
        first, keys = self.attended(tree["branches"][0], scores, "%v")
        if tree["merged"]:
            first = self.line(f"merge {first}, {self.attended(tree['branches'][1], scores, '%v', keys)[0]}", "both")
        elif len(tree["branches"]) > 1:
            parts = [first] + [self.attended(part, scores, "%v")[0] for part in tree["branches"][1:]]
            outputs = [self.line(f"finalize {part}", "o") for part in parts]
            terms = " + ".join(f"%gate[t, h, {i}] * {o}" for i, o in enumerate(outputs))
            return [self.line(f"mix {terms}", "o")], len(parts)
        return [self.line(f"finalize {first}", "o"), self.line(f"lse {first}", "lse")], 0


def text_of(tree, statics):
    """The pattern's text, and the static params that it has."""
    text = Text()
    results, gates = text.finish(tree)
    body = "\n".join(text.lines)
    used = lambda name: re.search(rf"(?<![%\w]){name}(?!\w)", body)
    own = {name: value for name, value in statics.items() if used(name)}
    params = [f"static {name}: int = {value}" for name, value in own.items()]
    params += [f"{name}: int = {value}" for name, value in PARAMS.items() if used(name)]
    params += ["scale: float = rsqrt(D)"]
    roles = ["%q: [t, h, D]", "%k: [s, g, D]", "%v: [s, g, Dv]"]
    roles += ["%slope: [h]"] if "%slope" in body else []
    roles += ["%doc: int[s]"] if "%doc" in body else []
    roles += [f"%gate: [t, h, {gates}]"] if gates else []
    names = ["o", "lse"][: len(results)]
    return (f"sattn.pattern @drawn<{', '.join(params)}>\n    ({', '.join(roles)}) -> ({', '.join(names)}) {{\n{body}\n"
            f"  sattn.yield {', '.join(results)}\n}}\n"), own


def smaller(node):
    """Trees that are simpler by one step, the largest steps first."""
    if isinstance(node, tuple) and node[0] in ("and", "or", "not", "union", "intersect", "minus"):
        yield from node[1:]
        if len(node) > 3:
            yield node[:-1]
        for i, part in enumerate(node[1:], 1):
            for less in smaller(part):
                yield (*node[:i], less, *node[i + 1:])
    elif isinstance(node, tuple) and node[0] == "formula":
        for less in smaller(node[1]):
            yield ("formula", less)
    elif isinstance(node, dict) and "branches" in node:
        for i in range(len(node["branches"])):
            if len(node["branches"]) > 1:
                yield node | {"branches": node["branches"][:i] + node["branches"][i + 1:], "merged": False}
        if node["map"]:
            yield node | {"map": ""}
        for i, part in enumerate(node["branches"]):
            for less in smaller(part):
                yield node | {"branches": node["branches"][:i] + [less] + node["branches"][i + 1:]}
    elif isinstance(node, dict):
        simple = {"above": "", "probable": False, "beside": None, "shared": False, "row_blocks": False}
        if node.get("where") != OPEN[0]:
            simple |= {"force": "", "within": None}
        for key, value in simple.items():
            if node.get(key):
                yield node | {key: value}
        for key in ("set", "beside"):
            for less in smaller(node[key]) if node.get(key) else ():
                yield node | {key: less}
