// Directory: builds the look-up tables of one snapshot; and the one place where a price is
// computed.
#include "replication/directory.h"

namespace nodex::replication {

Directory::Directory(Contents contents)
    : models_(std::move(contents.models)), version_(contents.version) {
    keys_.reserve(contents.keys.size());
    for (auto& [hash, entry] : contents.keys) {
        NX_ASSERT(entry.account_lease != nullptr);
        NX_ASSERT(entry.meter != nullptr);
        keys_.insert_or_assign(hash, std::move(entry));
    }
    // Ids first: an alias that equals another model's id never hides it.
    for (std::size_t index = 0; index < models_.size(); ++index)
        model_index_.insert_or_assign(models_[index].id, index);
    for (std::size_t index = 0; index < models_.size(); ++index)
        for (const std::string& alias : models_[index].aliases) model_index_.emplace(alias, index);
}

const KeyEntry* Directory::find_key(const KeyHash& hash) const noexcept {
    const auto found = keys_.find(hash);
    return found == keys_.end() ? nullptr : &found->second;
}

const ModelEntry* Directory::find_model(Bytes id_or_alias) const noexcept {
    const auto found = model_index_.find(id_or_alias);
    return found == model_index_.end() ? nullptr : &models_[found->second];
}

// Units and prices come from providers and the centre: nothing about them may be assumed but their
// types.
Result<Nano> price(const storage::Units& units, const Prices& prices) noexcept {
    Wide total = 0;
    for (std::size_t kind = 0; kind < units.size(); ++kind) {
        if (prices[kind] < 0) return Error{ErrorCode::malformed, ErrorSource::central};
        Wide product = 0;
        if (__builtin_mul_overflow(static_cast<Wide>(units[kind]), static_cast<Wide>(prices[kind]),
                                   &product) ||
            __builtin_add_overflow(total, product, &total))
            return Error{ErrorCode::overflow, ErrorSource::self};
    }
    if (total > static_cast<Wide>(INT64_MAX) * price_unit)
        return Error{ErrorCode::overflow, ErrorSource::self};
    return round_up_price(total);
}

}  // namespace nodex::replication
