// Buckets for the writer and for Get(); a sorted view, made on demand, for iterators.
#include "storage/point_memtable.h"

#include <rocksdb/memtablerep.h>
#include <rocksdb/slice.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <new>
#include <vector>

#include "edge/base/bytes.h"
#include "edge/base/result.h"
#include "storage/rocks_slice.h"

namespace nodex::storage {
namespace {

constexpr std::size_t bytes_per_bucket = 256;
constexpr std::size_t buckets_min = 64;
constexpr std::size_t sequence_bytes = 8;  // behind the user key in an internal key: its tag

using Compare = rocksdb::MemTableRep::KeyComparator;

// In front of each row, in the memtable's arena; never changed once it is in a bucket. `next` is
// the row before this one in its bucket, `before` in the memtable: to walk those is to read memory
// in order.
struct Node {
    const Node* next = nullptr;
    const Node* before = nullptr;
    std::size_t hash = 0;

    [[nodiscard]] const char* row() const noexcept {
        return reinterpret_cast<const char*>(this + 1);
    }
    static Node* of(rocksdb::KeyHandle handle) noexcept { return static_cast<Node*>(handle); }
};

Bytes user_key(Bytes internal_key) noexcept {
    return internal_key.substr(0, internal_key.size() - sequence_bytes);
}
Bytes user_key(const Compare& compare, const char* row) noexcept {
    return user_key(bytes_of(compare.decode_key(row)));
}

// A row and the first octets of its key, as numbers that sort as they do. A shorter key ends in
// zeros: it sorts before all that it begins, or ties, and then the rows are compared.
struct Place {
    std::array<std::uint64_t, 2> start{};
    const char* row = nullptr;

    Place(Bytes key, const char* its_row) noexcept : row(its_row) {
        for (std::size_t i = 0; i < std::min(key.size(), sizeof start); ++i)
            start[i / 8] |= std::uint64_t{static_cast<unsigned char>(key[i])} << (56 - 8 * (i % 8));
    }
};

using View = std::vector<Place>;

class PointMemtable;

// Memory of an iterator that is destroyed, but not deleted by whoever asked for it.
template <class Iterator>
struct alignas(Iterator) Room {
    std::array<std::byte, sizeof(Iterator)> octets;
};

// Over all rows in order. What was inserted behind its first step is not among them: whoever
// iterates reads as of a sequence number of before.
class SortedIterator final : public rocksdb::MemTableRep::Iterator {
  public:
    explicit SortedIterator(const PointMemtable& table) noexcept : table_(table) {}
    bool Valid() const override { return view_ != nullptr && at_ < view_->size(); }
    const char* key() const override { return (*view_)[at_].row; }
    void Next() override { ++at_; }
    void Prev() override { at_ = at_ == 0 ? view_->size() : at_ - 1; }
    void Seek(const rocksdb::Slice& internal_key, const char* row) override;
    void SeekForPrev(const rocksdb::Slice& internal_key, const char* row) override;
    void SeekToFirst() override;
    void SeekToLast() override;

  private:
    void sort();
    // To the first row at or behind the target, or with `behind` behind it.
    void go_to(const rocksdb::Slice& internal_key, const char* row, bool behind);
    const PointMemtable& table_;
    std::shared_ptr<const View> view_;
    std::size_t at_ = 0;
};

// Over the rows of one user key, newest first: what Get() asks for. RocksDB's Get() of 7.8 forgets
// to delete its iterator, that of other versions may not; so this one lives in memory of its thread
// and its delete is nothing. A thread has one at a time: Get() does not call itself.
class KeyIterator final : public rocksdb::MemTableRep::Iterator {
  public:
    static KeyIterator* make(const PointMemtable& table) noexcept {
        static thread_local Room<KeyIterator> room;
        return new (room.octets.data()) KeyIterator(table);
    }
    static void operator delete(void*) noexcept {}

    bool Valid() const override { return node_ != nullptr; }
    const char* key() const override { return node_->row(); }
    void Seek(const rocksdb::Slice& internal_key, const char* row) override;
    void Next() override;
    void Prev() override { NX_ASSERT(false); }
    void SeekForPrev(const rocksdb::Slice&, const char*) override { NX_ASSERT(false); }
    void SeekToFirst() override { NX_ASSERT(false); }
    void SeekToLast() override { NX_ASSERT(false); }

  private:
    explicit KeyIterator(const PointMemtable& table) noexcept : table_(table) {}
    static void* operator new(std::size_t, void* place) noexcept { return place; }
    const PointMemtable& table_;
    const Node* node_ = nullptr;
};

class PointMemtable final : public rocksdb::MemTableRep {
  public:
    PointMemtable(const Compare& compare, rocksdb::Allocator* allocator, std::size_t buckets_count)
        : MemTableRep(allocator),
          compare_(compare),
          mask_(buckets_count - 1),
          buckets_(std::make_unique<std::atomic<const Node*>[]>(buckets_count)) {
        NX_ASSERT(std::has_single_bit(buckets_count));
    }

    rocksdb::KeyHandle Allocate(std::size_t size, char** row) override;
    void Insert(rocksdb::KeyHandle handle) override;
    bool Contains(const char* row) const override;
    void MarkReadOnly() override { read_only_.store(true, std::memory_order_release); }
    std::size_t ApproximateMemoryUsage() override { return (mask_ + 1) * sizeof(buckets_[0]); }
    Iterator* GetIterator(rocksdb::Arena* arena) override;
    Iterator* GetDynamicPrefixIterator(rocksdb::Arena* arena) override {
        return arena == nullptr ? KeyIterator::make(*this) : GetIterator(arena);
    }

    [[nodiscard]] const Compare& compare() const noexcept { return compare_; }
    // The newest row of the key in its bucket, nullptr: none. Its later ones: from `next`.
    [[nodiscard]] const Node* find(Bytes key) const noexcept {
        const std::size_t hash = hash_of(key);
        return find(buckets_[hash & mask_].load(std::memory_order_acquire), hash, key);
    }
    [[nodiscard]] const Node* find(const Node* from, std::size_t hash, Bytes key) const noexcept;
    [[nodiscard]] std::shared_ptr<const View> sorted() const;

  private:
    static std::size_t hash_of(Bytes key) noexcept { return std::hash<Bytes>{}(key); }
    [[nodiscard]] std::shared_ptr<const View> sort() const;

    const Compare& compare_;
    const std::size_t mask_;
    const std::unique_ptr<std::atomic<const Node*>[]> buckets_;
    std::atomic<const Node*> last_{nullptr};
    std::atomic<std::size_t> rows_count_{0};
    std::atomic<bool> read_only_{false};
    mutable std::mutex mutex_;                  // of what follows
    mutable std::shared_ptr<const View> kept_;  // of a memtable that is not written any more
    std::deque<Room<SortedIterator>> rooms_;
};

rocksdb::KeyHandle PointMemtable::Allocate(std::size_t size, char** row) {
    char* octets = nullptr;
    MemTableRep::Allocate(sizeof(Node) + alignof(Node) - 1 + size, &octets);  // not aligned
    const auto address = reinterpret_cast<std::uintptr_t>(octets);
    Node* const node = new (octets + (-address & (alignof(Node) - 1))) Node;
    *row = reinterpret_cast<char*>(node + 1);
    return node;
}

void PointMemtable::Insert(rocksdb::KeyHandle handle) {
    Node* const node = Node::of(handle);
    node->hash = hash_of(user_key(compare_, node->row()));
    std::atomic<const Node*>& bucket = buckets_[node->hash & mask_];
    // The only writer: nobody else stores.
    node->next = bucket.load(std::memory_order_relaxed);
    node->before = last_.load(std::memory_order_relaxed);
    bucket.store(node, std::memory_order_release);
    last_.store(node, std::memory_order_release);
    rows_count_.store(rows_count_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
}

bool PointMemtable::Contains(const char* row) const {
    const Bytes key = user_key(compare_, row);
    for (const Node* node = find(key); node != nullptr; node = find(node->next, node->hash, key))
        if (compare_(node->row(), row) == 0) return true;
    return false;
}

const Node* PointMemtable::find(const Node* from, std::size_t hash, Bytes key) const noexcept {
    while (from != nullptr && (from->hash != hash || user_key(compare_, from->row()) != key))
        from = from->next;
    return from;
}

// An iterator in an arena is destroyed, never deleted, and the arena's type is RocksDB's own: its
// memory stays with the table. A flush has one; families of this kind are not scanned.
rocksdb::MemTableRep::Iterator* PointMemtable::GetIterator(rocksdb::Arena* arena) {
    if (arena == nullptr) return std::make_unique<SortedIterator>(*this).release();
    const std::lock_guard lock(mutex_);
    return new (rooms_.emplace_back().octets.data()) SortedIterator(*this);
}

std::shared_ptr<const View> PointMemtable::sorted() const {
    if (!read_only_.load(std::memory_order_acquire)) return sort();
    const std::lock_guard lock(mutex_);
    if (!kept_) kept_ = sort();
    return kept_;
}

std::shared_ptr<const View> PointMemtable::sort() const {
    const auto view = std::make_shared<View>();
    view->reserve(rows_count_.load(std::memory_order_relaxed));
    for (const Node* node = last_.load(std::memory_order_acquire); node != nullptr;
         node = node->before)
        view->emplace_back(user_key(compare_, node->row()), node->row());
    std::sort(view->begin(), view->end(), [this](const Place& left, const Place& right) {
        if (left.start != right.start) return left.start < right.start;
        return compare_(left.row, right.row) < 0;
    });
    return view;
}

void SortedIterator::sort() {
    if (!view_) view_ = table_.sorted();
}

void SortedIterator::go_to(const rocksdb::Slice& internal_key, const char* row, bool behind) {
    sort();
    const Compare& compare = table_.compare();
    const auto found = std::partition_point(view_->begin(), view_->end(), [&](const Place& place) {
        const int order =
            row != nullptr ? compare(place.row, row) : compare(place.row, internal_key);
        return order < 0 || (behind && order == 0);
    });
    at_ = static_cast<std::size_t>(found - view_->begin());
}

void SortedIterator::Seek(const rocksdb::Slice& internal_key, const char* row) {
    go_to(internal_key, row, false);
}

void SortedIterator::SeekForPrev(const rocksdb::Slice& internal_key, const char* row) {
    go_to(internal_key, row, true);
    Prev();
}

void SortedIterator::SeekToFirst() {
    sort();
    at_ = 0;
}

void SortedIterator::SeekToLast() {
    sort();
    at_ = view_->size();
    Prev();
}

// The first row that is not newer than the sequence number in the key.
void KeyIterator::Seek(const rocksdb::Slice& internal_key, const char*) {
    const Bytes key = user_key(bytes_of(internal_key));
    node_ = table_.find(key);
    while (node_ != nullptr && table_.compare()(node_->row(), internal_key) < 0)
        node_ = table_.find(node_->next, node_->hash, key);
}

void KeyIterator::Next() {
    node_ = table_.find(node_->next, node_->hash, user_key(table_.compare(), node_->row()));
}

class PointMemtables final : public rocksdb::MemTableRepFactory {
  public:
    explicit PointMemtables(std::size_t buckets_count) noexcept : buckets_count_(buckets_count) {}
    const char* Name() const override { return "nodex.point_memtable"; }
    using MemTableRepFactory::CreateMemTableRep;
    rocksdb::MemTableRep* CreateMemTableRep(const Compare& compare, rocksdb::Allocator* allocator,
                                            const rocksdb::SliceTransform*,
                                            rocksdb::Logger*) override {
        return std::make_unique<PointMemtable>(compare, allocator, buckets_count_).release();
    }

  private:
    const std::size_t buckets_count_;
};

}  // namespace

std::shared_ptr<rocksdb::MemTableRepFactory> point_memtables(std::size_t write_buffer_bytes) {
    return std::make_shared<PointMemtables>(
        std::bit_ceil(std::max(write_buffer_bytes / bytes_per_bucket, buckets_min)));
}

}  // namespace nodex::storage
