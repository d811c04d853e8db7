// Which calls take which kernels. A program has one form for all calls, or one for calls of many rows and one for calls
// of few, and of those of many rows perhaps one for calls of few keys; each walks its keys in its own way, a dataflow.
// `dataflow=KIND` of the bind gives one of them all calls.
#pragma once
#include "lib/transforms/kernels/Context.h"

namespace sattn::lower {

/// The dataflows that a pattern has on a target.
struct Dataflows {
  StringRef usual;       ///< range, inverted, listed or gathered
  StringRef few;         ///< split, lists or gathered: that of calls of few rows; empty where they take the usual one
  StringRef brief;       ///< masked: that of calls of many rows and few keys; empty where there is none
  int64_t briefKeys = 0; ///< as many keys are few; 0: `brief` is for calls that are bound to it
};

/// One of them, with what its kernels are built in.
struct Form {
  Context *context;
  StringRef dataflow;
};

/// `tokens`: the pattern selects single tokens. Its accumulations must have a `dataflow`.
Dataflows dataflowsOf(Context &context, bool tokens);

/// The forms that the program has, with the calls of each; refuses a bound dataflow that is none of `kinds`.
FailureOr<SmallVector<Form, 3>> formsOf(Context &usual, Context &few, Context &brief, Dataflows kinds);

} // namespace sattn::lower
