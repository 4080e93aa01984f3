// Weighted order of endpoints.
#include "edge/upstream/routing.h"

#include <algorithm>

#include "edge/base/limits.h"

namespace nodex::upstream {
namespace {

using Iterator = std::vector<Candidate>::iterator;

// Moves one of [first, last) to `first`: with the probability of its weight; uniformly when all are 0.
void draw_first(Iterator first, Iterator last, Random& random) {
    std::uint64_t total = 0;
    for (auto candidate = first; candidate != last; ++candidate) total += candidate->weight;
    auto chosen = first;
    if (total == 0) {
        chosen += static_cast<std::ptrdiff_t>(random.below(static_cast<std::uint64_t>(last - first)));
    } else {
        std::uint64_t rest = random.below(total);
        while (rest >= chosen->weight) rest -= (chosen++)->weight;
    }
    std::iter_swap(first, chosen);
}

void shuffle_by_weight(Iterator first, Iterator last, Random& random) {
    for (; first != last; ++first) draw_first(first, last, random);
}

}  // namespace

std::vector<std::size_t> order_candidates(std::vector<Candidate> candidates, Random& random) {
    const auto due = std::find_if(candidates.begin(), candidates.end(), [](const Candidate& candidate) {
        return candidate.standing == Standing::probe_due;
    });
    auto healthy = candidates.begin();
    if (due != candidates.end()) std::iter_swap(healthy++, due);
    const auto ejected = std::partition(healthy, candidates.end(), [](const Candidate& candidate) {
        return candidate.standing == Standing::healthy;
    });
    shuffle_by_weight(healthy, ejected, random);
    shuffle_by_weight(ejected, candidates.end(), random);

    std::vector<std::size_t> order;
    order.reserve(std::min(candidates.size(), limits::endpoints_chosen_max));
    for (const Candidate& candidate : candidates) {
        if (order.size() == limits::endpoints_chosen_max) break;
        order.push_back(candidate.endpoint);
    }
    return order;
}

}  // namespace nodex::upstream
