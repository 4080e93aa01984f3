// Octets as RocksDB takes and gives them. Private to storage/.
#pragma once

#include <rocksdb/slice.h>

#include "edge/base/bytes.h"

namespace nodex::storage {

inline rocksdb::Slice slice_of(Bytes bytes) noexcept {
    return {bytes.data(), bytes.size()};
}
inline Bytes bytes_of(const rocksdb::Slice& slice) noexcept {
    return {slice.data(), slice.size()};
}

}  // namespace nodex::storage
