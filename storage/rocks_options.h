// RocksDB options of the process and of each family, with reasons. Private to storage/.
#pragma once
#include <memory>

#include "storage/rocks_store.h"

// RocksDB's own headers stay in .cc files.
namespace rocksdb {
class Cache;
struct ColumnFamilyOptions;
struct DBOptions;
}  // namespace rocksdb

namespace nodex::storage {

rocksdb::DBOptions database_options(const RocksOptions& options);
// `cache` is shared by all families.
rocksdb::ColumnFamilyOptions family_options(Family family, const RocksOptions& options,
                                            const std::shared_ptr<rocksdb::Cache>& cache);

}  // namespace nodex::storage
