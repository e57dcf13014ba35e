#include "mcp/resources.h"

#include "base/percent.h"

namespace selfagent::mcp {

std::optional<Variables> Resource::match(const std::string& actual) const {
  const size_t open = uri.find('{');
  if (open == std::string::npos) return actual == uri ? std::optional(Variables{}) : std::nullopt;
  const size_t close = uri.find('}', open);
  const std::string_view before = std::string_view(uri).substr(0, open);
  const std::string_view after = std::string_view(uri).substr(close + 1);
  std::string variable = uri.substr(open + 1, close - open - 1);
  const bool slashes = variable.starts_with('+');
  if (slashes) variable.erase(0, 1);
  if (actual.size() <= before.size() + after.size() || !actual.starts_with(before) ||
      !actual.ends_with(after)) {
    return std::nullopt;
  }
  const std::string value =
      actual.substr(before.size(), actual.size() - before.size() - after.size());
  if (!slashes && value.find('/') != std::string::npos) return std::nullopt;
  return Variables{{variable, percent_decode(value, false)}};
}

std::optional<Resources::Found> Resources::find(const std::string& uri,
                                                const Principal& principal) const {
  for (const Resource& resource : resources_) {
    if (!resource.allowed(principal)) continue;
    if (auto variables = resource.match(uri)) return Found{&resource, std::move(*variables)};
  }
  return std::nullopt;
}

const Resource* Resources::find_template(const std::string& uri_template,
                                         const Principal& principal) const {
  for (const Resource& resource : resources_) {
    if (resource.is_template() && resource.uri == uri_template && resource.allowed(principal)) {
      return &resource;
    }
  }
  return nullptr;
}

Json Resources::list(bool templates, const Principal& principal) const {
  Json list = Json::array();
  for (const Resource& resource : resources_) {
    if (resource.is_template() != templates || !resource.allowed(principal)) continue;
    Json entry = {{templates ? "uriTemplate" : "uri", resource.uri},
                  {"name", resource.name},
                  {"title", resource.title},
                  {"description", resource.description}};
    if (!resource.mime.empty()) entry["mimeType"] = resource.mime;
    list.push_back(std::move(entry));
  }
  return list;
}

std::string contents_json(const std::string& uri, const ResourceContents& contents) {
  std::string out = R"({"contents":[{"uri":)";
  append_json_string(out, uri);
  if (!contents.mime.empty()) {
    out += R"(,"mimeType":)";
    append_json_string(out, contents.mime);
  }
  if (contents.image) {
    out += R"(,"blob":")" + contents.image->base64 + '"';
  } else if (contents.blob) {
    out += R"(,"blob":")" + base64_encode(*contents.blob) + '"';
  } else {
    out += R"(,"text":)";
    append_json_string(out, contents.text);
  }
  return out + "}]}";
}

}  // namespace selfagent::mcp
