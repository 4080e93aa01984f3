// Queries: the operator's commands on the catalogue. Prices are decimal strings: units of the
// account's currency per million of a unit kind, and per item for images.
#include "edge/base/limits.h"
#include "replication/central/queries.h"

namespace nodex::replication {
namespace {

constexpr auto image_kind = static_cast<std::size_t>(storage::Unit::image);

void write_model(const ModelEntry& model, JsonWriter& result) {
    result.string("id", model.id);
    result.integer("number", model.number);
    result.open_array("aliases");
    for (const std::string& alias : model.aliases) result.string({}, alias);
    result.close_array();
    result.string("display_name", model.display_name);
    result.string("owned_by", model.owned_by);
    result.integer("created", model.created_s);
    result.integer("context_tokens", static_cast<std::int64_t>(model.context_tokens));
    result.integer("output_tokens_max", static_cast<std::int64_t>(model.output_tokens_max));
    result.integer("image_tokens_max", static_cast<std::int64_t>(model.image_tokens_max));
    result.boolean("on_sale", model.on_sale);
    result.integer("price_version", model.price_version);
    result.open_object("prices");
    for (std::size_t kind = 0; kind < model.prices.size(); ++kind)
        result.amount(unit_name(kind),
                      kind == image_kind ? model.prices[kind] / price_unit : model.prices[kind]);
    result.close_object();
}

// Kinds that are not named cost what they are a part of: cached and cache-written input as input,
// reasoning as output. A price of zero is said as "0".
CommandResult read_prices(const JsonObject& prices, Prices& target) {
    using storage::Unit;
    constexpr auto at = [](Unit unit) { return static_cast<std::size_t>(unit); };
    std::array<bool, storage::units_count> given{};
    for (const Bytes argument : prices.names()) {
        std::size_t kind = 0;
        while (kind < target.size() && unit_name(kind) != argument) ++kind;
        if (kind == target.size())
            return Refusal{400, "unknown_argument", "no such unit: " + std::string(argument)};
        const std::optional<Nano> amount = parse_amount(prices.string(argument).value_or(""));
        if (!amount || *amount < 0)
            return bad_argument(argument, "a decimal string such as \"0.15\"");
        if (kind == image_kind && *amount > INT64_MAX / price_unit)
            return bad_argument(argument, "a smaller amount");
        target[kind] = kind == image_kind ? *amount * price_unit : *amount;
        given[kind] = true;
    }
    if (!given[at(Unit::input)] || !given[at(Unit::output)])
        return bad_argument("prices", "an object with at least input and output");
    for (const Unit part : {Unit::cached_input, Unit::cache_write_5m, Unit::cache_write_1h})
        if (!given[at(part)]) target[at(part)] = target[at(Unit::input)];
    if (!given[at(Unit::reasoning)]) target[at(Unit::reasoning)] = target[at(Unit::output)];
    return std::nullopt;
}

CommandResult read_text(const JsonObject& args, Bytes argument, std::string& target) {
    if (args.kind(argument) == JsonObject::Kind::absent) return std::nullopt;
    const std::optional<Bytes> text = args.string(argument);
    if (!text || text->size() > limits::admin_text_bytes_max)
        return bad_argument(argument, "at most 200 octets of text");
    target = std::string(*text);
    return std::nullopt;
}

CommandResult read_count(const JsonObject& args, Bytes argument, std::uint64_t& target) {
    if (args.kind(argument) == JsonObject::Kind::absent) return std::nullopt;
    const std::optional<std::int64_t> count = args.integer(argument);
    if (!count || *count < 0) return bad_argument(argument, "a whole number of tokens");
    target = static_cast<std::uint64_t>(*count);
    return std::nullopt;
}

}  // namespace

CommandResult Queries::catalog_set(const JsonObject& args, std::int64_t now_ms,
                                   JsonWriter& result) {
    using Kind = JsonObject::Kind;
    const std::initializer_list<Bytes> known = {"id",
                                                "aliases",
                                                "display_name",
                                                "owned_by",
                                                "context_tokens",
                                                "output_tokens_max",
                                                "image_tokens_max",
                                                "on_sale",
                                                "prices"};
    if (const CommandResult unknown = only(args, known)) return unknown;
    const std::optional<Bytes> id = args.string("id");
    if (!id || id->empty() || id->size() > limits::admin_text_bytes_max)
        return bad_argument("id", "1 to 200 octets of text");
    Result<std::optional<ledger::Model>> current = ledger_.model(*id);
    if (!current) return refusal(current.error());
    const std::uint64_t seen_version = *current ? (*current)->feed_version : 0;
    ModelEntry model = *current ? std::move((*current)->entry) : ModelEntry{};
    model.id = std::string(*id);
    if (args.kind("aliases") != Kind::absent) {
        std::optional<std::vector<std::string>> aliases = args.strings("aliases");
        if (!aliases || aliases->size() > limits::model_aliases_max)
            return bad_argument("aliases", "a list of at most 100 names");
        model.aliases = std::move(*aliases);
    }
    if (CommandResult bad = read_text(args, "display_name", model.display_name)) return bad;
    if (CommandResult bad = read_text(args, "owned_by", model.owned_by)) return bad;
    if (CommandResult bad = read_count(args, "context_tokens", model.context_tokens)) return bad;
    if (CommandResult bad = read_count(args, "output_tokens_max", model.output_tokens_max))
        return bad;
    if (CommandResult bad = read_count(args, "image_tokens_max", model.image_tokens_max))
        return bad;
    if (model.context_tokens == 0 || model.output_tokens_max == 0 ||
        model.output_tokens_max > model.context_tokens)
        return bad_argument("context_tokens and output_tokens_max",
                            "above 0, the second within the first");
    if (args.kind("on_sale") != Kind::absent) {
        const std::optional<bool> on_sale = args.boolean("on_sale");
        if (!on_sale) return bad_argument("on_sale", "true or false");
        model.on_sale = *on_sale;
    }
    if (const std::optional<JsonObject> prices = args.object("prices")) {
        model.prices = {};
        if (CommandResult bad = read_prices(*prices, model.prices)) return bad;
    } else if (!*current || args.kind("prices") != Kind::absent) {
        return bad_argument("prices", "an object with at least input and output");
    }
    Result<ledger::Model> saved = ledger_.set_model(model, now_ms, seen_version);
    if (!saved) return refusal(saved.error());
    write_model(saved->entry, result);
    return std::nullopt;
}

CommandResult Queries::catalog_list(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {})) return unknown;
    Result<std::vector<ledger::Model>> models = ledger_.models();
    if (!models) return refusal(models.error());
    result.open_array("models");
    for (const ledger::Model& model : *models) {
        result.open_object();
        write_model(model.entry, result);
        result.close_object();
    }
    result.close_array();
    return std::nullopt;
}

CommandResult Queries::catalog_show(const JsonObject& args, std::int64_t, JsonWriter& result) {
    if (const CommandResult unknown = only(args, {"id"})) return unknown;
    Result<std::optional<ledger::Model>> model = ledger_.model(args.string("id").value_or(""));
    if (!model) return refusal(model.error());
    if (!*model) return refusal({ErrorCode::not_found, ErrorSource::client});
    write_model((*model)->entry, result);
    return std::nullopt;
}

}  // namespace nodex::replication
