// PurgeThread: makes destroyed keys leave the disk. An erased row of RocksDB stays in its files
// until they are merged, and in the log until all families are flushed; this thread does both, on a
// thread of its own, at most once in limits::purge_interval. Whoever destroys a key leaves a mark
// in the same write, so that a crash does not forget it. What the device itself keeps is disk
// encryption's.
#pragma once
#include <functional>
#include <memory>

#include "edge/base/clock.h"
#include "edge/base/ids.h"
#include "storage/rocks_store.h"

namespace nodex::storage {

// Marks are the rows of CF meta in [purge_marks, purge_marks_end): "purge/" and what was destroyed.
inline constexpr Bytes purge_marks = "purge/";
inline constexpr Bytes purge_marks_end = "purge0";

// Destroys the key of a body, and marks that. Nothing when it has none here (zero ids included).
// Errors of the store. On the commit thread.
Status erase_body_key(const BodyId& body, Store& store, Batch& batch);
// Marks that something called `what` was destroyed; not the same name twice.
void mark_for_purge(Bytes what, Batch& batch);

// One pass: when there are marks, rewrites what held destroyed keys, then takes the marks away.
// Answers how many. Blocks as long as RocksDB takes; not on a thread that anybody waits for.
Result<unsigned> purge_marked(RocksStore& store);

class PurgeThread {
  public:
    // One pass, as purge_marked(): how many destructions have left the disk.
    using Pass = std::function<Result<unsigned>()>;
    // Begins at once, also with the marks of an earlier process. What `pass` uses outlives this.
    explicit PurgeThread(Pass pass);
    ~PurgeThread();  // ends after the pass under way; before the store goes

  private:
    struct State;
    std::unique_ptr<State> state_;
};

// The pass over this store, which outlives it. No error of a store that has failed: it has said so
// itself.
PurgeThread::Pass purge_pass(RocksStore& store);

}  // namespace nodex::storage
