#include "kernel/kernel_record.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>

#include "base/error.h"
#include "base/json.h"
#include "base/log.h"
#include "process/descriptors.h"

namespace selfagent {
namespace {

namespace fs = std::filesystem;

constexpr const char* record_file = "kernel";
constexpr const char* runs_file = "kernel-runs";
// Of the same length each time, so that one write replaces the one before it.
constexpr const char* runs_format = "%010d %s\n";
constexpr const char* untold_word = "untold";
constexpr const char* told_word = "told  ";
constexpr uint64_t runs_bytes = 18;

KernelLanguage language_of(const std::string& word) {
  for (const auto language :
       {KernelLanguage::python, KernelLanguage::typescript, KernelLanguage::javascript}) {
    if (word == to_string(language)) return language;
  }
  throw Error(ErrorCode::invalid_argument, "no language of a kernel: " + word);
}

}  // namespace

void write_kernel_record(const fs::path& process_folder, const KernelRecord& record) {
  const Json json = {{"language", to_string(record.language)},
                     {"session", record.session},
                     {"folder", record.folder.string()},
                     {"key", record.key}};
  // Whole or not at all.
  const fs::path path = process_folder / record_file;
  const fs::path part = path.string() + ".part";
  const UniqueFd file(
      ::open(part.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600));
  int failed = file ? write_all(file.get(), dump_json(json)) : errno;
  if (failed == 0 && ::rename(part.c_str(), path.c_str()) != 0) failed = errno;
  if (failed != 0) throw system_error("cannot write " + path.string(), failed);
}

std::optional<KernelRecord> read_kernel_record(const fs::path& process_folder) {
  std::ifstream file(process_folder / record_file);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (text.empty()) return std::nullopt;
  try {
    const Json json = parse_json(text);
    return KernelRecord{language_of(json.at("language").get<std::string>()),
                        json.at("session").get<std::string>(), json.at("folder").get<std::string>(),
                        json.at("key").get<std::string>()};
  } catch (const std::exception& error) {
    log::warn("{} is no record of a kernel: {}", (process_folder / record_file).string(),
              error.what());
    return std::nullopt;
  }
}

void remove_kernel_record(const fs::path& process_folder) {
  std::error_code ignored;
  fs::remove(process_folder / record_file, ignored);
  fs::remove(process_folder / runs_file, ignored);
}

KernelRuns::KernelRuns(const fs::path& process_folder)
    : file_(::open((process_folder / runs_file).c_str(), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC,
                   0600)) {}

KernelRuns::State KernelRuns::read() const {
  State state;
  const std::string text = file_ ? read_at(file_.get(), 0, runs_bytes) : std::string();
  if (text.size() != runs_bytes) return state;
  state.run = std::atoi(text.c_str());
  state.untold = text.find(untold_word) != std::string::npos;
  return state;
}

void KernelRuns::write(const State& state) const {
  if (!file_) return;
  std::array<char, runs_bytes + 1> text{};
  const int size = std::snprintf(text.data(), text.size(), runs_format, state.run,
                                 state.untold ? untold_word : told_word);
  // On a full disk the next daemon does not know of the run, but of the kernel.
  [[maybe_unused]] const auto written =
      ::pwrite(file_.get(), text.data(), static_cast<size_t>(size), 0);
}

}  // namespace selfagent
