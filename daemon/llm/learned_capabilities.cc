// What was learned of the models, in one JSON file: {"BASE_URL MODEL": {"tools": false, ...}, ...}.
// A member that stands as it was at first is left out.
#include <algorithm>
#include <array>
#include <fstream>
#include <sstream>
#include <utility>

#include "base/log.h"
#include "base/random.h"
#include "llm/capabilities.h"
#include "llm/members.h"

namespace selfagent {

namespace {

constexpr std::array<std::pair<const char*, bool Capabilities::*>, 5> flags{{
    {"stream_options", &Capabilities::stream_options},
    {"parallel_tool_calls", &Capabilities::parallel_tool_calls},
    {"reasoning_replay", &Capabilities::reasoning_replay},
    {"null_content", &Capabilities::null_content},
    {"tools", &Capabilities::tools},
}};

// Of two models that are learned at the same time neither may lose the other's entry.
std::mutex& file_mutex() {
  static std::mutex mutex;
  return mutex;
}

// An object, empty if the file is missing or holds something else.
Json read_file(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::stringstream text;
  text << in.rdbuf();
  Json all = Json::parse(text.str(), nullptr, false);
  if (all.is_object()) return all;
  if (in.is_open()) log::warn("{} is no JSON object: it is written anew", file.string());
  return Json::object();
}

Capabilities from_json(const Json& known) {
  Capabilities capabilities;
  for (const auto& [name, flag] : flags) {
    const Json* value = member(known, name);
    if (value != nullptr && value->is_boolean()) capabilities.*flag = value->get<bool>();
  }
  const Json* images = member(known, "max_images");
  if (images != nullptr && images->is_number_unsigned()) {
    const auto most = static_cast<uint64_t>(capabilities.max_images);
    capabilities.max_images = static_cast<int>(std::min(images->get<uint64_t>(), most));
  }
  return capabilities;
}

Json to_json(const Capabilities& capabilities) {
  const Capabilities first;
  Json known = Json::object();
  for (const auto& [name, flag] : flags) {
    if (capabilities.*flag != first.*flag) known[name] = capabilities.*flag;
  }
  if (capabilities.max_images != first.max_images) known["max_images"] = capabilities.max_images;
  return known;
}

void write_file(const std::filesystem::path& file, const Json& all) {
  const std::filesystem::path fresh = file.string() + "." + random_hex(4);
  std::error_code failure;
  std::ofstream out(fresh);
  out << all.dump(2) << "\n" << std::flush;
  if (out) std::filesystem::rename(fresh, file, failure);
  if (out && !failure) return;
  std::filesystem::remove(fresh, failure);
  log::warn("what was learned about the models is not kept: cannot write {}", file.string());
}

}  // namespace

LearnedCapabilities::LearnedCapabilities(std::string model, std::filesystem::path file,
                                         Dialect dialect)
    : model_(std::move(model)), file_(std::move(file)), dialect_(dialect) {
  if (file_.empty()) return;
  const std::lock_guard lock(file_mutex());
  const Json all = read_file(file_);
  const Json* known = member(all, model_.c_str());
  if (known == nullptr) return;
  capabilities_ = from_json(*known);
  const Json* coordinates = member(*known, "coordinates");
  if (coordinates != nullptr) coordinates_ = coordinates_from(*coordinates);
  window_tokens_ = std::max<int64_t>(0, integer_member(*known, "context_tokens"));
  told_window_tokens_ = std::max<int64_t>(0, integer_member(*known, "told_context_tokens"));
}

Capabilities LearnedCapabilities::read() const {
  const std::lock_guard lock(mutex_);
  Capabilities known = capabilities_;
  if (dialect_.vision == Vision::off) known.max_images = 0;
  if (dialect_.vision == Vision::on && known.max_images == 0) {
    known.max_images = Capabilities().max_images;
  }
  return known;
}

ToolProtocol LearnedCapabilities::protocol(const Capabilities& capabilities) const {
  if (dialect_.tools != ToolProtocol::automatic) return dialect_.tools;
  // The notation that most models have seen in their training.
  return capabilities.tools ? ToolProtocol::native : ToolProtocol::hermes;
}

void LearnedCapabilities::write(const Capabilities& capabilities) {
  {
    const std::lock_guard lock(mutex_);
    const int learned_images = capabilities_.max_images;
    capabilities_ = capabilities;
    if (dialect_.vision == Vision::off) capabilities_.max_images = learned_images;
  }
  save();
}

std::optional<Coordinates> LearnedCapabilities::coordinates() const {
  if (dialect_.coordinates != CoordinateSpace::automatic) {
    Coordinates said;
    said.space = dialect_.coordinates;
    return said;
  }
  const std::lock_guard lock(mutex_);
  return coordinates_;
}

void LearnedCapabilities::keep(const Coordinates& coordinates) {
  {
    const std::lock_guard lock(mutex_);
    coordinates_ = coordinates;
  }
  save();
}

int64_t LearnedCapabilities::window_tokens() const {
  if (dialect_.context_tokens > 0) return dialect_.context_tokens;
  const std::lock_guard lock(mutex_);
  return told_window_tokens_ > 0 ? told_window_tokens_ : window_tokens_;
}

void LearnedCapabilities::keep_window(int64_t tokens) {
  {
    const std::lock_guard lock(mutex_);
    const bool smaller = tokens < told_window_tokens_;
    if (window_tokens_ == tokens && !smaller) return;
    window_tokens_ = tokens;
    if (smaller) told_window_tokens_ = 0;
  }
  save();
}

void LearnedCapabilities::learn_window(const std::function<std::optional<int64_t>()>& ask,
                                       const std::stop_token& stop) {
  if (dialect_.context_tokens > 0) return;
  const std::shared_ptr<void> alone = measure_alone(stop);
  if (!alone) return;
  {
    const std::lock_guard lock(mutex_);
    if (window_asked_) return;
  }
  const std::optional<int64_t> told = ask();
  if (!told) return;
  {
    const std::lock_guard lock(mutex_);
    window_asked_ = true;
    if (told_window_tokens_ == *told) return;
    told_window_tokens_ = *told;
  }
  save();
}

std::shared_ptr<void> LearnedCapabilities::measure_alone(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  if (!measured_.wait(lock, stop, [this] { return !measuring_; })) return nullptr;
  measuring_ = true;
  return {this, [](void* object) {
            auto* self = static_cast<LearnedCapabilities*>(object);
            const std::lock_guard done(self->mutex_);
            self->measuring_ = false;
            self->measured_.notify_all();
          }};
}

void LearnedCapabilities::save() const {
  if (file_.empty()) return;
  const std::lock_guard file_lock(file_mutex());
  Json known;
  {
    const std::lock_guard lock(mutex_);
    known = to_json(capabilities_);
    if (coordinates_) known["coordinates"] = coordinates_json(*coordinates_);
    if (window_tokens_ > 0) known["context_tokens"] = window_tokens_;
    if (told_window_tokens_ > 0) known["told_context_tokens"] = told_window_tokens_;
  }
  Json all = read_file(file_);
  all[model_] = std::move(known);
  write_file(file_, all);
}

}  // namespace selfagent
