// Packed sequences, for the tool: lengths from files or words, and the call that one sequence is alone, for the
// reference, which knows no packed calls, and for comparing bits.
#pragma once
#include "tools/sparse-attn/Invocation.h"

namespace sattn::tool {

inline bool isPacked(const Invocation &call) { return !call.cuQ.empty() || !call.cuKv.empty(); }

/// Takes the cumulative lengths and the number of sequences, where the options give some.
void readPacked(Invocation &call, const CallOptions &options);
/// The same from "17,0,300,1:900": rows, or rows:keys, of each sequence. With pages, keys are not packed: `lengths`
/// gets those of each sequence.
void parsePacked(Invocation &call, const std::string &word, std::vector<int64_t> &lengths);

/// Positions or blocks of sequence `b` along `axis`, which is packed; `ragged`: the last, partial block counts.
int64_t rowsOf(const Invocation &call, const std::string &axis, int64_t b, bool ragged);
/// Those of all sequences.
int64_t allRowsOf(const Invocation &call, const std::string &axis, bool ragged);

/// The call of sequence `b` alone; without operands it is for looking at sizes and positions.
Invocation sequenceOf(const Invocation &call, int64_t b, bool withOperands = true);

} // namespace sattn::tool
