// Resources and resource templates: what a client may read by URI, and be told of when it changes.
#pragma once

#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <stop_token>
#include <string>
#include <vector>

#include "base/json.h"
#include "image/encoded_image.h"
#include "tool/principal.h"

namespace selfagent::mcp {

/// What a URI holds at this moment: text, or bytes when `binary` is set.
struct ResourceContents {
  std::string mime;
  std::string text;
  EncodedImagePtr image;            ///< sent as a blob
  std::optional<std::string> blob;  ///< bytes that are no text
};

/// The values of a template's variables in a URI, percent-decoded.
using Variables = std::map<std::string, std::string>;

/// Proposes values that begin with what the client typed; `others` are the values that it knows of
/// other arguments. May block.
using Complete =
    std::function<std::vector<std::string>(const std::string& typed, const Variables& others)>;

/// Something that runs as long as somebody wants to hear of changes.
class Watch {
 public:
  virtual ~Watch() = default;
};

struct Resource {
  /// A URI, or a URI template with one variable: {name} matches one segment, {+name} also slashes.
  /// Source: RFC 6570, levels 1 and 2.
  std::string uri;
  std::string name;
  std::string title;
  std::string description;
  std::string mime;                              ///< "" if it differs
  std::set<Profile> profiles = {Profile::full};  ///< who may read it
  /// Blocks. Throws Error(not_found) if there is nothing at `uri`.
  std::function<ResourceContents(const std::string& uri, const Variables&, const std::stop_token&)>
      read;
  /// Starts to watch; `changed` may be called on any thread until the Watch is destroyed. Empty for
  /// resources that cannot be subscribed to. Throws Error(not_found) if there can be nothing.
  std::function<std::unique_ptr<Watch>(const Variables&, std::function<void()> changed)> watch;
  std::map<std::string, Complete> complete;  ///< by variable

  bool is_template() const { return uri.find('{') != std::string::npos; }
  bool allowed(const Principal& principal) const { return profiles.contains(principal.profile); }
  /// The variables of `actual` if it fits, empty for a plain URI.
  std::optional<Variables> match(const std::string& actual) const;
};

/// Filled at start, constant afterwards: no locks.
class Resources {
 public:
  void add(Resource resource) { resources_.push_back(std::move(resource)); }

  struct Found {
    const Resource* resource;
    Variables variables;
  };
  /// What is at `uri` for `principal`, or nothing.
  std::optional<Found> find(const std::string& uri, const Principal& principal) const;
  /// The template that reads `uri_template`, or null.
  const Resource* find_template(const std::string& uri_template, const Principal& principal) const;

  /// Resource or ResourceTemplate objects of the specification.
  Json list(bool templates, const Principal& principal) const;
  bool empty() const { return resources_.empty(); }

 private:
  std::deque<Resource> resources_;
};

/// {"contents":[…]}; pictures are spliced in.
std::string contents_json(const std::string& uri, const ResourceContents& contents);

}  // namespace selfagent::mcp
