#!/usr/bin/env bash
# Writes docs/generated from the .td files: one page for each dialect (ops, attributes, types) and one for the passes.
# usage: tools/docs.sh [FOLDER]     FOLDER stands in for docs/generated
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
folder=${1:-docs/generated}
mkdir -p "$folder"

generate() { # PAGE FILE OPTIONS...
  local page=$1 file=$2
  shift 2
  /usr/lib/llvm-22/bin/mlir-tblgen "$@" -I . -I /usr/lib/llvm-22/include "$file" |
    sed -e 's/[ \t]*$//' -e '/^\[TOC\]$/d' >"$folder/$page"
}

generate pattern.md dialects/pattern/Pattern.td -gen-dialect-doc -dialect=sattn
generate tile.md dialects/tile/TileOps.td -gen-dialect-doc -dialect=sattn_tile
generate passes.md lib/transforms/Passes.td -gen-pass-doc
