// What an operator asks of a body in a URL, and what is answered.
#pragma once
#include <optional>

#include "edge/base/bytes.h"
#include "edge/base/ids.h"
#include "replication/body_fetcher.h"

namespace nodex::admin {

struct BodyPath {
    RequestId request;
    replication::BodyKind kind{};
};
// "/admin/bodies/" 32 hex digits "/answer" or "/request"; nothing else.
std::optional<BodyPath> parse_body_path(Bytes path);

struct BodyAnswer {
    int status = 200;
    const char* code = "";
    const char* message = "";
};
BodyAnswer answer_of(replication::BodyOutcome outcome) noexcept;

}  // namespace nodex::admin
