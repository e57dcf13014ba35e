// The one exception type: a code for programs and a sentence for the reader, who is usually a
// language model.
#pragma once

#include <stdexcept>
#include <string>

namespace selfagent {

/// What went wrong, coarse enough to decide what to do about it.
enum class ErrorCode {
  invalid_argument,    ///< The caller can mend it: a wrong name, type, range or combination.
  not_found,           ///< The named thing does not exist (file, window, job, method).
  permission_denied,   ///< The sandbox user or the caller may not do that.
  unavailable,         ///< A resource is away and may come back (display, model server).
  timeout,             ///< The deadline of the call passed.
  cancelled,           ///< The caller, a person or shutdown asked to stop.
  resource_exhausted,  ///< No disk space, queue full, no spare keycode, body too large.
  conflict,            ///< The state does not allow it now (already running, text not unique).
  internal,            ///< A defect or an unexpected answer of the system.
};

/// The wire word of `code`, e.g. "invalid_argument".
const char* to_string(ErrorCode code);

/// Thrown where the fact is known, caught once per boundary (tool call, connection, planner run).
/// The message says the value, the limit and the next step.
class Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
  ErrorCode code() const { return code_; }

 private:
  ErrorCode code_;
};

/// An Error for a failed system call: "`what`: `strerror(error_number)`", with the code that fits
/// errno (ENOENT not_found, EACCES/EPERM permission_denied, ENOSPC/EMFILE resource_exhausted, ...).
Error system_error(const std::string& what, int error_number);

}  // namespace selfagent
