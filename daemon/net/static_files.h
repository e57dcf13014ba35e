// The page's files, read once at start.
#pragma once

#include <filesystem>
#include <map>
#include <string>

#include "net/http.h"

namespace selfagent {

/// Serves a folder. Immutable after construction.
class StaticFiles {
 public:
  /// Reads every regular file below `folder` (at most 64 MiB in all). A missing folder serves a
  /// page that says so.
  explicit StaticFiles(const std::filesystem::path& folder);

  /// The file at `request.path` ("/" is index.html) with an ETag, 304 for a match, or 404.
  HttpResponse serve(const HttpRequest& request) const;

 private:
  struct File {
    std::string bytes;
    std::string type;
    std::string etag;
  };
  std::map<std::string, File> files_;
};

}  // namespace selfagent
