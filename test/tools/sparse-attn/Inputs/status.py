"""status.py N WORD...: runs the words and wants exit status N, and something said where N is not 0."""

import subprocess
import sys

result = subprocess.run(sys.argv[2:], capture_output=True, text=True)
if result.returncode != int(sys.argv[1]):
    sys.exit(f"status {result.returncode}: {result.stdout}{result.stderr}")
if result.returncode and not result.stderr:
    sys.exit("nothing on stderr")
