#include "llm/server_window.h"

#include <algorithm>
#include <array>

#include "base/clock.h"
#include "base/error.h"
#include "base/trim.h"
#include "llm/failure.h"
#include "llm/http.h"
#include "llm/members.h"

namespace selfagent {

namespace {

// Not even a question fits a smaller one, and no model has a larger one.
constexpr int64_t smallest_window = 1'024;
constexpr int64_t largest_window = 100'000'000;
// OpenRouter lists all of its models.
constexpr size_t longest_answer = 8 << 20;

int64_t plausible(const Json& object, const char* name) {
  const int64_t tokens = integer_member(object, name);
  return tokens >= smallest_window && tokens <= largest_window ? tokens : 0;
}

// The entry of `list` whose member `key` is `model`, or null.
const Json* entry_of(const Json* list, const char* key, const std::string& model) {
  if (list == nullptr || !list->is_array()) return nullptr;
  const auto found = std::find_if(list->begin(), list->end(), [&](const Json& entry) {
    return text_member(entry, key) == model;
  });
  return found == list->end() ? nullptr : &*found;
}

// Ollama's own names have a tag.
const Json* ollama_entry(const Json& answer, const std::string& model) {
  for (const std::string& name : {model, model + ":latest"}) {
    for (const char* key : {"model", "name"}) {
      if (const Json* entry = entry_of(member(answer, "models"), key, name)) return entry;
    }
  }
  return nullptr;
}

struct Place {
  std::string api;   ///< ".../v1", where the completions are
  std::string root;  ///< without the version: what is the server's own
};

Place place_of(std::string base) {
  const auto drop = [&base](std::string_view end) {
    while (base.ends_with('/')) base.pop_back();
    if (base.ends_with(end)) base.resize(base.size() - end.size());
    while (base.ends_with('/')) base.pop_back();
  };
  drop("/chat/completions");
  Place place{base, ""};
  drop("/v1");
  place.root = base;
  return place;
}

class Questioner {
 public:
  Questioner(const LlmSettings& settings, const std::stop_token& stop)
      : settings_(settings),
        place_(place_of(std::string(trim(settings.base_url)))),
        key_(trim(settings.api_key)),
        stop_(stop) {}

  int64_t ask() {
    const std::string& model = settings_.model;
    if (const int64_t n = window_in_models(quick(place_.api + "/models"), model)) return n;
    if (const int64_t n = window_in_props(quick(place_.root + "/props"))) return n;
    if (const int64_t n = window_in_lm_studio(quick(place_.root + "/api/v0/models"), model)) {
      return n;
    }
    const Json running = quick(place_.root + "/api/ps");
    const Json* models = member(running, "models");
    if (models == nullptr || !models->is_array()) return 0;
    if (ollama_entry(running, model) == nullptr) load();
    return window_in_ollama(quick(place_.root + "/api/ps"), model);
  }

 private:
  // Null for an answer that is no JSON, or none that the server is asked for.
  Json exchange(HttpPost post, const LlmTimeouts& timeouts) {
    if (!key_.empty()) post.headers.push_back("Authorization: Bearer " + key_);
    std::string body;
    const HttpAnswer answer = connection_.post(post, timeouts, stop_, [&](std::string_view bytes) {
      body.append(bytes.substr(0, longest_answer - std::min(longest_answer, body.size())));
      return body.size() < longest_answer && !(post.get && given_.passed());
    });
    // Busy, or still loading: it may tell the next run.
    static constexpr std::array not_now{429, 502, 503, 504};
    if (std::find(not_now.begin(), not_now.end(), answer.status) != not_now.end()) {
      throw Error(ErrorCode::unavailable, "the model server does not answer now");
    }
    return answer.status == 200 ? Json::parse(body, nullptr, false) : Json();
  }

  Json quick(const std::string& url) {
    LlmTimeouts timeouts = settings_.timeouts;
    const milliseconds left =
        std::clamp(given_.left(), milliseconds(1), settings_.timeouts.question);
    timeouts.connect = timeouts.first_byte_local = timeouts.first_byte_remote = left;
    timeouts.idle_local = timeouts.idle_remote = left;
    return exchange({url, {"Accept: application/json"}, "", true}, timeouts);
  }

  // An empty request loads the model with the window that it will have.
  void load() {
    exchange({place_.root + "/api/generate",
              {"Content-Type: application/json"},
              dump_json({{"model", settings_.model}, {"stream", false}})},
             settings_.timeouts);
    given_ = Deadline::after(settings_.timeouts.question);
  }

  const LlmSettings& settings_;
  const Place place_;
  const std::string key_;
  const std::stop_token& stop_;
  HttpConnection connection_;
  Deadline given_ = Deadline::after(settings_.timeouts.question);  ///< to all quick ones together
};

}  // namespace

int64_t window_in_models(const Json& answer, const std::string& model) {
  const Json* entry = entry_of(member(answer, "data"), "id", model);
  if (entry == nullptr) return 0;
  // Of OpenRouter's two the provider's is the one that refuses.
  if (const Json* provider = member(*entry, "top_provider")) {
    if (const int64_t tokens = plausible(*provider, "context_length")) return tokens;
  }
  for (const char* name :
       {"max_model_len", "context_length", "context_window", "max_context_length"}) {
    if (const int64_t tokens = plausible(*entry, name)) return tokens;
  }
  return 0;
}

int64_t window_in_props(const Json& answer) {
  const Json* settings = member(answer, "default_generation_settings");
  return settings == nullptr ? 0 : plausible(*settings, "n_ctx");
}

int64_t window_in_lm_studio(const Json& answer, const std::string& model) {
  const Json* entry = entry_of(member(answer, "data"), "id", model);
  return entry == nullptr ? 0 : plausible(*entry, "loaded_context_length");
}

int64_t window_in_ollama(const Json& answer, const std::string& model) {
  const Json* entry = ollama_entry(answer, model);
  return entry == nullptr ? 0 : plausible(*entry, "context_length");
}

std::optional<int64_t> ask_window(const LlmSettings& settings, const std::stop_token& stop) {
  try {
    return Questioner(settings, stop).ask();
  } catch (const Error&) {
    // The request that follows meets the same obstacle and says what it is.
    return std::nullopt;
  }
}

}  // namespace selfagent
