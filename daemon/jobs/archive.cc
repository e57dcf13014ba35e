#include "jobs/archive.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "jobs/job_json.h"
#include "jobs/spool.h"
#include "jobs/zip_folder.h"
#include "process/files.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr int folder_depth = 64;
constexpr size_t page = 200;  // events read at once: each may be some hundred kB

uint64_t size_of(int fd) {
  struct stat status{};
  if (::fstat(fd, &status) != 0) throw system_error("fstat", errno);
  return static_cast<uint64_t>(status.st_size);
}

class JobArchive {
 public:
  JobArchive(const ArchiveSource& source, const Job& job, const std::stop_token& stop)
      : source_(source), job_(job), stop_(stop), file_(source.temporary), zip_(file_.fd()) {}

  ArchiveFile make() {
    add_workspace();
    add_events();
    zip_.add_text(log_entry("job.json"), dump_json(job_json(job_, job_.text.size())) + "\n");
    for (const std::string name : {"stdout", "stderr"}) add_log(name);
    if (!left_out_.empty()) zip_.add_text(log_entry("left-out.txt"), left_out_);
    zip_.finish();
    const uint64_t size = file_.size();
    return {file_.release(), size, job_.id + ".zip"};
  }

 private:
  ZipWriter::Entry log_entry(const std::string& name) const {
    const int64_t time = job_.finished_ms > 0 ? job_.finished_ms : job_.created_ms;
    return {"log/" + name, 0644, time / 1000};
  }

  void leave_out(const std::string& name, const std::string& reason) {
    left_out_ += name + ": " + reason + "\n";
  }

  void add_workspace() {
    struct stat status{};
    // Scoped: everything else is read and written with the daemon's own rights.
    const Files files(source_.sandbox);
    if (::lstat(source_.workspace.c_str(), &status) != 0 || !S_ISDIR(status.st_mode)) return;
    files.walk(source_.workspace, folder_depth, stop_,
               [&](const FolderEntry& entry) { return add_entry(entry); });
  }

  bool add_entry(const FolderEntry& entry) {
    const ZipWriter::Entry header{"workspace/" + entry.path.string(), entry.info.st_mode,
                                  entry.info.st_mtime};
    if (++files_ > source_.most_files) {
      if (files_ == source_.most_files + 1) {
        leave_out(header.name,
                  "this and the rest: more than " + std::to_string(source_.most_files) + " files");
      }
      return false;
    }
    return add_to_zip(zip_, header, entry, rules_);
  }

  std::string refusal(uint64_t size) {
    if (size > source_.most_bytes - bytes_) {
      return fmt::format("its {} bytes are beyond the limit of {} in all", size,
                         source_.most_bytes);
    }
    bytes_ += size;
    return "";
  }

  void add_events() {
    Spool lines(source_.temporary);
    each_event(source_.store, "", job_.id, page, [&](const Event& event) {
      if (stop_.stop_requested()) throw Error(ErrorCode::cancelled, "the download was cancelled");
      lines.write(dump_json(event_json(event)) + "\n");
      add_pictures(event);
    });
    lines.rewind();
    zip_.add_file(log_entry("events.jsonl"), lines.fd(), lines.size());
  }

  void add_pictures(const Event& event) {
    if (event.kind != "action_result" || !event.data.is_object()) return;
    const Json images = event.data.value("images", Json::array());
    for (const auto& image : images) {
      if (!image.is_object() || !image.contains("sha256")) continue;
      const auto name = image["sha256"].get<std::string>();
      const std::string ending = image.value("mime", std::string()) == "image/jpeg" ? "jpg" : "png";
      const std::string entry = fmt::format("pictures/{:03}-{}.{}", ++pictures_,
                                            event.data.value("tool", std::string("tool")), ending);
      const auto bytes = source_.store.blob(name);
      if (bytes) {
        zip_.add_text({entry, 0644, event.ts_ms / 1000}, *bytes);
      } else {
        leave_out(entry, "the picture " + name + " is not in the store");
      }
    }
  }

  void add_log(const std::string& name) {
    const UniqueFd fd(::open((source_.logs / name).c_str(), O_RDONLY | O_CLOEXEC));
    if (fd) zip_.add_file(log_entry(name), fd.get(), size_of(fd.get()));
  }

  const ArchiveSource& source_;
  const Job& job_;
  const std::stop_token stop_;
  Spool file_;
  ZipWriter zip_;
  std::string left_out_;
  size_t files_ = 0;
  uint64_t bytes_ = 0;
  int pictures_ = 0;
  const ZipRules rules_{
      [this](const std::string& name, const std::string& reason) { leave_out(name, reason); },
      [this](uint64_t size) { return refusal(size); }};
};

}  // namespace

ArchiveFile make_archive(const ArchiveSource& source, const Job& job, const std::stop_token& stop) {
  return JobArchive(source, job, stop).make();
}

}  // namespace selfagent
