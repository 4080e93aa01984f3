// Writing model lists. Fields keep the order of the vendors' own answers.
#include "edge/api/models.h"

#include <algorithm>
#include <cstdio>

#include "edge/api/json_text.h"

namespace nodex::api {
namespace {

constexpr std::uint64_t page_limit_max = 1'000;  // Anthropic's

void append_count_or_null(std::string& target, std::uint64_t count) {
    if (count == 0)
        target += "null";
    else
        target += std::to_string(count);
}

void append_openai_model(std::string& target, const ModelCard& model) {
    target += "{\"id\":";
    append_json_string(target, model.id);
    target += ",\"object\":\"model\",\"created\":";
    target += std::to_string(model.created_unix_s);
    target += ",\"owned_by\":";
    append_json_string(target, model.provider);
    target += ",\"provider\":";
    append_json_string(target, model.provider);
    target += ",\"context_window\":";
    append_count_or_null(target, model.context_tokens_max);
    target += ",\"max_output_tokens\":";
    append_count_or_null(target, model.output_tokens_max);
    target += '}';
}

void append_anthropic_model(std::string& target, const ModelCard& model) {
    target += "{\"type\":\"model\",\"id\":";
    append_json_string(target, model.id);
    target += ",\"display_name\":";
    append_json_string(target, model.display_name.empty() ? model.id : model.display_name);
    target += ",\"created_at\":\"";
    target += rfc3339(model.created_unix_s);
    target += "\",\"max_input_tokens\":";
    append_count_or_null(target, model.context_tokens_max);
    target += ",\"max_tokens\":";
    append_count_or_null(target, model.output_tokens_max);
    target += ",\"provider\":";
    append_json_string(target, model.provider);
    target += '}';
}

struct Range {
    std::size_t first = 0, last = 0;  // half open
};

std::optional<std::size_t> index_of(std::span<const ModelCard> models, Bytes id) {
    for (std::size_t index = 0; index < models.size(); ++index)
        if (models[index].id == id) return index;
    return std::nullopt;
}

ApiError refused(const char* param, std::string message) {
    return ApiError{Code::invalid_request_error, std::move(message), param, -1};
}

std::variant<Range, ApiError> select(std::span<const ModelCard> models, const ModelsPage& page) {
    if (page.limit < 1 || page.limit > page_limit_max)
        return refused("limit", "Invalid 'limit': expected a value between 1 and 1000, but got " +
                                    std::to_string(page.limit) + " instead.");
    if (page.after_id && page.before_id)
        return refused("before_id", "Only one of 'after_id' and 'before_id' may be given.");
    const std::size_t limit = static_cast<std::size_t>(page.limit);
    if (page.before_id) {
        const std::optional<std::size_t> end = index_of(models, *page.before_id);
        if (!end) return refused("before_id", "Invalid 'before_id': no such model.");
        return Range{*end - std::min(*end, limit), *end};
    }
    std::size_t first = 0;
    if (page.after_id) {
        const std::optional<std::size_t> after = index_of(models, *page.after_id);
        if (!after) return refused("after_id", "Invalid 'after_id': no such model.");
        first = *after + 1;
    }
    return Range{first, first + std::min(limit, models.size() - first)};
}

}  // namespace

std::string openai_models(std::span<const ModelCard> models) {
    std::string body = "{\"object\":\"list\",\"data\":[";
    for (const ModelCard& model : models) {
        if (&model != models.data()) body += ',';
        append_openai_model(body, model);
    }
    return body += "]}";
}

std::string openai_model(const ModelCard& model) {
    std::string body;
    append_openai_model(body, model);
    return body;
}

std::variant<std::string, ApiError> anthropic_models(std::span<const ModelCard> models,
                                                     const ModelsPage& page) {
    const std::variant<Range, ApiError> selected = select(models, page);
    if (const ApiError* error = std::get_if<ApiError>(&selected)) return *error;
    const Range range = std::get<Range>(selected);
    std::string body = "{\"data\":[";
    for (std::size_t index = range.first; index < range.last; ++index) {
        if (index != range.first) body += ',';
        append_anthropic_model(body, models[index]);
    }
    // "more" in the direction of paging
    const bool has_more = page.before_id ? range.first > 0 : range.last < models.size();
    body += has_more ? "],\"has_more\":true,\"first_id\":" : "],\"has_more\":false,\"first_id\":";
    const bool empty = range.first == range.last;
    append_json_string_or_null(body, empty ? Bytes() : models[range.first].id);
    body += ",\"last_id\":";
    append_json_string_or_null(body, empty ? Bytes() : models[range.last - 1].id);
    return body += '}';
}

std::string anthropic_model(const ModelCard& model) {
    std::string body;
    append_anthropic_model(body, model);
    return body;
}

// The civil date of a day number, by era arithmetic: no time zone, no locale, no global state as in gmtime().
std::string rfc3339(std::int64_t unix_s) {
    constexpr std::int64_t day_s = 86'400;
    constexpr std::int64_t last_s = 253'402'300'799;  // 9999-12-31T23:59:59Z
    constexpr std::int64_t days_per_era = 146'097;    // 400 years
    const std::int64_t clamped = std::clamp<std::int64_t>(unix_s, 0, last_s);
    const std::int64_t days = clamped / day_s + 719'468;  // since 0000-03-01, so that leap days end a year
    const std::int64_t era = days / days_per_era;
    const std::int64_t day_of_era = days % days_per_era;
    const std::int64_t year_of_era =
        (day_of_era - day_of_era / 1'460 + day_of_era / 36'524 - day_of_era / 146'096) / 365;
    const std::int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    const std::int64_t shifted_month = (5 * day_of_year + 2) / 153;  // 0: March
    const int day = static_cast<int>(day_of_year - (153 * shifted_month + 2) / 5 + 1);
    const int month = static_cast<int>(shifted_month < 10 ? shifted_month + 3 : shifted_month - 9);
    const int year = static_cast<int>(era * 400 + year_of_era + (month <= 2 ? 1 : 0));
    const int second_of_day = static_cast<int>(clamped % day_s);
    char text[64];
    const int size = std::snprintf(text, sizeof text, "%04d-%02d-%02dT%02d:%02d:%02dZ", year, month, day,
                                   second_of_day / 3600, second_of_day / 60 % 60, second_of_day % 60);
    return std::string(text, static_cast<std::size_t>(size));
}

}  // namespace nodex::api
