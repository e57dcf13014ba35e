// The ZIP of a job: what it made and what is known about it.
//
//   workspace/…        the files of its workspace, as the sandbox user may read them
//   pictures/NNN-….png the pictures of its actions, in order
//   log/job.json       the job
//   log/events.jsonl   its events, one a line
//   log/stdout, stderr its whole output (code and gui jobs)
//   log/left-out.txt   what is missing and why, if anything is
//
// The workspace belongs to a program that may be hostile, and the reader of its files is the
// daemon: so files are opened with the sandbox user's rights, symbolic links are stored as links
// and never followed, and what is neither a file, a folder nor a link is left out.
#pragma once

#include <cstdint>
#include <filesystem>
#include <stop_token>
#include <string>

#include "base/unique_fd.h"
#include "process/sandbox.h"
#include "store/store.h"

namespace selfagent {

/// A file without a name on disk: it is gone when `fd` is closed. `fd` stands at its beginning.
struct ArchiveFile {
  UniqueFd fd;
  uint64_t size = 0;  ///< bytes
  std::string name;   ///< for the download: "j-….zip"
};

struct ArchiveSource {
  const Store& store;
  const Sandbox& sandbox;
  std::filesystem::path workspace;   ///< need not exist
  std::filesystem::path logs;        ///< need not exist
  std::filesystem::path temporary;   ///< folder for the unnamed file
  uint64_t most_bytes = 4ULL << 30;  ///< of files, before compression; what is beyond is left out
  size_t most_files = 100'000;
};

/// Writes the ZIP with bounded memory, blocking. Throws Error(resource_exhausted) when the disk is
/// full, Error(cancelled) when `stop` is requested.
ArchiveFile make_archive(const ArchiveSource& source, const Job& job, const std::stop_token& stop);

}  // namespace selfagent
