#include "llm/sse.h"

#include "base/error.h"

namespace selfagent {

namespace {
constexpr size_t max_event_bytes = 64 << 20;
}

void SseSplitter::feed(std::string_view bytes) {
  while (!bytes.empty()) {
    if (after_cr_) {
      after_cr_ = false;
      if (bytes.front() == '\n') {
        bytes.remove_prefix(1);
        continue;
      }
    }
    const size_t end = bytes.find_first_of("\r\n");
    line_.append(bytes.substr(0, end));
    if (line_.size() + data_.size() > max_event_bytes) {
      throw Error(ErrorCode::resource_exhausted,
                  "the model server sent an event of more than 64 MiB");
    }
    if (end == std::string_view::npos) return;
    after_cr_ = bytes[end] == '\r';
    bytes.remove_prefix(end + 1);
    end_line();
  }
}

void SseSplitter::finish() {
  if (!line_.empty()) end_line();
  dispatch();
}

void SseSplitter::end_line() {
  std::string_view line = line_;
  if (first_line_ && line.starts_with("\xEF\xBB\xBF")) line.remove_prefix(3);
  first_line_ = false;
  if (line.empty()) {
    line_.clear();
    dispatch();
    return;
  }
  const size_t colon = line.find(':');
  if (line.substr(0, colon) == "data") {
    std::string_view value =
        colon == std::string_view::npos ? std::string_view() : line.substr(colon + 1);
    if (value.starts_with(' ')) value.remove_prefix(1);
    if (has_data_) data_ += '\n';
    has_data_ = true;
    data_ += value;
  }
  line_.clear();
}

void SseSplitter::dispatch() {
  if (!has_data_) return;
  has_data_ = false;
  const std::string data = std::move(data_);
  data_.clear();
  sink_(data);
}

}  // namespace selfagent
