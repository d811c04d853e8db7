#!/usr/bin/env bash
# Builds what is missing and runs every test: units and integration (ctest), IR (lit), the checks of tools/check, and
# the runtime again under the address and the thread sanitizer. Ends with one line, `N passed, N failed`.
set -euo pipefail
export LC_ALL=C.UTF-8
cd "$(dirname "${BASH_SOURCE[0]}")/.."

usage() {
  cat <<'TEXT'
usage: tools/test.sh [--full]
  --full   also the long suites, and the whole compiler under the address sanitizer (an hour on 2 cores)
Exit status: 0 when every test passed, 1 otherwise.
TEXT
}

full=
case ${1:-} in
  "") ;;
  --full) full=1 ;;
  -h | --help) usage && exit ;;
  *) usage >&2 && exit 2 ;;
esac

results=$PWD/build/test/results
jobs=$(nproc)
reports=()

# ctest in a build folder; long tests carry the label `full`.
run_ctest() { # NAME FOLDER
  local label=(-LE '^full$')
  [[ -z $full ]] || label=()
  reports+=("ctest:$1:$results/$1.xml")
  ctest --test-dir "$2" -j "$jobs" --timeout 900 --output-on-failure --no-tests=error "${label[@]}" \
    --test-output-size-passed 1000000 --test-output-size-failed 1000000 --output-junit "$results/$1.xml" || true
}

run_lit() { # NAME FOLDER
  local suite=()
  [[ -z $full ]] || suite=(--param full=1)
  reports+=("lit:$1:$results/$1.xml")
  /usr/lib/llvm-22/bin/lit -sv "${suite[@]}" --xunit-xml-output "$results/$1.xml" "$2/test/lit" || true
}

# A sanitizer ends the program at an allocation that no machine can serve; without one it fails, which is what is tested.
export ASAN_OPTIONS=allocator_may_return_null=1 TSAN_OPTIONS=allocator_may_return_null=1

# Configures and builds a preset beside build/ and runs its units; a preset that does not build counts as a failure.
run_sanitized() { # PRESET FOLDER
  echo "== $1"
  if cmake --preset "$1" >"$results/$1.log" 2>&1 && cmake --build "$2" -j "$jobs" >>"$results/$1.log" 2>&1; then
    run_ctest "$1" "$2"
  else
    tail -n 40 "$results/$1.log"
    reports+=("ctest:$1:$results/$1.xml")
  fi
}

tools/setup.sh
rm -rf "$results"
mkdir -p "$results"

echo "== units and integration"
run_ctest units build
echo "== lit"
run_lit lit build
echo "== checks"
reports+=("checks:checks:$results/checks.txt")
tools/check/all.sh | tee "$results/checks.txt" || true
run_sanitized runtime-asan build-runtime-asan
run_sanitized tsan build-tsan
if [[ -n $full ]]; then
  run_sanitized asan-ubsan build-asan
  run_lit asan-lit build-asan
fi

echo "== result"
exec build/venv/bin/python3 tools/tally.py "${reports[@]}"
