#!/usr/bin/env bash
# Every C and C++ file is as clang-format leaves it. usage: format.sh [--self-test]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

formatted=(clang-format-22 --style=file --dry-run --Werror --ferror-limit=1)

if [[ ${1:-} == --self-test ]]; then
  folder=$(mktemp -d)
  trap 'rm -rf "$folder"' EXIT
  cp .clang-format "$folder"
  echo 'int  f( ) {return 1 ;}' >"$folder/bad.cpp"
  echo 'int f() { return 1; }' >"$folder/good.cpp"
  "${formatted[@]}" "$folder/good.cpp" || exit 1
  if "${formatted[@]}" "$folder/bad.cpp" 2>/dev/null; then echo "a badly formatted file is accepted"; exit 1; fi
  exit 0
fi

sources() { find . \( -name .git -o -name 'build*' \) -prune -o \( -name '*.c' -o -name '*.cpp' -o -name '*.h' \) -print0; }

if ! sources | xargs -0 "${formatted[@]}"; then
  echo "mend with: git ls-files '*.c' '*.cpp' '*.h' | xargs clang-format-22 -i"
  exit 1
fi
