#include "config/broker_url.h"

#include <algorithm>
#include <charconv>
#include <vector>

#include "pipelines/spec/diagnostics.h"

namespace runnel {
namespace {

using Transport = BrokerUrl::Transport;

struct Scheme {
  std::string_view name;
  Transport transport;
  std::uint16_t port;
};

constexpr Scheme kSchemes[] = {
    {"mqtt", Transport::kTcp, 1883},   {"mqtts", Transport::kTls, 8883},
    {"ws", Transport::kWebSocket, 80}, {"wss", Transport::kWebSocketTls, 443},
    {"tcp", Transport::kTcp, 1883},    {"ssl", Transport::kTls, 8883},
};

bool Wrong(BrokerUrlProblem& problem, std::string message, std::string hint = {}) {
  problem = {std::move(message), std::move(hint)};
  return false;
}

const Scheme* FindScheme(std::string_view name) {
  const auto* found = std::find_if(std::begin(kSchemes), std::end(kSchemes),
                                   [name](const Scheme& scheme) { return scheme.name == name; });
  return found == std::end(kSchemes) ? nullptr : found;
}

bool UnknownScheme(std::string_view name, BrokerUrlProblem& problem) {
  std::vector<std::string_view> names;
  for (const Scheme& scheme : kSchemes) names.push_back(scheme.name);
  const std::string_view meant = DidYouMean(name, names);
  return Wrong(problem, "has an unknown scheme, expected mqtt://, mqtts://, ws:// or wss://",
               meant.empty() ? std::string() : "did you mean `" + std::string(meant) + "://`?");
}

bool IsHostCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
         c == '.' || c == '_';
}

bool IsAddressCharacter(char c) {
  return (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F') || (c >= '0' && c <= '9') || c == ':' ||
         c == '.';
}

// `host:port`, `[::1]:port`, `host`.
bool ParseAuthority(std::string_view authority, BrokerUrl& url, BrokerUrlProblem& problem) {
  std::string_view host = authority;
  std::string_view port;
  bool has_port = false;
  if (authority.starts_with('[')) {
    const std::size_t end = authority.find(']');
    if (end == std::string_view::npos) return Wrong(problem, "has `[` without `]`");
    host = authority.substr(1, end - 1);
    port = authority.substr(end + 1);
    has_port = port.starts_with(':');
    if (!port.empty() && !has_port) return Wrong(problem, "has text between `]` and the port");
    if (host.find(':') == std::string_view::npos ||
        !std::all_of(host.begin(), host.end(), IsAddressCharacter)) {
      return Wrong(problem, "has no IPv6 address between `[` and `]`");
    }
  } else {
    const std::size_t colon = std::min(authority.find(':'), authority.size());
    host = authority.substr(0, colon);
    port = authority.substr(colon);
    has_port = !port.empty();
    if (authority.find(':') != authority.rfind(':')) {
      return Wrong(problem, "has more than one colon after the host",
                   "put an IPv6 address in brackets: `[::1]`");
    }
    if (host.empty()) return Wrong(problem, "has no host");
    if (host.size() > 253 || !std::all_of(host.begin(), host.end(), IsHostCharacter)) {
      return Wrong(problem, "has a host that is neither a name nor an address");
    }
  }
  url.host = host;
  if (!has_port) return true;
  port.remove_prefix(1);
  const auto [end, error] = std::from_chars(port.data(), port.data() + port.size(), url.port);
  if (error != std::errc() || end != port.data() + port.size() || url.port == 0) {
    return Wrong(problem, "has a port that is not 1 to 65535");
  }
  return true;
}

}  // namespace

bool ParseBrokerUrl(std::string_view text, BrokerUrl& url, BrokerUrlProblem& problem) {
  const std::size_t colon = text.find("://");
  if (colon == std::string_view::npos) {
    return Wrong(problem, "has no scheme, such as mqtt:// or mqtts://",
                 text.find_first_of("@/ ") == std::string_view::npos && !text.empty()
                     ? "did you mean `mqtt://" + std::string(text) + "`?"
                     : "");
  }
  const Scheme* scheme = FindScheme(text.substr(0, colon));
  if (scheme == nullptr) return UnknownScheme(text.substr(0, colon), problem);
  url.transport = scheme->transport;
  url.port = scheme->port;
  std::string_view rest = text.substr(colon + 3);
  const std::size_t slash = std::min(rest.find_first_of("/?#"), rest.size());
  url.path = rest.substr(slash);
  rest = rest.substr(0, slash);
  if (text.find('@') != std::string_view::npos) {
    return Wrong(problem, "has a user or password in it",
                 "use the options `username` and `password`");
  }
  const bool web_socket =
      url.transport == Transport::kWebSocket || url.transport == Transport::kWebSocketTls;
  if (url.path == "/" && !web_socket) url.path.clear();
  if (!url.path.empty() && !web_socket) return Wrong(problem, "has something after the port");
  const auto printable = [](char c) { return c > ' ' && c < 0x7f && c != '#'; };
  if (!std::all_of(url.path.begin(), url.path.end(), printable)) {
    return Wrong(problem, "has a character in its path that a URL cannot have");
  }
  return ParseAuthority(rest, url, problem);
}

std::string BrokerUrl::ForPaho() const {
  constexpr std::string_view kNames[] = {"tcp://", "ssl://", "ws://", "wss://"};
  const bool address = host.find(':') != std::string::npos;
  std::string text(kNames[static_cast<std::size_t>(transport)]);
  text.append(address ? "[" + host + "]" : host).append(":").append(std::to_string(port));
  return text.append(path);
}

}  // namespace runnel
