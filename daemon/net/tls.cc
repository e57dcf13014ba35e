#include "net/tls.h"

#include <fcntl.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/base64.h"
#include "base/error.h"
#include "base/unique_fd.h"

namespace selfagent {

namespace {

Error refusal(const std::string& message) { return Error(ErrorCode::invalid_argument, message); }

// OpenSSL's own words, for what our sentence does not say.
std::string last_reason() {
  const char* reason = ERR_reason_error_string(ERR_peek_last_error());
  ERR_clear_error();
  return reason == nullptr ? "unknown error" : reason;
}

void check_readable(const char* option, const std::string& file) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  if (fd) return;
  throw refusal(std::string("cannot read ") + option + " " + file + ": " + std::strerror(errno) +
                ". Name a PEM file that the daemon's user may read");
}

}  // namespace

TlsContext load_tls(const std::string& cert_file, const std::string& key_file) {
  if (cert_file.empty() || key_file.empty()) {
    throw refusal(cert_file.empty() ? "--tls-key needs --tls-cert FILE beside it"
                                    : "--tls-cert needs --tls-key FILE beside it");
  }
  check_readable("--tls-cert", cert_file);
  check_readable("--tls-key", key_file);
  ERR_clear_error();
  TlsContext context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  if (!context) throw Error(ErrorCode::internal, "TLS is not available: " + last_reason());
  SSL_CTX_set_min_proto_version(context.get(), TLS1_2_VERSION);
  SSL_CTX_set_options(context.get(), SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                         SSL_OP_CIPHER_SERVER_PREFERENCE |
                                         SSL_OP_IGNORE_UNEXPECTED_EOF);
  // Buffers are given back while a connection is idle, and a write may stop after any record.
  SSL_CTX_set_mode(context.get(), SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  if (SSL_CTX_use_certificate_chain_file(context.get(), cert_file.c_str()) != 1) {
    throw refusal("--tls-cert " + cert_file + " is not a certificate in PEM form (" +
                  last_reason() + "): it begins with -----BEGIN CERTIFICATE-----");
  }
  // A pass phrase would be asked for on a terminal that a daemon does not have.
  SSL_CTX_set_default_passwd_cb(context.get(), [](char*, int, int, void*) { return -1; });
  if (SSL_CTX_use_PrivateKey_file(context.get(), key_file.c_str(), SSL_FILETYPE_PEM) != 1) {
    const bool mismatch = ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_VALUES_MISMATCH ||
                          ERR_GET_REASON(ERR_peek_last_error()) == X509_R_KEY_TYPE_MISMATCH;
    const std::string reason = last_reason();
    if (mismatch) {
      throw refusal("--tls-key " + key_file + " does not belong to --tls-cert " + cert_file +
                    ": name the key that the certificate was made with");
    }
    throw refusal("--tls-key " + key_file + " is not a private key in PEM form without a pass " +
                  "phrase (" + reason + "): `openssl pkey -in FILE -out NEW` removes one");
  }
  return context;
}

std::string public_key_pin(const TlsContext& context) {
  X509* const certificate = SSL_CTX_get0_certificate(context.get());
  unsigned char* der = nullptr;
  const int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate), &der);
  if (size <= 0) throw Error(ErrorCode::internal, "the certificate has no public key");
  const std::unique_ptr<unsigned char, void (*)(unsigned char*)> owner(
      der, [](unsigned char* bytes) { OPENSSL_free(bytes); });
  unsigned char hash[EVP_MAX_MD_SIZE];
  unsigned length = 0;
  EVP_Digest(der, static_cast<size_t>(size), hash, &length, EVP_sha256(), nullptr);
  return "sha256//" + base64_encode({reinterpret_cast<const char*>(hash), length});
}

}  // namespace selfagent
