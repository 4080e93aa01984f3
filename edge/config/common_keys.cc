// Keys in common: see the header.
#include "edge/config/common_keys.h"

namespace nodex::config {

bool is_loopback(std::string_view address) noexcept {
    return address.starts_with("127.") || address.starts_with("[::1]:");
}

void read_log_level(Section& section, log::Level& target) {
    using log::Level;
    section.choice("level",
                   {{"debug", Level::debug},
                    {"info", Level::info},
                    {"warning", Level::warning},
                    {"error", Level::error}},
                   target);
}

void read_metrics_listener(Section& section, std::string& target) {
    section.text("metrics", target);
    if (!target.empty() && !is_loopback(target))
        section.fail("metrics", "must be a loopback address: metrics are not for the public");
}

}  // namespace nodex::config
