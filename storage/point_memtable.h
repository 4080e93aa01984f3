// Memtables of families whose rows are only ever asked for by their whole key. Private to storage/.
//
// RocksDB's own memtable is a skip list: to insert a row is to search its place, and for a key of
// chance (a digest) each step of that search is a line of memory nobody has touched lately. Here
// a row goes to the head of a bucket's list and is found there. What a flush or an iterator needs
// in order is sorted when it asks: an array with the first octets of each key beside the pointer,
// which touches the rows themselves only where those are equal.
//
// The price: an iterator over such a family sorts the whole memtable (some milliseconds for 16
// MiB). Nothing that serves a request may scan one; that they can be scanned at all is for tests,
// verification and RocksDB's own work.
//
// Threads as RocksDB promises for memtables without concurrent inserts (memtablerep.h): one writer
// at a time, any number of readers beside it. The order of keys is that of their octets.
#pragma once
#include <cstddef>
#include <memory>

namespace rocksdb {
class MemTableRepFactory;
}  // namespace rocksdb

namespace nodex::storage {

// For memtables of `write_buffer_bytes`: they have a bucket of 8 octets for each 256 of them, which
// RocksDB counts towards that size but not towards that of all families together.
std::shared_ptr<rocksdb::MemTableRepFactory> point_memtables(std::size_t write_buffer_bytes);

}  // namespace nodex::storage
