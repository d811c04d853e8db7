#!/usr/bin/env python3
"""What an H200 would make of our kernels, from their PTX: a bound that needs no GPU.

Counts what one turn of a kernel's loop over key tiles issues, on the path that full tiles take, and divides by what a
multiprocessor does in a clock (MACHINE). Three rules make a time of it:

  1. Of each resource (tensor cores, exponentials, issue slots, shared memory, L2) a turn takes amount / rate clocks.
  2. Warps that share a softmax (a warpgroup, or the warps of a block of mma.sync) are a context: its products and the
     rest of its turn follow each other. K contexts on a multiprocessor overlap, so that a turn takes at least path / K.
  3. The greatest of these numbers is the time of a turn.

docs/gpu_model.md has the figures and what they leave out. Registers limit the blocks of a multiprocessor where ptxas is
found; else only shared memory does.

usage: gpu_model.py [--tool build/bin/sparse-attn-opt]
"""

import argparse
import json
import random
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


@dataclass
class Machine:
    """Rates of a multiprocessor in a clock: NVIDIA's for tensor cores, exponentials, issue and shared memory. The rest is
    assumed: mma.sync at 0.62 of wgmma, 28 bytes a clock out of L2 (6.8 TB/s for all), a trip to L2."""

    processors: int = 132
    clock: float = 1.83e9  # boost; 989 TFLOP/s with 16 bits
    tensor: dict = None  # FLOP
    exponentials: float = 16
    issues: float = 4  # instructions of a warp
    shared: float = 128  # bytes
    l2: float = 28  # bytes
    registers: int = 65536
    shared_bytes: int = 227 << 10
    # What a library's dense products sustain of the peak: the clock falls under load.
    sustained: float = 0.75


MACHINE = Machine(tensor={"wgmma": 4096.0, "mma": 0.62 * 4096})

#===-- Loops of PTX --------------------------------------------------------------------------------------===//


def entry(ptx, name):
    start = ptx.index(f".entry {name}(")
    end = ptx.find(".entry ", start + 1)
    return ptx[start : end if end >= 0 else len(ptx)]


def blocks_of(text):
    """Basic blocks: their instructions and those that follow them. Labels within inline PTX are none of the graph's."""
    blocks, names, statement = [[]], {}, ""
    for line in text[text.index("{") :].split("\n"):
        line = re.sub(r"//.*", "", line).strip()
        if label := re.match(r"(\$L\w+):", line):
            blocks.append([])
            names[label[1]] = len(blocks) - 1
            continue
        statement += " " + line
        if not line.endswith((";", "{", "}", ":")):
            continue
        statement, whole = "", statement.strip()
        if whole.endswith(";") and not whole.startswith("."):
            blocks[-1].append(whole)
            if re.search(r"\bbra(\.uni)?\s+\$L|^ret", whole):
                blocks.append([])
    following = []
    for i, block in enumerate(blocks):
        last = block[-1] if block else ""
        jump = re.search(r"\bbra(?:\.uni)?\s+(\$L\w+)", last)
        ends = last.startswith(("bra", "ret"))
        following.append(([names[jump[1]]] if jump else []) + ([] if ends or i + 1 == len(blocks) else [i + 1]))
    return blocks, following


def product_loop(blocks, following):
    """Header and latch of the innermost loop with products, the one with most of them: jumps back over few blocks."""
    back = [(to, at) for at, targets in enumerate(following) for to in targets if to <= at]
    products = [sum(len(re.findall(r"^(?:wgmma\.mma_async|mma\.sync)", line)) for line in block) for block in blocks]
    loops = [(sum(products[to : at + 1]), to, at) for to, at in back]
    inner = [loop for loop in loops if loop[0] and not any(
        other[0] and other is not loop and loop[1] <= other[1] and other[2] <= loop[2] for other in loops)]
    return max(inner)[1:] if inner else None


def passed(blocks, following, header, latch):
    """Blocks of a turn: those without which the latch is not reached, and branches that access memory (rows that exist,
    tiles that come next) but are no loop. Masks of partial tiles are not passed, nor is what tiles with a value that is no
    number do: search for it, and copy an operand anew."""
    def reached(without):
        seen, todo = set(), [header]
        while todo:
            at = todo.pop()
            if at in seen or at == without or not header <= at <= latch:
                continue
            seen.add(at)
            todo += [to for to in following[at] if to != header]
        return latch in seen

    back = [(to, at) for at, targets in enumerate(following) for to in targets if to <= at]
    inner = {i for to, at in back if header < to and at < latch for i in range(to, at + 1)}
    def accesses(block):
        return any(re.match(r"(@\S+\s+)?((ld|st)\.(shared|global)|cp\.async\.c[ag])", line) for line in block)

    def rare(block):
        return any(re.match(r"selp\.f32.*, 0fFF800000,|cp\.async\.wait_all", line) for line in block)

    return [i for i in range(header, latch + 1)
            if i in (header, latch) or not reached(i) or (accesses(blocks[i]) and not rare(blocks[i]) and i not in inner)]


def walk(blocks, following, header, latch):
    """Blocks that a walk of lists passes for each unit, around the loop over the members of the unit."""
    back = [(to, at) for at, targets in enumerate(following) for to in targets if to < header and at > latch]
    outer = max(back)
    return [i for i in passed(blocks, following, *outer) if not header <= i <= latch]


def count(lines):
    """What a warp issues."""
    found = Counter()
    for line in lines:
        line = re.sub(r"^@!?%?\w+\s+", "", line)
        if product := re.match(r"wgmma\.mma_async\.sync\.aligned\.m64n(\d+)k16", line):
            found["flop"] += 64 * int(product[1]) * 16 * 2 / 4
            found["wgmma"] += 1
            fromShared = re.search(r"\}, a, b", line) is not None
            found["shared"] += (int(product[1]) * 32 + (64 * 32 if fromShared else 0)) / 4
        elif line.startswith("mma.sync.aligned.m16n8k16"):
            found["flop"] += 16 * 8 * 16 * 2
            found["mma"] += 1
            found["issue"] += 1
        elif re.match(r"(ex2|lg2|rcp|tanh|rsqrt|sqrt)\.approx", line):
            found["exp"] += 32
            found["issue"] += 1
        elif line.startswith("ldmatrix"):
            found["shared"] += 512
            found["issue"] += 1
        elif access := re.match(r"(?:ld|st)\.shared(?:\.v(\d))?\.\w?(\d+)", line):
            found["shared"] += 32 * int(access[1] or 1) * int(access[2]) // 8
            found["issue"] += 1
        elif not re.match(r"(mov|bra|add\.s64\s+[ab],|wgmma|mbarrier|setp\.\w+\.b32\s+p,|\{|\})", line):
            found["issue"] += 1
    return found


#===-- Kernels -------------------------------------------------------------------------------------------===//


@dataclass
class Turn:
    """One turn of the loop of a block."""

    rows: int  # of scores
    keys: int
    contexts: int  # of the block
    blocks: int  # on a multiprocessor
    registers: int
    clocks: dict  # by resource, of one context
    time: float  # of one context


def compiled(tool, case, stage):
    words = [tool, str(ROOT / "examples" / "patterns" / f"{case.pattern}.mlir"), "--bind", case.bind]
    return subprocess.run([*words, f"--target={case.target}", f"--emit={stage}"], check=True, capture_output=True,
                          text=True).stdout


def registers_of(ptx, target, kernel):
    if not shutil.which("ptxas"):
        return 0
    log = subprocess.run(["ptxas", f"-arch={target}", "-v", "-o", "/dev/null", "-"], input=ptx, capture_output=True,
                         text=True, check=True).stderr
    return int(re.search(rf"entry function '{kernel}'.*?Used (\d+) registers", log, re.DOTALL)[1])


def turn_of(tool, case, tile):
    machine, ptx = MACHINE, compiled(tool, case, "ptx")
    info = json.loads(compiled(tool, case, "manifest"))["kernels"]["attend"]
    blocks, following = blocks_of(entry(ptx, "attend"))
    header, latch = product_loop(blocks, following)
    found = count(line for i in passed(blocks, following, header, latch) for line in blocks[i])
    if case.rows:
        for resource, amount in count(line for i in walk(blocks, following, header, latch) for line in blocks[i]).items():
            found[resource] += amount / case.turns
    groups = found["wgmma"] > 0
    producers = (info["threads"] - tile[0] * 2) // 32 if groups else 0  # 64 rows are 128 threads
    warps = info["threads"] // 32 - producers
    contexts = warps // 4 if groups else 1
    each = warps // contexts  # warps of a context
    registers = registers_of(ptx, case.target, "attend")
    resident = machine.shared_bytes // max(info["shared"], 1)
    if registers:
        resident = min(resident, machine.registers // (info["threads"] * -(-registers // 8) * 8))
    clocks = {
        "tensor": found["flop"] * each / machine.tensor["wgmma" if groups else "mma"],
        "exp": found["exp"] * each / machine.exponentials,
        "issue": found["issue"] * each / machine.issues,
        "shared": found["shared"] * each / machine.shared,
        "L2": case.bytes_of_turn(*tile) / case.turns / contexts / machine.l2,
    }
    path = clocks["tensor"] + max(clocks["exp"], clocks["issue"])
    time = max(max(clocks.values()), path / (contexts * max(resident, 1)))
    return Turn(tile[0], tile[1], contexts, resident, registers, clocks, time)


#===-- Calls ---------------------------------------------------------------------------------------------===//


@dataclass
class Case:
    name: str
    pattern: str
    target: str
    tile: tuple
    executed: float  # scores that are computed for each useful one
    extra: str = ""
    group: int = 1
    rows: int = 0  # of a task that inverts lists
    turns: float = 1  # for each tile that is loaded
    share: float = 1  # of the scores of causal attention
    features: int = 128

    @property
    def bind(self):
        return f"dtype=bf16,D={self.features},Dv={self.features},group={self.group}{self.extra}"

    def bytes_of_turn(self, rows, keys):
        return keys * 2 * self.features * 2


def causal_executed(length, rows, keys):
    computed = sum(-(-min(first + rows, length) // keys) * keys * rows for first in range(0, length, rows))
    return computed / (length * (length + 1) / 2)


def window_executed(length, width, rows, keys):
    computed = useful = 0
    for first in range(0, length, rows):
        low, high = max(first - width + 1, 0) // keys, -(-min(first + rows, length) // keys)
        computed += (high - low) * keys * rows
    useful = sum(min(t + 1, width) for t in range(length))
    return computed / useful


def visits(generator, rows, slots, shared, units, members):
    """Turns and loaded blocks of one task whose rows choose `slots` of `units` blocks each, if neighbours share a part of
    their lists."""
    chosen, counts = generator.sample(range(units), slots), Counter()
    for _ in range(rows):
        keep = [unit for unit in chosen if generator.random() < shared]
        fresh = [unit for unit in generator.sample(range(units), units) if unit not in keep]
        chosen = keep + fresh[: slots - len(keep)]
        counts.update(chosen)
    return sum(-(-n // members) for n in counts.values()), len(counts)


def selected(rows, slots, shared, units, members, trials=40):
    """Turns for each row and slot, and for each block that is loaded."""
    generator = random.Random(7)
    turns, loaded = map(sum, zip(*(visits(generator, rows, slots, shared, units, members) for _ in range(trials))))
    return turns / trials / (rows * slots), turns / loaded


def half_selected(length, rows, shared, members, block):
    """Slots with which half of all causal blocks are chosen; turns for each chosen block of a row, and for each block
    that is loaded."""
    generator, visible = random.Random(7), [first // block + 1 for first in range(0, length, rows)]
    slots = next(n for n in range(1, length) if 2 * sum(min(n, units) for units in visible) >= sum(visible))
    tasks = [visits(generator, rows, min(slots, units), shared, units, members) for units in visible]
    turns, loaded = map(sum, zip(*tasks))
    return slots, turns / sum(min(slots, units) * rows for units in visible), turns / loaded


def task_rows(tool, case):
    return int(re.search(r"sattn_tile\.invert .* count (\d+)", compiled(tool, case, "tile"))[1])


HALF_LENGTH = 4096  # of the calls that choose half of all blocks


def cases(tool):
    length = 16384
    for target, tile in (("sm_90", (64, 64)), ("sm_90a", (128, 128))):
        yield Case("causal, T 16k", "causal", target, tile, causal_executed(length, *tile))
        yield Case("window of 512, T 16k", "window", target, tile, window_executed(length, 512, *tile))
    # Four rows of 16 heads are 64 rows of scores; the average query of 64k keys has 512 blocks of 64 before it.
    for target in ("sm_90", "sm_90a"):
        for text, shared in (("random lists", 0.0), ("neighbours share 80 %", 0.8)):
            case = Case(f"16 blocks of 64, G 16, T 64k, {text}", "topk_blocks", target, (64, 64), 0, ",b=64,n=16", 16)
            case.rows = task_rows(tool, case)
            each, case.turns = selected(case.rows, 16, shared, 512, 4)
            case.executed = 4 * each
            yield case
            slots = half_selected(HALF_LENGTH, 8, 0.0, 4, 64)[0]
            case = Case(f"half of all causal blocks of 64, G 16, T 4k, {text}", "topk_blocks", target, (64, 64), 0,
                        f",b=64,n={slots}", 16)
            case.rows = task_rows(tool, case)
            each, case.turns = half_selected(HALF_LENGTH, case.rows, shared, 4, 64)[1:]
            case.executed = 4 * each
            case.share = 0.5
            yield case


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tool", default=str(ROOT / "build" / "bin" / "sparse-attn-opt"))
    options = parser.parse_args()
    print("| call | code | blocks x contexts | clocks of a context's turn: tensor, exp, issue, shared, L2 | turn | computed per "
          "useful score | bound, useful TFLOP/s | sustained | time beside causal |")
    print("|---|---|---|---|---|---|---|---|---|")
    dense = {}
    for case in cases(options.tool):
        turn = turn_of(options.tool, case, case.tile)
        flop = 4 * case.features * turn.rows * turn.keys / turn.contexts
        bound = flop / turn.time * MACHINE.clock * MACHINE.processors / case.executed / 1e12
        code = "wgmma" if case.target == "sm_90a" else "mma.sync"
        clocks = ", ".join(f"{clocks:.0f}" for clocks in turn.clocks.values())
        rows = f", {case.rows} rows a task" if case.rows else ""
        beside = f"{case.share * dense[code] / bound:.2f}" if case.share < 1 else ""
        if case.pattern == "causal":
            dense[code] = bound * case.executed / causal_executed(HALF_LENGTH, *case.tile)
        print(f"| {case.name}{rows} | {code} | {turn.blocks} x {turn.contexts} | {clocks} | {turn.time:.0f} | "
              f"{case.executed:.2f} | {bound:.0f} | {bound * MACHINE.sustained:.0f} | {beside} |")


if __name__ == "__main__":
    main()
