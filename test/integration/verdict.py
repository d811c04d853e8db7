"""Runs the tool on one call and says what is wrong with the result."""

import json
import subprocess


def execute(tool, words, environment=None, seconds=900):
    return subprocess.run([tool, *words], capture_output=True, text=True, env=environment, timeout=seconds)


def said(done):
    return (done.stderr or done.stdout).strip() or f"status {done.returncode}"


def judge(tool, words, environment, seconds=900):
    """'' where the kernel of a `verify` agrees with the oracle, else what happened."""
    done = execute(tool, [*words, "--json"], environment, seconds)
    return "" if done.returncode == 0 and json.loads(done.stdout)["agrees"] else said(done)


def available(tool, targets):
    """Targets that this machine runs."""
    words = ["verify", "causal", "--shape", "T=2,Hq=1,D=16", "--target"]
    return [target for target in targets if execute(tool, [*words, target]).returncode == 0]
