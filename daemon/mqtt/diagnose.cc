#include "daemon/mqtt/diagnose.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <memory>
#include <system_error>

#include "daemon/posix/fd.h"

namespace runnel {
namespace {

struct FreeAddresses {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;

struct FreeContext {
  void operator()(SSL_CTX* context) const { SSL_CTX_free(context); }
};
struct FreeSsl {
  void operator()(SSL* ssl) const { SSL_free(ssl); }
};

std::string Words(int error) {
  if (error == ECONNREFUSED) return "connection refused: nothing listens on that port";
  std::string words = std::strerror(error);
  if (!words.empty()) words[0] = static_cast<char>(std::tolower(words[0]));
  return words;
}

Result<Addresses> Resolve(const BrokerUrl& url) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const int error = getaddrinfo(url.host.c_str(), std::to_string(url.port).c_str(), &hints, &list);
  if (error == 0) return Addresses(list);
  return Error{ErrorKind::kRetry,
               "the host name `" + url.host + "` has no address: " + gai_strerror(error)};
}

// A connected socket, or errno.
int ConnectOne(const addrinfo& address, std::chrono::milliseconds timeout, Fd& connected) {
  Fd fd(socket(address.ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return errno;
  if (connect(fd.get(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS) return errno;
    pollfd ready{fd.get(), POLLOUT, 0};
    if (poll(&ready, 1, static_cast<int>(timeout.count())) != 1) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof error;
    if (getsockopt(fd.get(), SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
    if (error != 0) return error;
  }
  connected = std::move(fd);
  return 0;
}

std::string LastTlsError() {
  const unsigned long code = ERR_peek_last_error();
  const char* words = code == 0 ? nullptr : ERR_reason_error_string(code);
  ERR_clear_error();
  if (ERR_SYSTEM_ERROR(code)) return std::system_category().message(ERR_GET_REASON(code));
  return words == nullptr ? "the broker closed the connection" : words;
}

// What SSL_connect or SSL_read wants is waited for; true: call it again.
bool WaitForTls(SSL* ssl, int result, std::chrono::milliseconds timeout) {
  const int error = SSL_get_error(ssl, result);
  if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) return false;
  pollfd ready{SSL_get_fd(ssl), static_cast<short>(error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT),
               0};
  return poll(&ready, 1, static_cast<int>(timeout.count())) == 1;
}

// The files of `tls`, as Paho loads them; what is wrong with them, or empty.
std::string LoadTlsFiles(SSL_CTX* context, const MqttTls& tls) {
  if (tls.ca.empty()) {
    SSL_CTX_set_default_verify_paths(context);
  } else if (SSL_CTX_load_verify_locations(context, tls.ca.c_str(), nullptr) != 1) {
    return "the authorities in `" + tls.ca + "` cannot be used: " + LastTlsError();
  }
  if (tls.cert.empty()) return {};
  if (SSL_CTX_use_certificate_chain_file(context, tls.cert.c_str()) != 1) {
    return "the certificate in `" + tls.cert + "` cannot be used: " + LastTlsError();
  }
  const std::string& key = tls.key.empty() ? tls.cert : tls.key;
  std::string password = tls.key_password;
  SSL_CTX_set_default_passwd_cb_userdata(context, password.data());
  SSL_CTX_set_default_passwd_cb(context, [](char* room, int size, int, void* text) {
    const std::size_t length = std::strlen(static_cast<const char*>(text));
    if (length > static_cast<std::size_t>(size)) return 0;
    std::memcpy(room, text, length);
    return static_cast<int>(length);
  });
  const bool usable = SSL_CTX_use_PrivateKey_file(context, key.c_str(), SSL_FILETYPE_PEM) == 1;
  SSL_CTX_set_default_passwd_cb_userdata(context, nullptr);
  return usable ? "" : "the private key in `" + key + "` cannot be used: " + LastTlsError();
}

void SetHost(SSL* ssl, const std::string& host) {
  X509_VERIFY_PARAM* parameters = SSL_get0_param(ssl);
  if (X509_VERIFY_PARAM_set1_ip_asc(parameters, host.c_str()) != 1) {
    ERR_clear_error();
    X509_VERIFY_PARAM_set1_host(parameters, host.c_str(), host.size());
    SSL_ctrl(ssl, SSL_CTRL_SET_TLSEXT_HOSTNAME, TLSEXT_NAMETYPE_host_name,
             const_cast<char*>(host.c_str()));
  }
}

// What stops TLS with this broker; empty when nothing does.
std::string DiagnoseTls(int fd, const std::string& host, const MqttTls& tls,
                        std::chrono::milliseconds timeout) {
  ERR_clear_error();
  const std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_client_method()));
  if (context == nullptr) return LastTlsError();
  if (std::string wrong = LoadTlsFiles(context.get(), tls); !wrong.empty()) return wrong;
  const std::unique_ptr<SSL, FreeSsl> ssl(SSL_new(context.get()));
  if (ssl == nullptr) return LastTlsError();
  SetHost(ssl.get(), host);
  const bool verify = tls.verification == TlsVerification::kFull;
  SSL_set_verify(ssl.get(), verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, nullptr);
  SSL_set_fd(ssl.get(), fd);
  int result = SSL_connect(ssl.get());
  while (result != 1 && WaitForTls(ssl.get(), result, timeout)) result = SSL_connect(ssl.get());
  const long verified = SSL_get_verify_result(ssl.get());
  if (verify && verified != X509_V_OK) {
    return std::string("the broker's certificate is not accepted: ") +
           X509_verify_cert_error_string(verified);
  }
  if (result != 1) return "the TLS handshake failed: " + LastTlsError();
  // TLS 1.3 refuses a client's certificate after the handshake.
  char byte = 0;
  result = SSL_read(ssl.get(), &byte, 1);
  while (result != 1 && WaitForTls(ssl.get(), result, timeout)) {
    result = SSL_read(ssl.get(), &byte, 1);
  }
  if (SSL_get_error(ssl.get(), result) != SSL_ERROR_SSL) return {};
  return "the broker ended the TLS session: " + LastTlsError();
}

}  // namespace

Status ResolveHost(const BrokerUrl& url) {
  const Result<Addresses> addresses = Resolve(url);
  return addresses.ok() ? Status() : Status(addresses.error());
}

Error DiagnoseConnect(const BrokerUrl& url, const MqttTls& tls, std::chrono::milliseconds timeout) {
  const Result<Addresses> addresses = Resolve(url);
  if (!addresses.ok()) return addresses.error();
  int error = 0;
  Fd fd;
  for (const addrinfo* one = addresses.value().get(); one != nullptr; one = one->ai_next) {
    error = ConnectOne(*one, timeout, fd);
    if (error == 0) break;
  }
  if (!fd.valid()) return Error{ErrorKind::kRetry, Words(error)};
  if (url.tls()) {
    std::string wrong = DiagnoseTls(fd.get(), url.host, tls, timeout);
    if (!wrong.empty()) return Error{ErrorKind::kFix, std::move(wrong)};
  }
  return Error{ErrorKind::kRetry,
               "the broker accepts connections, but did not answer CONNECT or closed"};
}

}  // namespace runnel
