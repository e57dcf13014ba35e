#include "net/static_files.h"

#include <fstream>
#include <sstream>

#include "base/log.h"
#include "base/random.h"

namespace selfagent {

namespace {

constexpr size_t max_total = 64u << 20;

std::string content_type(const std::filesystem::path& path) {
  static const std::map<std::string, std::string> types{
      {".html", "text/html; charset=utf-8"},
      {".js", "text/javascript; charset=utf-8"},
      {".css", "text/css; charset=utf-8"},
      {".svg", "image/svg+xml"},
      {".png", "image/png"},
      {".ico", "image/x-icon"},
      {".json", "application/json"},
      {".map", "application/json"},
      {".woff2", "font/woff2"},
      {".txt", "text/plain; charset=utf-8"},
      {".webmanifest", "application/manifest+json"}};
  const auto at = types.find(path.extension().string());
  return at == types.end() ? "application/octet-stream" : at->second;
}

// style-src needs 'unsafe-inline' because noVNC sets style attributes.
constexpr const char* policy =
    "default-src 'self'; img-src 'self' data: blob:; connect-src 'self' ws: wss:; "
    "style-src 'self' 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

constexpr const char* no_page =
    "<!doctype html><title>selfagent</title><p>The page is not built. Run "
    "<code>scripts/build</code>, or point "
    "<code>--web-dir</code> to the folder with index.html.";

}  // namespace

StaticFiles::StaticFiles(const std::filesystem::path& folder) {
  std::error_code error;
  size_t total = 0;
  for (auto at = std::filesystem::recursive_directory_iterator(folder, error);
       !error && at != std::filesystem::recursive_directory_iterator(); at.increment(error)) {
    if (!at->is_regular_file()) continue;
    std::ifstream in(at->path(), std::ios::binary);
    std::stringstream bytes;
    bytes << in.rdbuf();
    File file{bytes.str(), content_type(at->path()), ""};
    total += file.bytes.size();
    if (total > max_total) break;
    file.etag = '"' + sha256_hex(file.bytes).substr(0, 32) + '"';
    files_["/" + std::filesystem::relative(at->path(), folder).string()] = std::move(file);
  }
  if (!files_.contains("/index.html")) {
    log::warn("there is no page in {}: GET / will say so", folder.string());
    files_["/index.html"] = {no_page, "text/html; charset=utf-8", "\"none\""};
  }
}

HttpResponse StaticFiles::serve(const HttpRequest& request) const {
  const auto at = files_.find(request.path == "/" ? "/index.html" : request.path);
  if (at == files_.end()) {
    auto response = HttpResponse::error(404, "not_found", "there is nothing at " + request.path);
    if (request.method == "HEAD") response.body.clear();
    return response;
  }
  const File& file = at->second;
  HttpResponse response{200,
                        {{"Content-Type", file.type},
                         {"ETag", file.etag},
                         {"Cache-Control", "no-cache"},
                         {"Content-Security-Policy", policy},
                         {"X-Content-Type-Options", "nosniff"},
                         {"Referrer-Policy", "no-referrer"}},
                        ""};
  if (request.header("if-none-match") == file.etag) {
    response.status = 304;
  } else if (request.method != "HEAD") {
    response.body = file.bytes;
  }
  return response;
}

}  // namespace selfagent
