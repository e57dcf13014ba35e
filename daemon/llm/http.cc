#include "llm/http.h"

#include <curl/curl.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <exception>

#include "base/clock.h"
#include "base/error.h"
#include "llm/failure.h"

namespace selfagent {

namespace {

using Kind = ModelFailure::Kind;

constexpr size_t max_error_body = 64 << 10;
// A connection can be kept only if the body was read to its end; servers that do not end it are cut
// off.
constexpr milliseconds end_of_body_grace{100};

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct MultiDeleter {
  void operator()(CURLM* multi) const { curl_multi_cleanup(multi); }
};
struct UrlDeleter {
  void operator()(CURLU* url) const { curl_url_cleanup(url); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

void start_curl() {
  static const CURLcode started = curl_global_init(CURL_GLOBAL_DEFAULT);
  if (started != CURLE_OK) throw Error(ErrorCode::internal, "libcurl does not start");
}

// What the callbacks of one exchange share.
struct Exchange {
  CURL* easy = nullptr;
  const std::function<bool(std::string_view)>* on_body = nullptr;
  HttpAnswer answer;
  Clock::time_point last_byte = Clock::now();
  bool any_byte = false;
  bool enough = false;  ///< on_body returned false
  Clock::time_point enough_since;
  std::exception_ptr exception;  ///< what on_body threw: it must not pass through C frames
};

size_t take_body(char* data, size_t, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  exchange.last_byte = Clock::now();
  exchange.any_byte = true;
  if (exchange.answer.status != 200) {
    std::string& body = exchange.answer.error_body;
    body.append(data, std::min(count, max_error_body - std::min(max_error_body, body.size())));
    return count;
  }
  try {
    if (!exchange.enough && !(*exchange.on_body)({data, count})) {
      exchange.enough = true;
      exchange.enough_since = exchange.last_byte;
    }
    return count;
  } catch (...) {
    exchange.exception = std::current_exception();
  }
  return 0;  // ends the transfer
}

std::string header_value(std::string_view line) {
  line.remove_prefix(std::min(line.size(), line.find(':') + 1));
  const size_t begin = line.find_first_not_of(" \t");
  const size_t end = line.find_last_not_of(" \t\r\n");
  if (begin == std::string_view::npos) return "";
  return std::string(line.substr(begin, end - begin + 1));
}

bool is_header(std::string_view line, std::string_view name) {
  if (line.size() <= name.size() || line[name.size()] != ':') return false;
  return std::equal(name.begin(), name.end(), line.begin(), [](char a, char b) {
    return a == static_cast<char>(std::tolower(static_cast<unsigned char>(b)));
  });
}

size_t take_header(char* data, size_t, size_t count, void* user) {
  auto& exchange = *static_cast<Exchange*>(user);
  const std::string_view line(data, count);
  HttpAnswer& answer = exchange.answer;
  if (line.starts_with("HTTP/")) {
    long status = 0;
    curl_easy_getinfo(exchange.easy, CURLINFO_RESPONSE_CODE, &status);
    answer = HttpAnswer{};
    answer.status = static_cast<int>(status);
  } else if (is_header(line, "location")) {
    answer.location = header_value(line);
  } else if (is_header(line, "retry-after-ms")) {
    const auto ms = std::strtoll(header_value(line).c_str(), nullptr, 10);
    if (ms > 0) answer.retry_after = milliseconds(ms);
  } else if (is_header(line, "retry-after") && !answer.retry_after) {
    answer.retry_after = parse_retry_after(header_value(line));
  }
  // An interim answer (100, 103) is not the server's answer yet.
  if (answer.status >= 200) {
    exchange.last_byte = Clock::now();
    exchange.any_byte = true;
  }
  return count;
}

bool names_local_host(const std::string& url) {
  const std::unique_ptr<CURLU, UrlDeleter> parsed(curl_url());
  char* part = nullptr;
  if (curl_url_set(parsed.get(), CURLUPART_URL, url.c_str(), 0) != CURLUE_OK) return false;
  if (curl_url_get(parsed.get(), CURLUPART_HOST, &part, 0) != CURLUE_OK) return false;
  std::string host = part;
  curl_free(part);
  if (host.starts_with('[')) host = host.substr(1, host.size() - 2);
  const bool address = host.find_first_not_of("0123456789abcdefABCDEF.:") == std::string::npos;
  return host == "localhost" || host == "host.docker.internal" ||
         (address && is_local_address(host));
}

ModelFailure failure_of(CURLcode code, const char* words, milliseconds connect) {
  const std::string said = words[0] != '\0' ? words : curl_easy_strerror(code);
  switch (code) {
    case CURLE_COULDNT_CONNECT:
    case CURLE_COULDNT_RESOLVE_PROXY:
      return {Kind::refused, {said, "", 0, {}}};
    case CURLE_COULDNT_RESOLVE_HOST:
    case CURLE_URL_MALFORMAT:
    case CURLE_UNSUPPORTED_PROTOCOL:
      return {Kind::unresolved, {said, "", 0, {}}};
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CACERT_BADFILE:
      return {Kind::tls, {said, "", 0, {}}};
    case CURLE_OPERATION_TIMEDOUT:
      return {Kind::timed_out,
              {"accepted no connection within " + std::to_string(connect.count() / 1000) + " s",
               "",
               0,
               {}}};
    default:
      return {Kind::broken, {said, "", 0, {}}};
  }
}

}  // namespace

bool is_local_address(const std::string& ip) {
  std::string address = ip;
  if (address.starts_with("::ffff:")) address = address.substr(7);
  if (address == "::1" || address.starts_with("fe80:") || address.starts_with("fc") ||
      address.starts_with("fd")) {
    return true;
  }
  char* rest = nullptr;
  const long first = std::strtol(address.c_str(), &rest, 10);
  if (*rest != '.') return false;
  const long second = std::strtol(rest + 1, nullptr, 10);
  return first == 127 || first == 10 || (first == 192 && second == 168) ||
         (first == 172 && second >= 16 && second <= 31) || (first == 169 && second == 254) ||
         (first == 100 && second >= 64 && second <= 127);
}

std::optional<milliseconds> parse_retry_after(const std::string& value) {
  if (value.empty()) return std::nullopt;
  char* rest = nullptr;
  const double seconds = std::strtod(value.c_str(), &rest);
  if (*rest == '\0') {
    if (!(seconds >= 0) || seconds > 1e6) return std::nullopt;
    return milliseconds(static_cast<int64_t>(seconds * 1000));
  }
  const time_t at = curl_getdate(value.c_str(), nullptr);
  if (at < 0) return std::nullopt;
  return milliseconds(std::max<int64_t>(0, static_cast<int64_t>(at) * 1000 - unix_ms()));
}

struct HttpConnection::State {
  std::unique_ptr<CURLM, MultiDeleter> multi;  ///< keeps the connections
};

HttpConnection::HttpConnection() : state_(std::make_unique<State>()) {
  start_curl();
  state_->multi.reset(curl_multi_init());
  if (!state_->multi) throw Error(ErrorCode::internal, "libcurl has no memory");
}

HttpConnection::~HttpConnection() = default;

HttpAnswer HttpConnection::post(const HttpPost& post, const LlmTimeouts& timeouts,
                                const std::stop_token& stop,
                                const std::function<bool(std::string_view)>& on_body) {
  CURLM* multi = state_->multi.get();
  const std::unique_ptr<CURL, EasyDeleter> owner(curl_easy_init());
  CURL* easy = owner.get();
  if (easy == nullptr) throw Error(ErrorCode::internal, "libcurl has no memory");

  std::unique_ptr<curl_slist, ListDeleter> headers;
  // Without the empty Expect a server that knows no "100 Continue" costs a second for each large
  // request.
  std::vector<std::string> lines = post.headers;
  lines.emplace_back("Expect:");
  for (const auto& line : lines) {
    curl_slist* grown = curl_slist_append(headers.get(), line.c_str());
    if (grown == nullptr) throw Error(ErrorCode::internal, "libcurl has no memory");
    [[maybe_unused]] auto* same = headers.release();
    headers.reset(grown);
  }

  Exchange exchange;
  exchange.easy = easy;
  exchange.on_body = &on_body;
  char words[CURL_ERROR_SIZE] = "";
  curl_easy_setopt(easy, CURLOPT_URL, post.url.c_str());
  curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
  curl_easy_setopt(easy, CURLOPT_HTTPHEADER, headers.get());
  if (!post.get) {
    curl_easy_setopt(easy, CURLOPT_POST, 1L);
    curl_easy_setopt(easy, CURLOPT_POSTFIELDS, post.body.c_str());
    curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE, static_cast<curl_off_t>(post.body.size()));
  }
  curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, take_body);
  curl_easy_setopt(easy, CURLOPT_WRITEDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, take_header);
  curl_easy_setopt(easy, CURLOPT_HEADERDATA, &exchange);
  curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, words);
  curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
  curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
  curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(timeouts.connect.count()));
  // A proxy of the environment cannot reach what is meant to be this machine or its network.
  if (names_local_host(post.url)) curl_easy_setopt(easy, CURLOPT_NOPROXY, "*");
  // Otherwise the end of a stopped request waits for the thread that resolves its host name.
  curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);

  struct InMulti {
    CURLM* multi;
    CURL* easy;
    ~InMulti() { curl_multi_remove_handle(multi, easy); }
  };
  curl_multi_add_handle(multi, easy);
  const InMulti in_multi{multi, easy};
  const std::stop_callback wake(stop, [multi] { curl_multi_wakeup(multi); });

  while (true) {
    int running = 0;
    curl_multi_perform(multi, &running);
    if (exchange.exception) std::rethrow_exception(exchange.exception);
    if (stop.stop_requested()) {
      throw Error(ErrorCode::cancelled, "stopped while the model was being waited for");
    }
    int queued = 0;
    while (const CURLMsg* message = curl_multi_info_read(multi, &queued)) {
      if (message->msg != CURLMSG_DONE) continue;
      const CURLcode code = message->data.result;
      if (code == CURLE_OK || exchange.enough) return std::move(exchange.answer);
      // The end of an error page is not worth another error.
      if (exchange.answer.status >= 300) return std::move(exchange.answer);
      throw failure_of(code, words, timeouts.connect);
    }

    if (exchange.enough && Deadline(exchange.enough_since + end_of_body_grace).passed()) {
      return std::move(exchange.answer);
    }

    const char* ip = nullptr;
    curl_easy_getinfo(easy, CURLINFO_PRIMARY_IP, &ip);
    const bool local = ip == nullptr || *ip == '\0' || is_local_address(ip);
    const auto limit = exchange.any_byte
                           ? (local ? timeouts.idle_local : timeouts.idle_remote)
                           : (local ? timeouts.first_byte_local : timeouts.first_byte_remote);
    const Deadline silent(exchange.last_byte + limit);
    if (silent.passed()) {
      const std::string span = limit.count() >= 1000 ? std::to_string(limit.count() / 1000) + " s"
                                                     : std::to_string(limit.count()) + " ms";
      throw ModelFailure(
          Kind::timed_out,
          {exchange.any_byte ? "stopped sending in the middle of its answer for " + span
                             : "sent nothing for " + span,
           "",
           0,
           {}});
    }
    const auto longest = exchange.enough ? end_of_body_grace.count() : 60'000;
    const auto wait = std::min<int64_t>(silent.left().count() + 1, longest);
    curl_multi_poll(multi, nullptr, 0, static_cast<int>(wait), nullptr);
  }
}

}  // namespace selfagent
