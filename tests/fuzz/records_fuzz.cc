// Records of a POP's store: see record_decoders.cc.
#include <cstddef>
#include <cstdint>

#include "tests/fuzz/decoders.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    const nodex::Bytes input(reinterpret_cast<const char*>(data), size);
    (void)nodex::fuzz::accepts(nodex::fuzz::record_decoders(), input);
    return 0;
}
