#!/usr/bin/env bash
# The runtime is small and stands alone: libsattn needs the C and C++ libraries and nothing else, exports sattn_*
# names and nothing else, and is at most 1 MB stripped. usage: runtime_symbols.sh [--self-test] [LIBRARY]
set -euo pipefail
tools=/usr/lib/llvm-22/bin
limit=$((1 << 20))
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

check() { # LIBRARY
  local bad=0 name size
  [[ -e $1 ]] || { echo "$1 is missing: build it first" && return 1; }
  while read -r name; do
    [[ $name =~ ^(libc|libm|libstdc\+\+|libgcc_s|libdl|libpthread|ld-linux-x86-64)\.so ]] ||
      { echo "$1 needs $name" && bad=1; }
  done < <("$tools/llvm-readelf" -d "$1" | sed -n 's/.*(NEEDED).*\[\(.*\)\]/\1/p')
  while read -r name; do
    [[ $name == sattn_* ]] || { echo "$1 exports $name" && bad=1; }
  done < <("$tools/llvm-nm" -D --defined-only --format=just-symbols "$1")
  [[ -n $("$tools/llvm-nm" -D --defined-only --format=just-symbols "$1") ]] || { echo "$1 exports nothing" && bad=1; }
  "$tools/llvm-strip" -o "$folder/stripped.so" "$1"
  size=$(stat -c %s "$folder/stripped.so")
  [[ $size -le $limit ]] || { echo "$1 has $size bytes stripped, the limit is $limit" && bad=1; }
  return $bad
}

expect() { # VERDICT SOURCE COMPILER-ARGUMENTS...
  local verdict=$1 source=$2 found=good
  shift 2
  clang-22 -shared -fPIC -fuse-ld=lld -x c - -o "$folder/lib.so" "$@" <<<"$source"
  check "$folder/lib.so" >"$folder/log" || found=bad
  [[ $found == "$verdict" ]] || { echo "self-test: expected $verdict for: $source" && cat "$folder/log" && exit 1; }
}

self_test() {
  expect good 'int sattn_version(void) { return 1; }'
  expect bad 'int sattn_version(void) { return 1; } int helper(void) { return 2; }'
  expect bad 'int sattn_version(void) { return 1; }' -Wl,--no-as-needed -lz
  expect bad 'static int quiet; int *hidden(void) __attribute__((visibility("hidden")));'
  expect bad 'const char sattn_table[2 << 20] = {1};'
}

case ${1:-} in
  --self-test) self_test ;;
  *) cd "$(dirname "${BASH_SOURCE[0]}")/../.." && check "${1:-build/lib/libsattn.so}" ;;
esac
