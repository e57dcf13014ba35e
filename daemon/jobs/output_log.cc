#include "jobs/output_log.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/error.h"
#include "base/utf8.h"
#include "base/wait.h"
#include "process/descriptors.h"

namespace selfagent {

namespace {

constexpr size_t event_limit = 64 << 10;
constexpr size_t pending_limit = 4 * event_limit;
constexpr size_t events_at_once = 200;  // each may be some hundred kB

// The length of `bytes` without a character at the end whose rest is still to come.
size_t whole_characters(std::string_view bytes) {
  for (size_t back = 1; back <= std::min<size_t>(3, bytes.size()); ++back) {
    const auto byte = static_cast<unsigned char>(bytes[bytes.size() - back]);
    if (continues_character(bytes[bytes.size() - back])) continue;
    const size_t needed = byte >= 0xF0 ? 4 : byte >= 0xE0 ? 3 : byte >= 0xC0 ? 2 : 1;
    return needed > back ? bytes.size() - back : bytes.size();
  }
  return bytes.size();
}

// Shortens `bytes` to about its last `limit` bytes, beginning with a whole character.
size_t excess(std::string_view bytes, size_t limit) {
  if (bytes.size() <= limit) return 0;
  size_t drop = bytes.size() - limit;
  for (int i = 0; i < 3 && drop < bytes.size() && continues_character(bytes[drop]); ++i) ++drop;
  return drop;
}

UniqueFd open_log(const std::filesystem::path& file, OutputLog::Start start) {
  const int how = start == OutputLog::Start::empty ? O_TRUNC : O_APPEND;
  UniqueFd fd(::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | how, 0600));
  if (!fd) throw system_error("cannot create " + file.string(), errno);
  return fd;
}

// Returns the number of bytes written; errno tells why it is not all.
size_t write_some(int fd, std::string_view bytes) {
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t count = ::write(fd, bytes.data() + done, bytes.size() - done);
    if (count < 0 && errno != EINTR) break;
    if (count > 0) done += static_cast<size_t>(count);
  }
  return done;
}

}  // namespace

OutputLog::OutputLog(Store& store, std::string job_id, const std::filesystem::path& folder,
                     Limits limits, Start start)
    : store_(store), job_id_(std::move(job_id)), limits_(limits) {
  std::error_code failure;
  std::filesystem::create_directories(folder, failure);
  if (failure) throw system_error("cannot create " + folder.string(), failure.value());
  ::chmod(folder.c_str(), 0700);
  out_.file = open_log(folder / "stdout", start);
  err_.file = open_log(folder / "stderr", start);
  if (start == Start::resume) {
    resume(out_);
    resume(err_);
  }
  sender_ = std::jthread([this](const std::stop_token& stop) { send_all(stop); });
}

OutputLog::~OutputLog() { close(); }

// What is in the file and was not sent yet is pending.
void OutputLog::resume(Stream& stream) const {
  struct stat status{};
  if (::fstat(stream.file.get(), &status) != 0) throw system_error("fstat", errno);
  stream.logged = static_cast<uint64_t>(status.st_size);
  stream.full = stream.logged >= limits_.log_bytes;
  uint64_t end = 0;
  for (int64_t after = 0;;) {
    const std::vector<Event> page = store_.events("", job_id_, after, events_at_once);
    for (const Event& event : page) {
      after = event.seq;
      if (event.kind != stream.kind) continue;
      end = event.data.value("end", uint64_t{0});
      stream.sent += end - event.data.value("offset", end);
    }
    if (page.size() < events_at_once) break;
  }
  if (end >= stream.logged) return;
  add_pending(stream, read_at(stream.file.get(), end, stream.logged - end), end);
}

uint64_t OutputLog::logged(bool error) const {
  const std::lock_guard guard(mutex_);
  return (error ? err_ : out_).logged;
}

void OutputLog::write(std::string_view piece, bool error) {
  const std::lock_guard guard(mutex_);
  if (closed_) return;
  log_piece(error ? err_ : out_, piece);
  wake_.notify_one();
}

void OutputLog::log_piece(Stream& stream, std::string_view piece) {
  if (stream.full || piece.empty()) return;
  const uint64_t offset = stream.logged;
  const auto room = static_cast<size_t>(limits_.log_bytes - stream.logged);
  const std::string_view kept = piece.substr(0, room);
  const size_t written = write_some(stream.file.get(), kept);
  const int error_number = errno;
  stream.logged += written;
  if (written < kept.size()) {
    stream.full = true;
    problem_ = system_error("a part of the output could not be stored", error_number).what();
  } else if (kept.size() < piece.size()) {
    stream.full = true;
    problem_ = std::string(stream.kind) + " is longer than the log's limit of " +
               std::to_string(limits_.log_bytes) + " bytes";
    write_some(stream.file.get(), "\n[selfagent: " + problem_ + "; the rest was dropped]\n");
  }
  add_pending(stream, kept.substr(0, written), offset);
}

void OutputLog::add_pending(Stream& stream, std::string_view piece, uint64_t offset) const {
  if (stream.sent > limits_.event_bytes) {
    stream.grown = stream.grown || !piece.empty();
    return;
  }
  if (stream.pending.empty()) stream.pending_at = offset;
  stream.pending += piece;
  if (stream.pending.size() <= pending_limit) return;
  const size_t drop = excess(stream.pending, event_limit);
  stream.pending.erase(0, drop);
  stream.pending_at += drop;
}

void OutputLog::send_all(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (wake_.wait(lock, stop, [this] { return anything_pending(); })) {
    send(lock, out_, false);
    send(lock, err_, false);
    const bool grown = out_.grown || err_.grown;
    tell_growth(lock, out_);
    tell_growth(lock, err_);
    lock.unlock();
    sleep_until(Deadline::after(grown ? limits_.grown_interval : limits_.interval), stop);
    lock.lock();
    if (stop.stop_requested()) return;
  }
}

void OutputLog::send(std::unique_lock<std::mutex>& lock, Stream& stream, bool last) {
  const size_t drop = excess(stream.pending, event_limit);
  std::string bytes = stream.pending.substr(drop);
  if (!last) bytes.resize(whole_characters(bytes));
  if (bytes.empty()) return;
  const uint64_t offset = stream.pending_at + drop;
  stream.pending.erase(0, drop + bytes.size());
  const uint64_t end = offset + bytes.size();
  stream.pending_at = end;
  stream.sent += bytes.size();
  std::string text = to_utf8(bytes);
  if (stream.sent > limits_.event_bytes) {
    stream.pending.clear();
    text +=
        "\n[selfagent: more output is not shown live; GET /download/" + job_id_ + " has the log]\n";
  }
  // The store calls listeners: the program must not wait for them.
  lock.unlock();
  std::string failure;
  try {
    store_.append("", job_id_, stream.kind,
                  {{"text", std::move(text)}, {"offset", offset}, {"end", end}});
  } catch (const std::exception& error) {
    failure = error.what();
  }
  lock.lock();
  if (!failure.empty()) problem_ = failure;
}

void OutputLog::tell_growth(std::unique_lock<std::mutex>& lock, Stream& stream) {
  if (!stream.grown) return;
  stream.grown = false;
  const uint64_t end = stream.logged;
  lock.unlock();
  store_.announce("", job_id_, "log_grew", {{"stream", stream.kind}, {"end", end}});
  lock.lock();
}

void OutputLog::close() {
  sender_.request_stop();
  if (sender_.joinable()) sender_.join();
  std::unique_lock lock(mutex_);
  if (closed_) return;
  closed_ = true;
  send(lock, out_, true);
  send(lock, err_, true);
  out_.file.reset();
  err_.file.reset();
}

std::string OutputLog::problem() const {
  const std::lock_guard guard(mutex_);
  return problem_;
}

std::string log_tail(const std::filesystem::path& file, size_t limit) {
  const UniqueFd fd(::open(file.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat status{};
  if (!fd || ::fstat(fd.get(), &status) != 0) return "";
  const auto size = static_cast<uint64_t>(status.st_size);
  const uint64_t start = size > limit ? size - limit : 0;
  const std::string bytes = read_at(fd.get(), start, size - start);
  size_t cut = 0;
  while (start > 0 && cut < 3 && cut < bytes.size() && continues_character(bytes[cut])) ++cut;
  return to_utf8(std::string_view(bytes).substr(cut));
}

}  // namespace selfagent
