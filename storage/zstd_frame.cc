// See the header.
#include "storage/zstd_frame.h"

#include <zstd.h>

#include <cstdint>
#include <cstring>
#include <memory>

#include "edge/base/result.h"

namespace nodex::storage {
namespace {

struct FreeContext {
    void operator()(ZSTD_CCtx* context) const noexcept { ZSTD_freeCCtx(context); }
    void operator()(ZSTD_DCtx* context) const noexcept { ZSTD_freeDCtx(context); }
};

// One pair a thread: making a context costs more than compressing a chunk with it.
ZSTD_CCtx* compressor() {
    thread_local const std::unique_ptr<ZSTD_CCtx, FreeContext> context(ZSTD_createCCtx());
    NX_ASSERT(context != nullptr);
    return context.get();
}
ZSTD_DCtx* decompressor() {
    thread_local const std::unique_ptr<ZSTD_DCtx, FreeContext> context(ZSTD_createDCtx());
    NX_ASSERT(context != nullptr);
    return context.get();
}

// Not a skippable frame, which holds nothing, nor one of the formats from before zstd 1.0, whose
// decoders distributions still build in and nobody tests any more.
bool is_of_the_current_format(Bytes frame) noexcept {
    std::uint32_t magic = 0;
    if (frame.size() < sizeof magic) return false;
    std::memcpy(&magic, frame.data(), sizeof magic);
    return magic == ZSTD_MAGICNUMBER;
}

}  // namespace

bool append_frame(Bytes plain, int level, std::size_t frame_bytes_max, std::string& target) {
    const std::size_t offset = target.size();
    target.resize(offset + frame_bytes_max);
    const std::size_t written =
        ZSTD_compressCCtx(compressor(), target.data() + offset, frame_bytes_max, plain.data(),
                          plain.size(), level);
    const bool fits = ZSTD_isError(written) == 0;  // there is no other reason
    target.resize(fits ? offset + written : offset);
    return fits;
}

std::size_t frame_bytes_bound(std::size_t plain_bytes) noexcept {
    return ZSTD_compressBound(plain_bytes);
}

bool append_unframed(Bytes frame, std::size_t plain_bytes_max, std::string& target) {
    if (!is_of_the_current_format(frame)) return false;
    const unsigned long long told = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (told > plain_bytes_max) return false;  // also the library's two error values
    const auto plain_bytes = static_cast<std::size_t>(told);
    // The library itself would go on with a second frame, as long as that held nothing.
    if (ZSTD_findFrameCompressedSize(frame.data(), frame.size()) != frame.size()) return false;
    const std::size_t offset = target.size();
    target.resize(offset + plain_bytes);
    const std::size_t written = ZSTD_decompressDCtx(decompressor(), target.data() + offset,
                                                    plain_bytes, frame.data(), frame.size());
    if (ZSTD_isError(written) == 0 && written == plain_bytes) return true;
    target.resize(offset);
    return false;
}

}  // namespace nodex::storage
