// Directory look-ups and price(): one rounding, upwards, and no overflow that goes unseen.
#include "replication/directory.h"

#include <gtest/gtest.h>

namespace nodex::replication {
namespace {

storage::Units units_of(std::uint64_t input, std::uint64_t output) {
    storage::Units units{};
    units[static_cast<std::size_t>(storage::Unit::input)] = input;
    units[static_cast<std::size_t>(storage::Unit::output)] = output;
    return units;
}

Prices prices_of(Nano input, Nano output) {
    Prices prices{};
    prices[static_cast<std::size_t>(storage::Unit::input)] = input;
    prices[static_cast<std::size_t>(storage::Unit::output)] = output;
    return prices;
}

TEST(Price, RoundsUpOnceOverTheWholeSum) {
    EXPECT_EQ(*price(units_of(1, 1), prices_of(1, 1)), 1);
    EXPECT_EQ(*price(units_of(1'000'000, 0), prices_of(5, 7)), 5);
    EXPECT_EQ(*price(units_of(1'000'001, 0), prices_of(5, 7)), 6);
    EXPECT_EQ(*price(units_of(0, 0), prices_of(5, 7)), 0);
}

TEST(Price, HoldsTheLargestAmountAndRefusesTheNext) {
    EXPECT_EQ(*price(units_of(1'000'000, 0), prices_of(INT64_MAX, 0)), INT64_MAX);
    EXPECT_EQ(price(units_of(1'000'001, 0), prices_of(INT64_MAX, 0)).error().code,
              ErrorCode::overflow);
    EXPECT_EQ(price(units_of(UINT64_MAX, UINT64_MAX), prices_of(INT64_MAX, INT64_MAX)).error().code,
              ErrorCode::overflow);
}

TEST(Price, RefusesANegativePrice) {
    EXPECT_EQ(price(units_of(1, 1), prices_of(-1, 1)).error().code, ErrorCode::malformed);
}

TEST(Directory, FindsKeysByHashAndModelsByIdOrAlias) {
    LeaseScope lease({}, 1, 0, 0);
    KeyMeter meter;
    KeyHash hash;
    hash.octets[0] = 9;
    KeyEntry key;
    key.id = KeyId{4};
    key.account_lease = &lease;
    key.meter = &meter;
    Directory::Contents contents;
    contents.version = 12;
    contents.keys.emplace_back(hash, key);
    ModelEntry first;
    first.id = "gpt-5.4";
    first.aliases = {"latest", "gpt-5"};
    ModelEntry second_model;
    second_model.id = "latest";
    contents.models = {first, second_model};
    const Directory directory(std::move(contents));
    EXPECT_EQ(directory.version(), 12u);
    ASSERT_NE(directory.find_key(hash), nullptr);
    EXPECT_EQ(directory.find_key(hash)->id, KeyId{4});
    EXPECT_EQ(directory.find_key(KeyHash{}), nullptr);
    ASSERT_NE(directory.find_model("gpt-5"), nullptr);
    EXPECT_EQ(directory.find_model("gpt-5")->id, "gpt-5.4");
    EXPECT_EQ(directory.find_model("latest")->id, "latest");  // an id wins over an alias
    EXPECT_EQ(directory.find_model("absent"), nullptr);
}

}  // namespace
}  // namespace nodex::replication
