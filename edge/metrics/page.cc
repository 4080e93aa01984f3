// Page: see the header. Writes through prometheus-cpp's serializer.
#include "edge/metrics/page.h"

#include <prometheus/metric_family.h>
#include <prometheus/text_serializer.h>

#include <limits>

namespace nodex::metrics {
namespace {

using prometheus::ClientMetric;
using prometheus::MetricFamily;
using prometheus::MetricType;

MetricType type_of(Page::Kind kind) noexcept {
    switch (kind) {
        case Page::Kind::counter: return MetricType::Counter;
        case Page::Kind::gauge: return MetricType::Gauge;
        case Page::Kind::histogram: return MetricType::Histogram;
    }
    return MetricType::Untyped;
}

ClientMetric& append(MetricFamily& family, Labels labels) {
    ClientMetric& metric = family.metric.emplace_back();
    for (auto& [name, value] : labels) metric.label.push_back({std::move(name), std::move(value)});
    return metric;
}

}  // namespace

struct Page::State {
    std::vector<MetricFamily> families;
};

Page::Page() : state_(std::make_unique<State>()) {}
Page::~Page() = default;

Page::Family Page::family(const char* name, const char* help, Kind kind) {
    state_->families.push_back({name, help, type_of(kind), {}});
    return {*state_, state_->families.size() - 1};
}

void Page::counter(const char* name, const char* help, double value) {
    family(name, help, Kind::counter).add(value, {});
}

void Page::gauge(const char* name, const char* help, double value) {
    family(name, help, Kind::gauge).add(value, {});
}

void Page::Family::add(double value, Labels labels) {
    MetricFamily& family = page_.families[index_];
    ClientMetric& metric = append(family, std::move(labels));
    if (family.type == MetricType::Counter)
        metric.counter.value = value;
    else
        metric.gauge.value = value;
}

void Page::Family::add(const Histogram& histogram, Labels labels) {
    static constexpr std::int64_t bounds_us[] = {
        10,      25,        50,        100,       250,        500,       1'000,
        2'500,   5'000,     10'000,    25'000,    50'000,     100'000,   250'000,
        500'000, 1'000'000, 2'500'000, 5'000'000, 10'000'000, 60'000'000};
    ClientMetric& metric = append(page_.families[index_], std::move(labels));
    metric.histogram.sample_count = histogram.count();
    metric.histogram.sample_sum = static_cast<double>(histogram.sum()) / 1e9;
    for (const std::int64_t bound : bounds_us)
        metric.histogram.bucket.push_back(
            {histogram.count_at_most(static_cast<std::uint64_t>(bound) * 1'000),
             static_cast<double>(bound) / 1e6});
    metric.histogram.bucket.push_back({histogram.count(), std::numeric_limits<double>::infinity()});
}

std::string Page::text() const {
    return prometheus::TextSerializer().Serialize(state_->families);
}

}  // namespace nodex::metrics
