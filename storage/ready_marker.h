// ReadyMarker: the file READY beside the database, which says that the database was whole and with
// which families. RocksDB takes a cut-off manifest for a shorter history and, told to create what
// is missing, would replace families full of claims by empty ones. So a family is created only when
// no marker ever named it: in a fresh directory, or because this version of the program is the
// first to have it. Start-up only: it blocks.
#pragma once
#include <set>
#include <string>
#include <vector>

#include "edge/base/result.h"

namespace nodex::storage {

class ReadyMarker {
  public:
    // Reads `directory`/READY. An empty file is that of a version that wrote no names: it had the
    // families of schema 1. storage_failed(storage): it exists and cannot be read.
    static Result<ReadyMarker> read(const std::string& directory);

    [[nodiscard]] bool present() const noexcept { return present_; }
    // Of those that were there, the ones missing in `existing`: the database has lost them.
    [[nodiscard]] std::vector<std::string> lost(const std::vector<std::string>& existing) const;
    // Makes the file name exactly `families`, durably and in one step: after a crash it is the old
    // or the new one. Nothing is written when it names them already. False: the disk refused.
    [[nodiscard]] bool write(const std::vector<std::string>& families);

  private:
    std::string directory_;
    std::set<std::string> families_;
    bool present_ = false;
    bool named_ = false;  // the file has names in it
};

}  // namespace nodex::storage
