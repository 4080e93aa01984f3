// Opens the way to the centre.
#include "edge/core/central_link.h"

#include "edge/base/log.h"
#include "edge/crypto/secret_file.h"

namespace nodex::core {

Result<CentralConnection> open_central_link(const Config& config, Clock& clock) {
    if (config.central.nats.empty()) {
        log::error("start_refused",
                   {{"advice",
                     "there is no [central] with nats and link_key: write it, or start with "
                     "--standalone to run the centre in this process"}});
        return Error{ErrorCode::bad_configuration, ErrorSource::configuration};
    }
    std::string problem;
    auto address = replication::parse_server_address(config.central.nats, problem);
    if (!address) return address.error();  // load_config has said why
    auto key = crypto::read_secret_file(config.central.link_key_path);
    if (!key) return key.error();
    return CentralConnection{std::make_unique<replication::NatsTransport>(
                                 *address, PopId{config.pop_id}, clock, crypto::secure_random()),
                             *key};
}

}  // namespace nodex::core
