#!/usr/bin/env bash
# Writes the pages that are made from sources: in docs/generated one for each dialect (ops, attributes, types) and one for
# the passes, from the .td files; docs/errors.md, every numbered message; docs/support.md, what the tests hold each target to.
# usage: tools/docs.sh [FOLDER]     FOLDER stands in for docs
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-docs}
mkdir -p "$folder/generated"

generate() { # PAGE FILE OPTIONS...
  local page=$1 file=$2
  shift 2
  /usr/lib/llvm-22/bin/mlir-tblgen "$@" -I . -I /usr/lib/llvm-22/include "$file" |
    sed -e 's/[ \t]*$//' -e '/^\[TOC\]$/d' >"$folder/generated/$page"
}

generate pattern.md dialects/pattern/Pattern.td -gen-dialect-doc -dialect=sattn
generate tile.md dialects/tile/TileOps.td -gen-dialect-doc -dialect=sattn_tile
generate passes.md lib/transforms/Passes.td -gen-pass-doc
python3 tools/errors.py >"$folder/errors.md"
python3 test/integration/matrix.py --page "$folder/support.md"
