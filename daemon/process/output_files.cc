#include "process/output_files.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <system_error>

#include "base/error.h"
#include "base/unique_fd.h"
#include "keeper/protocol.h"
#include "process/descriptors.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

// Read for the ends of a stream, on either side.
constexpr size_t chunks_per_end = 4;

/// Where the chunks begin, in order.
std::vector<uint64_t> chunks_of(const fs::path& folder) {
  std::vector<uint64_t> begins;
  std::error_code problem;
  for (const auto& entry : fs::directory_iterator(folder, problem)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with("log.")) continue;
    uint64_t begin = 0;
    const auto [end, error] = std::from_chars(name.data() + 4, name.data() + name.size(), begin);
    if (error == std::errc() && end == name.data() + name.size()) begins.push_back(begin);
  }
  if (problem) throw system_error("cannot list " + folder.string(), problem.value());
  std::sort(begins.begin(), begins.end());
  return begins;
}

/// Empty if the chunk was dropped meanwhile.
UniqueFd open_file(const fs::path& folder, const char* kind, uint64_t begin) {
  const fs::path path = folder / (kind + std::to_string(begin));
  UniqueFd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!file && errno != ENOENT) throw system_error("cannot open " + path.string(), errno);
  return file;
}

uint64_t size_of(const UniqueFd& file) {
  struct stat info{};
  return ::fstat(file.get(), &info) == 0 ? static_cast<uint64_t>(info.st_size) : 0;
}

std::vector<keeper::Segment> segments_in(const UniqueFd& file) {
  const std::string bytes = read_at(file.get(), 0, size_of(file));
  std::vector<keeper::Segment> segments(bytes.size() / sizeof(keeper::Segment));
  std::copy_n(bytes.data(), segments.size() * sizeof(keeper::Segment),
              reinterpret_cast<char*>(segments.data()));
  return segments;
}

/// A stretch of one stream within a chunk.
struct Stretch {
  uint64_t begin;
  uint64_t end;
  bool error;
  int64_t unix_ms;
};

/// What the chunk that begins at `begin` and ends at `end` consists of. A stretch that lasts gets a
/// new time each second, but is one for a reader.
std::vector<Stretch> stretches(const fs::path& folder, uint64_t begin, uint64_t end) {
  std::vector<Stretch> all;
  const UniqueFd file = open_file(folder, "seg.", begin);
  if (!file) return all;
  for (const keeper::Segment& segment : segments_in(file)) {
    const uint64_t at = segment.begin & ~keeper::from_stderr;
    const bool error = (segment.begin & keeper::from_stderr) != 0;
    if (at >= end) break;
    if (!all.empty() && all.back().error == error) continue;
    if (!all.empty()) all.back().end = at;
    all.push_back({at, end, error, segment.unix_ms});
  }
  return all;
}

/// Appends the bytes from `from` to `to`, which lie in the chunk that begins at `begin`.
void append_chunk(OutputRead& read, const fs::path& folder, const UniqueFd& log, uint64_t begin,
                  uint64_t from, uint64_t to) {
  for (const Stretch& stretch : stretches(folder, begin, to)) {
    const uint64_t part_begin = std::max(stretch.begin, from);
    if (part_begin >= stretch.end) continue;
    std::string bytes = read_at(log.get(), part_begin - begin, stretch.end - part_begin);
    read.next = part_begin + bytes.size();
    const bool goes_on = !read.pieces.empty() && read.pieces.back().error == stretch.error &&
                         read.pieces.back().offset + read.pieces.back().bytes.size() == part_begin;
    if (goes_on) {
      read.pieces.back().bytes += bytes;
    } else {
      read.pieces.push_back({part_begin, stretch.error, stretch.unix_ms, std::move(bytes)});
    }
  }
}

}  // namespace

StreamEnds read_ends(const fs::path& folder, bool error, uint64_t end, uint64_t window) {
  StreamEnds ends;
  if (end == 0) return ends;
  const auto begins = chunks_of(folder);
  uint64_t head_end = 0;
  const auto each = [&](size_t index, const auto& take) {
    const UniqueFd log = open_file(folder, "log.", begins[index]);
    if (!log) return;
    const uint64_t chunk_end = std::min(end, begins[index] + size_of(log));
    take(log, begins[index], stretches(folder, begins[index], chunk_end));
  };
  for (size_t i = 0; i < std::min(begins.size(), chunks_per_end); ++i) {
    each(i, [&](const UniqueFd& log, uint64_t begin, const std::vector<Stretch>& parts) {
      for (const Stretch& part : parts) {
        const uint64_t left = window - ends.head.size();
        if (part.error != error || left == 0) continue;
        const uint64_t size = std::min(left, part.end - part.begin);
        ends.head += read_at(log.get(), part.begin - begin, size);
        head_end = part.begin + size;
      }
    });
  }
  // Nothing was cut off nor passed over: that is all.
  if (ends.head.size() < window && begins.size() <= chunks_per_end) return ends;
  for (size_t i = 0; i < std::min(begins.size(), chunks_per_end); ++i) {
    each(begins.size() - 1 - i,
         [&](const UniqueFd& log, uint64_t begin, const std::vector<Stretch>& parts) {
           for (auto part = parts.rbegin(); part != parts.rend(); ++part) {
             const uint64_t from = std::max(part->begin, head_end);
             const uint64_t left = window - ends.tail.size();
             if (part->error != error || left == 0 || from >= part->end) continue;
             const uint64_t size = std::min(left, part->end - from);
             ends.tail.insert(0, read_at(log.get(), part->end - size - begin, size));
           }
         });
  }
  return ends;
}

uint64_t output_on_disk(const fs::path& folder) {
  const auto begins = chunks_of(folder);
  if (begins.empty()) return 0;
  const UniqueFd log = open_file(folder, "log.", begins.back());
  return begins.back() + (log ? size_of(log) : 0);
}

OutputRead read_output(const fs::path& folder, uint64_t from, uint64_t end, uint64_t most_bytes) {
  OutputRead read;
  read.next = from;
  uint64_t left = most_bytes;
  const auto skip_to = [&](uint64_t offset) {
    if (offset <= read.next) return;
    read.missing.push_back({read.next, offset});
    read.next = offset;
  };
  for (const uint64_t begin : chunks_of(folder)) {
    if (left == 0 || read.next >= end || begin >= end) break;
    const UniqueFd log = open_file(folder, "log.", begin);
    if (!log) continue;
    const uint64_t chunk_end = std::min(end, begin + size_of(log));
    if (chunk_end <= read.next) continue;
    skip_to(begin);
    const uint64_t to = std::min(chunk_end, read.next + left);
    const uint64_t before = read.next;
    append_chunk(read, folder, log, begin, before, to);
    left -= std::min(left, read.next - before);
  }
  // What lies before the known end and in no file.
  if (left > 0) skip_to(end);
  return read;
}

}  // namespace selfagent
