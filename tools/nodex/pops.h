// `nodex status --pops`: every POP as the centre knows it, asked through any POP's admin socket.
#pragma once
#include "tools/nodex/session.h"

namespace nodex::cli {

// A row a POP for people, of what the command "pop.list" answers: durations and sizes with units.
// What a POP has never told is "-".
Json pops_table(const Json& result);

// All POPs: a table, or with --json {"pops":[...],"epoch":...} as the centre says it.
Exit run_pops(const Settings& settings);

}  // namespace nodex::cli
