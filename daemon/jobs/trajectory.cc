#include "jobs/trajectory.h"

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "jobs/atif.h"
#include "jobs/job_json.h"
#include "jobs/osworld.h"
#include "store/each_event.h"

namespace selfagent {

namespace {

constexpr size_t exported_at_once = 200;  // events: each may be some hundred kB

using Range = std::pair<int64_t, int64_t>;

bool is_rewound(const std::vector<Range>& ranges, int64_t seq) {
  return std::any_of(ranges.begin(), ranges.end(),
                     [&](const Range& range) { return seq > range.first && seq <= range.second; });
}

ArchiveFile export_lines(const ExportSource& source, const Conversation& conversation) {
  Spool lines(source.temporary);
  each_event(source.store, conversation.id, "", exported_at_once,
             [&](const Event& event) { lines.write(dump_json(event_json(event)) + "\n"); });
  const uint64_t size = lines.size();
  return {lines.release(), size, conversation.id + ".jsonl"};
}

}  // namespace

ExportFormat export_format(const std::string& word) {
  if (word == "jsonl") return ExportFormat::jsonl;
  if (word == "atif") return ExportFormat::atif;
  if (word == "osworld") return ExportFormat::osworld;
  throw Error(ErrorCode::invalid_argument,
              "format=\"" + word.substr(0, 50) + "\" is none of jsonl, atif, osworld");
}

std::string ending_of(const Json& image) {
  return image.value("mime", std::string()) == "image/jpeg" ? "jpg" : "png";
}

std::string text_of_event(const Event& event, const char* name) {
  const auto at = event.data.is_object() ? event.data.find(name) : event.data.end();
  return event.data.is_object() && at != event.data.end() && at->is_string()
             ? at->get<std::string>()
             : "";
}

bool TrajectoryFiles::add_picture(const Json& image, const std::string& name, int64_t ts_ms) {
  if (names_.contains(name)) return true;
  const std::string sha256 = image.value("sha256", std::string());
  const auto bytes = store_.blob(sha256);
  if (!bytes) {
    left_out_ += name + ": the picture " + sha256 + " is not in the store\n";
    return false;
  }
  zip_.add_text({name, 0644, ts_ms / 1000}, *bytes);
  names_.insert(name);
  return true;
}

ArchiveFile TrajectoryFiles::finish(const std::string& name, const std::string& file_name,
                                    int64_t ts_ms) {
  text_.rewind();
  zip_.add_file({name, 0644, ts_ms / 1000}, text_.fd(), text_.size());
  if (!left_out_.empty()) zip_.add_text({"left-out.txt", 0644, ts_ms / 1000}, left_out_);
  zip_.finish();
  const uint64_t size = file_.size();
  return {file_.release(), size, file_name};
}

ArchiveFile export_conversation(const ExportSource& source, const std::string& conversation_id,
                                ExportFormat format) {
  const auto conversation = source.store.conversation(conversation_id);
  if (!conversation) throw no_conversation(conversation_id);
  if (format == ExportFormat::jsonl) return export_lines(source, *conversation);
  TrajectoryFiles files(source.store, source.temporary);
  std::unique_ptr<Trajectory> trajectory;
  const bool atif = format == ExportFormat::atif;
  if (atif) {
    trajectory = std::make_unique<AtifTrajectory>(files, *conversation, source.version);
  } else {
    trajectory = std::make_unique<OsworldTrajectory>(files);
  }
  const auto ranges = source.store.rewound(conversation_id);
  each_event(source.store, conversation_id, "", exported_at_once, [&](const Event& event) {
    if (!is_rewound(ranges, event.seq)) trajectory->tell(event);
  });
  trajectory->end();
  return files.finish(atif ? "trajectory.json" : "traj.jsonl",
                      conversation_id + (atif ? "-atif.zip" : "-osworld.zip"),
                      conversation->updated_ms);
}

}  // namespace selfagent
