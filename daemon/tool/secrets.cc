#include "tool/secrets.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cctype>
#include <fstream>

#include "base/base64.h"
#include "base/error.h"
#include "base/percent.h"
#include "base/unique_fd.h"
#include "base/utf8.h"

namespace selfagent {

namespace {

constexpr size_t most_secrets = 100;
constexpr size_t longest_name = 64;
// A shorter one would be found in ordinary text, and be worth little.
constexpr size_t shortest_value = 4;
constexpr size_t longest_value = 4096;

void check_name(const std::string& name) {
  const bool plain = std::all_of(name.begin(), name.end(),
                                 [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; });
  const bool digit_first = !name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) != 0;
  if (plain && !name.empty() && !digit_first && name.size() <= longest_name) return;
  throw Error(ErrorCode::invalid_argument,
              "the name of a secret has 1 to 64 letters, digits and _, and no digit first: \"" +
                  to_utf8(name.substr(0, 100)) + "\" has not");
}

void check_value(const std::string& value) {
  if (value.size() < shortest_value || value.size() > longest_value) {
    throw Error(ErrorCode::invalid_argument,
                "the value of a secret has 4 to 4096 bytes, not " + std::to_string(value.size()));
  }
  if (value.find('\0') != std::string::npos || to_utf8(value) != value) {
    throw Error(ErrorCode::invalid_argument,
                "the value of a secret is UTF-8 without NUL bytes: encode others as Base64");
  }
}

void write_file(const std::filesystem::path& file, const std::string& text) {
  const std::string fresh = file.string() + ".new";
  const UniqueFd fd(::open(fresh.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600));
  const bool written =
      fd.get() >= 0 &&
      ::write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fsync(fd.get()) == 0 && ::rename(fresh.c_str(), file.c_str()) == 0;
  if (!written) {
    throw Error(ErrorCode::resource_exhausted,
                "cannot write " + file.string() + ": check the disk and its space");
  }
}

void replace_all(std::string& text, const std::string& old, const std::string& with) {
  for (size_t at = 0; (at = text.find(old, at)) != std::string::npos; at += with.size()) {
    text.replace(at, old.size(), with);
  }
}

}  // namespace

std::string secret_of(const ToolContext& context, const std::string& name) {
  if (context.secrets != nullptr) return context.secrets->value(name);
  throw Error(ErrorCode::not_found, "there are no secrets here");
}

/// What is looked for, the longest first, and what stands there instead.
struct Secrets::Needles {
  std::vector<std::pair<std::string, std::string>> pairs;

  void replace(std::string& text) const {
    for (const auto& [value, with] : pairs) replace_all(text, value, with);
  }

  void replace(Json& value) const {
    if (value.is_string()) {
      replace(value.get_ref<std::string&>());
    } else if (value.is_structured()) {
      for (auto& part : value) replace(part);
    }
  }
};

Secrets::Secrets(std::filesystem::path file) : file_(std::move(file)) {
  std::ifstream in(file_, std::ios::binary);
  if (!in) {
    if (!std::filesystem::exists(file_)) return;
    throw Error(ErrorCode::internal, "cannot read " + file_.string());
  }
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  const Json kept = Json::parse(text, nullptr, false);
  if (!kept.is_object()) {
    throw Error(ErrorCode::internal,
                file_.string() + " is damaged: remove it and give the secrets anew");
  }
  Values values;
  for (const auto& [name, value] : kept.items()) {
    if (value.is_string()) values[name] = value.get<std::string>();
  }
  take(std::move(values));
}

// REQUIRES: mutex_ is held, or nobody else knows this yet.
void Secrets::take(Values values) {
  auto needles = std::make_shared<Needles>();
  for (const auto& [name, value] : values) {
    const std::string with = "[secret " + name + "]";
    // Whole groups of three: what follows the value (a line break) changes the rest.
    const std::string base64 = base64_encode(value.substr(0, value.size() / 3 * 3));
    for (const std::string& form : {value, base64, percent_encode(value)}) {
      if (form.size() >= shortest_value) needles->pairs.emplace_back(form, with);
    }
  }
  std::stable_sort(needles->pairs.begin(), needles->pairs.end(),
                   [](const auto& a, const auto& b) { return a.first.size() > b.first.size(); });
  values_ = std::move(values);
  needles_ = values_.empty() ? nullptr : std::move(needles);
}

// REQUIRES: mutex_ is held.
void Secrets::change(Values values) {
  write_file(file_, dump_json(Json(values)) + "\n");
  take(std::move(values));
}

void Secrets::set(const std::string& name, const std::string& value) {
  check_name(name);
  check_value(value);
  const std::lock_guard guard(mutex_);
  Values values = values_;
  values[name] = value;
  if (values.size() > most_secrets) {
    throw Error(ErrorCode::resource_exhausted,
                "there are 100 secrets, which is the limit: remove some");
  }
  change(std::move(values));
}

void Secrets::remove(const std::string& name) {
  const std::lock_guard guard(mutex_);
  Values values = values_;
  if (values.erase(name) == 0) {
    throw Error(ErrorCode::not_found,
                "there is no secret \"" + to_utf8(name.substr(0, 100)) + "\"");
  }
  change(std::move(values));
}

std::vector<std::string> Secrets::names() const {
  const std::lock_guard guard(mutex_);
  std::vector<std::string> names;
  for (const auto& [name, value] : values_) names.push_back(name);
  return names;
}

std::string Secrets::value(const std::string& name) const {
  const std::lock_guard guard(mutex_);
  if (const auto found = values_.find(name); found != values_.end()) return found->second;
  std::string known;
  for (const auto& [each, value] : values_) known += (known.empty() ? "" : ", ") + each;
  throw Error(ErrorCode::not_found,
              "there is no secret \"" + to_utf8(name.substr(0, 100)) + "\"; " +
                  (known.empty() ? "the user has given none" : "there are: " + known));
}

void Secrets::redact(ToolResult& result) const {
  std::shared_ptr<const Needles> needles;
  {
    const std::lock_guard guard(mutex_);
    needles = needles_;
  }
  if (!needles) return;
  for (Content& block : result.content) {
    needles->replace(block.text);
    needles->replace(block.block);
  }
  needles->replace(result.structured);
}

}  // namespace selfagent
