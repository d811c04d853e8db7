"""Assembles a module and prints how many of each of the given instructions the machine code of its kernel `attend` has.

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
    attend = re.search(r"\.section\s+\.text\.attend,.*?(?=\.section\s|\Z)", listing, re.DOTALL).group()
    for name in wanted:
        print(name, len(re.findall(rf"\b{name}\b", attend)))


main()
