"""killed_writer.py FOLDER KILL.so [TRIES]: sparse-attn is killed while it writes its cache, and run again.

First at each step of a write in turn, on an empty cache (KILL.so, from kill_at.c, ends the process there); then TRIES
times after a random while, on one cache. Whatever the process left behind: no entry is damaged, the next run gives the
right bits without a warning, and what is left over is one file at most for each kill, which goes with time or with gc."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

folder, killer = Path(sys.argv[1]), sys.argv[2]
tries = int(sys.argv[3]) if len(sys.argv) > 3 else 40
SEED = 20
r = np.random.default_rng(SEED)
command = ["sparse-attn", "run", "window", "--param", "W=9", "--out", f"o={folder}/o.npy"]
for name in "qkv":
    np.save(folder / f"{name}.npy", r.standard_normal((1, 32, 2, 16), np.float32))
    command += ["--arg", f"{name}={folder}/{name}.npy"]


def environment(cache, **more):
    return os.environ | dict(SATTN_CACHE_DIR=str(cache)) | more


def result(cache, *options):
    """The bits of a whole run, which says nothing on stderr: a damaged entry would be a warning."""
    (folder / "o.npy").unlink(missing_ok=True)
    done = subprocess.run(command + list(options), env=environment(cache), capture_output=True, text=True)
    assert done.returncode == 0 and not done.stderr, done
    return (folder / "o.npy").read_bytes()


def temporaries(cache):
    return list(cache.glob("tmp-*"))


def check(cache, what):
    """What a killed process left is sound, and right."""
    for _ in range(2):
        done = subprocess.run(["sparse-attn", "cache", "verify"], env=environment(cache), capture_output=True, text=True)
        assert done.returncode == 0, f"{what}: {done.stdout}{done.stderr}"
        assert result(cache) == expected, f"{what}: other bits"


expected = result(folder / "whole")
oracle = result(folder / "whole", "--oracle")
assert len(oracle) == len(expected)
assert np.allclose(np.frombuffer(expected[-4096:], np.float32), np.frombuffer(oracle[-4096:], np.float32), atol=1e-5)

step = 0
while True:
    step += 1
    cache = folder / f"step{step}"
    ended = subprocess.run(command, env=environment(cache, LD_PRELOAD=killer, SATTN_KILL_AT=str(step)),
                           capture_output=True).returncode
    if ended == 0:
        break
    assert ended == -signal.SIGKILL, f"step {step}: exit status {ended}"
    assert len(temporaries(cache)) <= 1, f"step {step}"
    check(cache, f"step {step}")
    subprocess.run(["sparse-attn", "cache", "gc"], env=environment(cache), check=True, stdout=subprocess.DEVNULL)
    assert not temporaries(cache), f"step {step}: gc left a temporary file"
# Two files, each opened, written, given its mode, synchronised, renamed, and its directory synchronised.
assert step > 12, f"only {step - 1} steps were seen"

cache = folder / "many"
start = time.monotonic()
result(cache)
whole = time.monotonic() - start
chance = random.Random(SEED)
kills = 0
for attempt in range(tries):
    # Entries go, what killed processes left stays.
    for path in [*cache.glob("*.sattn"), *cache.glob("*.so")]:
        path.unlink()
    process = subprocess.Popen(command, env=environment(cache), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(chance.uniform(0.2, 1.1) * whole)
    process.kill()
    kills += process.wait() == -signal.SIGKILL
    done = subprocess.run(["sparse-attn", "cache", "verify"], env=environment(cache), capture_output=True, text=True)
    assert done.returncode == 0, f"attempt {attempt}: {done.stdout}{done.stderr}"
    if attempt % 4 == 0:
        check(cache, f"attempt {attempt}")
assert kills, "no process was killed"
assert len(temporaries(cache)) <= kills

# An hour later any write removes them: they do not pile up.
hour = time.time() - 3700
(cache / "tmp-1-0").write_bytes(b"half of an artefact")
for path in temporaries(cache):
    os.utime(path, (hour, hour))
for path in cache.glob("*.sattn"):
    path.unlink()
check(cache, "an hour later")
assert not temporaries(cache)
print(f"{step - 1} steps, {tries} random times ({kills} killed): nothing damaged")
