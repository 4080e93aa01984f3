// Certificates for development and tests, made without any outside program: an authority of our own and
// leaves signed by it (ECDSA P-256). Not for production: the authority's key lives only in this process.
#pragma once
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "edge/base/clock.h"
#include "edge/base/result.h"

namespace nodex::tls {

struct DevCertificate {
    std::string ca_pem;     // what clients are told to trust
    std::string chain_pem;  // what the server shows
    std::string key_pem;    // its private key (PKCS #8)
};

// One leaf for all `names` (DNS, "*.example.test" allowed) and `ips` (IPv4 or IPv6 literals), valid from an
// hour ago for `days`; its authority's key is forgotten on return, so the CA file can sign nothing else.
// Errors: bad_configuration(configuration): no name at all, or one that is malformed.
Result<DevCertificate> make_dev_certificate(const std::vector<std::string>& names,
                                            const std::vector<std::string>& ips, unsigned days,
                                            const Clock& clock = system_clock());

class DevAuthority {
  public:
    DevAuthority(const std::string& common_name, std::int64_t not_before_s, std::int64_t not_after_s);
    ~DevAuthority();
    DevAuthority(DevAuthority&&) noexcept;
    DevAuthority& operator=(DevAuthority&&) noexcept;

    struct Request {
        std::vector<std::string> names;
        std::vector<std::string> ips;
        std::int64_t not_before_s = 0;  // Unix time
        std::int64_t not_after_s = 0;
    };
    struct Leaf {
        std::string chain_pem;
        std::string key_pem;
    };
    Result<Leaf> issue(const Request& request) const;
    [[nodiscard]] std::string ca_pem() const;

  private:
    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace nodex::tls
