// The certificate and key of the port, loaded and checked at start.
#pragma once

#include <memory>
#include <string>

struct ssl_ctx_st;

namespace selfagent {

using TlsContext = std::shared_ptr<ssl_ctx_st>;

/// A server context for TLS 1.2 and newer. Throws Error(invalid_argument) that names the file and
/// the next step if one is missing, unreadable, not PEM, or if they do not belong together.
TlsContext load_tls(const std::string& cert_file, const std::string& key_file);

/// "sha256//" and the base64 of the SHA-256 of the certificate's public key (curl's form of a pin).
std::string public_key_pin(const TlsContext& context);

}  // namespace selfagent
