// What people see: JSON answers as tables and name/value lists. Whatever a server, a provider or
// another customer put into a text is shown without its control characters, so that nobody can
// drive the terminal.
#pragma once
#include <string>
#include <string_view>

#include "tools/nodex/json.h"

namespace nodex::cli {

// `text` with C0 and C1 controls and broken UTF-8 replaced by U+FFFD; line feed and tab stay when
// `lines`.
std::string printable(std::string_view text, bool lines);

// An object whose members hold one array of objects: a table with a column for each scalar, after
// it the other scalars, and how to ask for the next page when there is one. Any other object: a
// line for each scalar, nested names joined by a dot. Scalars as readable.h shows them. Amounts
// that the server gives both as integer nano-units and as a decimal (`x_nano` beside `x`) are shown
// once, decimal. Ends with a line feed.
std::string people(const Json& value);

}  // namespace nodex::cli
