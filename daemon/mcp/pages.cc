#include "mcp/pages.h"

#include <charconv>

#include "base/base64.h"
#include "base/error.h"
#include "rpc/message.h"

namespace selfagent::mcp {

namespace {

// A cursor is the list's key and a position, so that one of another list is refused.
std::string cursor_at(const std::string& key, size_t position) {
  return base64_encode(key + ":" + std::to_string(position));
}

rpc::RpcError unknown_cursor(const Json& cursor) {
  return rpc::RpcError(rpc::invalid_params, "unknown cursor " + dump_json(cursor).substr(0, 100) +
                                                ": ask without one for the first page");
}

size_t position_of(const std::string& key, const Json& cursor, size_t size) {
  if (!cursor.is_string()) throw unknown_cursor(cursor);
  std::string text;
  try {
    text = base64_decode(cursor.get<std::string>());
  } catch (const Error&) {
    throw unknown_cursor(cursor);
  }
  size_t position = 0;
  const char* end = text.data() + text.size();
  if (!text.starts_with(key + ":")) throw unknown_cursor(cursor);
  const auto [stop, error] = std::from_chars(text.data() + key.size() + 1, end, position);
  if (error != std::errc() || stop != end || position == 0 || position >= size ||
      Json(cursor_at(key, position)) != cursor) {
    throw unknown_cursor(cursor);
  }
  return position;
}

}  // namespace

Json page(const char* key, const Json& all, const Json& params, size_t page_size) {
  size_t from = 0;
  if (params.is_object() && params.contains("cursor") && !params["cursor"].is_null()) {
    from = position_of(key, params["cursor"], all.size());
  }
  const size_t to = std::min(all.size(), from + page_size);
  Json part = Json::array();
  for (size_t i = from; i < to; ++i) part.push_back(all[i]);
  Json result = {{key, std::move(part)}};
  if (to < all.size()) result["nextCursor"] = cursor_at(key, to);
  return result;
}

}  // namespace selfagent::mcp
