#!/usr/bin/env bash
# Runs every check of this folder after its own self-test, and prints PASS or FAIL for each; what a failing check found
# follows its line, indented. usage: all.sh [CHECK...]
set -uo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")" || exit 1
python=../../build/venv/bin/python3
[[ -x $python ]] || python=python3

checks=("$@")
[[ $# -gt 0 ]] || checks=(layers file_length words format headers messages generated_docs examples runtime_symbols)
bad=0
for check in "${checks[@]}"; do
  if [[ -e $check.sh ]]; then command=(bash "$check.sh"); else command=("$python" "$check.py"); fi
  # The self-test speaks only when it fails: a check that cannot fail is worth nothing.
  if output=$("${command[@]}" --self-test 2>&1) && output=$("${command[@]}" 2>&1); then
    echo "PASS $check"
  else
    echo "FAIL $check"
    bad=1
  fi
  [[ -z $output ]] || printf '%s\n' "$output" | sed 's/^/    /'
done
exit $bad
