// What a member of an answer says to people, by its name: times as dates, limits of zero as none.
#pragma once
#include <string>

#include "tools/nodex/json.h"

namespace nodex::cli {

// The text of `member`, a scalar or a list of scalars, as a person reads it; not yet printable(). A
// number that is no time, or no limit, shows its digits as they came; null shows as "none".
std::string readable(const JsonMember& member);

// The name of a column or line: without the unit that a date does not have ("settled" of
// "settled_ms").
std::string readable_name(const JsonMember& member);

// Whether a person can do without it: "object", which names the kind of answer (the command has
// said it).
bool is_noise(const JsonMember& member);

}  // namespace nodex::cli
