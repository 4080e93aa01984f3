// Reads the list of POPs page by page, and lays it out for people.
#include "tools/nodex/pops.h"

#include <cstdint>
#include <cstdlib>
#include <utility>
#include <variant>

#include "tools/nodex/admin.h"

namespace nodex::cli {
namespace {

constexpr unsigned pages_max = 100;  // of a thousand POPs

// Counters and durations are whole numbers that fit; anything else shows as it is.
std::optional<std::uint64_t> whole(const Json& pop, std::string_view name) {
    const Json* value = pop.find(name);
    if (value == nullptr || value->kind() != Json::Kind::number) return std::nullopt;
    return std::strtoull(value->text().c_str(), nullptr, 10);
}

std::string tenths(std::uint64_t value, std::uint64_t unit, const char* name) {
    const std::uint64_t tenth = value / (unit / 10);
    return std::to_string(tenth / 10) + "." + std::to_string(tenth % 10) + " " + name;
}

std::string duration(std::uint64_t ms) {
    constexpr std::uint64_t second = 1'000, minute = 60 * second, hour = 60 * minute,
                            day = 24 * hour;
    if (ms < second) return std::to_string(ms) + " ms";
    if (ms < minute) return tenths(ms, second, "s");
    if (ms < hour) return tenths(ms, minute, "min");
    if (ms < 3 * day) return tenths(ms, hour, "h");
    return tenths(ms, day, "d");
}

std::string size(std::uint64_t bytes) {
    constexpr std::uint64_t mega = 1'000'000;
    if (bytes < 1'000) return std::to_string(bytes) + " B";
    if (bytes < mega) return tenths(bytes, 1'000, "kB");
    if (bytes < 1'000 * mega) return tenths(bytes, mega, "MB");
    return tenths(bytes, 1'000 * mega, "GB");
}

template <class Format>
Json shown(const Json& pop, std::string_view name, Format format) {
    const std::optional<std::uint64_t> value = whole(pop, name);
    return Json::string(value ? format(*value) : "-");
}

Json as_it_is(const Json& pop, std::string_view name) {
    const Json* value = pop.find(name);
    return value == nullptr ? Json::string("-") : *value;
}

}  // namespace

Json pops_table(const Json& result) {
    Json table = Json::array();
    const Json* pops = result.find("pops");
    if (pops == nullptr) return table;
    for (const Json& pop : pops->items()) {
        Json row = Json::object();
        row.set("pop", as_it_is(pop, "pop"));
        row.set("name", as_it_is(pop, "name"));
        row.set("heard", shown(pop, "heard_s",
                               [](std::uint64_t s) { return duration(s * 1'000) + " ago"; }));
        row.set("up", shown(pop, "uptime_s", [](std::uint64_t s) { return duration(s * 1'000); }));
        row.set("incarnation", as_it_is(pop, "incarnation"));
        row.set("epoch", as_it_is(pop, "epoch"));
        row.set("lag", shown(pop, "lag_ms", duration));
        row.set("outbox", as_it_is(pop, "outbox_depth"));
        row.set("leases", as_it_is(pop, "leases"));
        for (const char* amount : {"granted", "settled", "headroom"})
            row.set(amount, as_it_is(pop, amount));
        row.set("copies", shown(pop, "copies_kept_bytes", size));
        row.set("claims", as_it_is(pop, "claims_asked"));
        row.set("version", as_it_is(pop, "version"));
        table.push(std::move(row));
    }
    return table;
}

Exit run_pops(const Settings& settings) {
    Json all = Json::object(), pops = Json::array();
    std::string after = "0";
    for (unsigned page = 0; page < pages_max; ++page) {
        Json args = Json::object();
        args.set("after", Json::number(after));
        std::variant<Json, Exit> answer = ask_admin(settings, "pop.list", std::move(args));
        if (const Exit* failed = std::get_if<Exit>(&answer)) return *failed;
        const Json& result = std::get<Json>(answer);
        const Json* listed = result.find("pops");
        for (std::size_t i = 0; listed != nullptr && i < listed->items().size(); ++i) {
            const Json& pop = listed->items()[i];
            after = std::string(pop.text_of("pop"));
            pops.push(pop);
        }
        all.set("pops", pops);
        if (const Json* epoch = result.find("epoch")) all.set("epoch", *epoch);
        if (result.text_of("has_more") != "true") break;
    }
    if (settings.json) return show(settings, all);
    Json table = Json::object();
    table.set("pops", pops_table(all));
    if (const Json* epoch = all.find("epoch")) table.set("epoch of the ledger", *epoch);
    return show(settings, table);
}

}  // namespace nodex::cli
