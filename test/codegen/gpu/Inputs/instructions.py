"""Assembles one kernel and prints how many of each of the given instructions its machine code has.

usage: instructions.py PTX TARGET INSTRUCTION...
"""

import re
import subprocess
import sys
import tempfile


def main():
    ptx, target, wanted = sys.argv[1], sys.argv[2], sys.argv[3:]
    with tempfile.NamedTemporaryFile(suffix=".cubin") as cubin:
        subprocess.run(["ptxas", f"-arch={target}", "-o", cubin.name, ptx], check=True)
        listing = subprocess.run(["nvdisasm", "-c", cubin.name], check=True, capture_output=True).stdout.decode()
    for name in wanted:
        print(name, len(re.findall(rf"\b{name}\b", listing)))


main()
