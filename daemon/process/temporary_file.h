// Files whose content is still to come: whole under their name in the end, or not there at all.
//
// Where the file system can, such a file has no name until then (O_TMPFILE), so that nothing stays
// of a writer that is killed. What replaces another file needs one for the moment between linkat
// and rename, because linkat does not replace; other file systems know named files only. A writer
// holds a lock on its file as long as it lives: one with such a name and without a lock is left
// over. Sources: open(2), linkat(2), flock(2).
#pragma once

#include <string>

#include "base/unique_fd.h"

namespace selfagent {

/// Open for writing, and locked; empty `fd` on failure, with errno set.
struct TemporaryFile {
  UniqueFd fd;
  std::string name;    ///< ".selfagent-….tmp": what it is called in its folder, if it is.
  bool named = false;  ///< It has that name.
};

/// In the folder that is open as `folder`, for this user alone.
TemporaryFile open_temporary(int folder);
/// The same for a file system that knows no files without names.
TemporaryFile open_named_temporary(int folder);

/// Gives the file, which has no name, a name that is free. False on failure, with errno set.
bool link_temporary(int fd, int folder, const std::string& name);

/// Puts the file in the place of what is called `name`, if anything. False on failure, with errno
/// set.
bool rename_temporary(TemporaryFile& file, int folder, const std::string& name);

/// Removes what killed writers have left in the folder. Of one with very many entries it looks at a
/// part. Anything that fails is left.
void sweep_temporaries(int folder);

}  // namespace selfagent
