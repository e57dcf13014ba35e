// Runs code in kernels, which keep what it defines between calls.
//
// A kernel is a program that speaks the Jupyter protocol: ipykernel for Python, and for TypeScript
// and JavaScript the one of node_kernel.cjs. Each runs as the sandbox user in the workspace, kept
// by the process table, with its sockets in a folder that only that user may enter. There is one
// for each pair of a language and a session; it is started by the first call that wants it.
//
// docs/decisions/kernels.md says why it is done so.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <stop_token>
#include <string>
#include <vector>

#include "base/clock.h"
#include "kernel/outputs.h"
#include "process/process_table.h"
#include "process/sandbox.h"

namespace selfagent {

class Kernel;         // kernel/kernel.h
class KernelSockets;  // kernel/kernel.h

enum class KernelLanguage { python, typescript, javascript };

/// The word for it: "python", "typescript", "javascript".
const char* to_string(KernelLanguage language);

struct KernelCall {
  KernelLanguage language = KernelLanguage::python;
  std::string session = {};            ///< Names the kernel, together with the language.
  std::string code = {};               ///< Empty: waits for the code that runs.
  std::string client = {};             ///< Who asks.
  bool restart = false;                ///< Ends the kernel of the session first.
  bool interrupt = false;              ///< Interrupts what runs, instead of running `code`.
  Deadline until = Deadline::never();  ///< The longest wait; what runs goes on.
  /// Called about once a second while the call waits, on its thread.
  std::function<void(milliseconds elapsed)> on_tick = {};
};

struct KernelAnswer {
  enum class End {
    done,           ///< The code ran to its end.
    failed,         ///< It ended by an error, which is in the text.
    still_running,  ///< `until` has passed, and it goes on.
    interrupted,    ///< It was interrupted, as asked or because of the stop token.
    ended,          ///< The kernel has ended; `reason` says how.
    idle,           ///< Nothing ran, and nothing was asked for.
  };
  End end = End::idle;
  Shown shown = {};
  int run = 0;               ///< Counts the runs of this kernel; 0 if nothing ran.
  bool fresh = false;        ///< The kernel was started by this call.
  std::string lost = {};     ///< How the kernel before this one ended, if its end was not told yet.
  std::string reason = {};   ///< How this one ended.
  std::string process = {};  ///< Its id in the process table, "" if there is none.
};

/// Thread-safe. Has a thread for each kernel, and those of ZeroMQ.
class Kernels {
 public:
  struct Settings {
    /// Where the page's node_modules are, for esbuild where the system has none.
    std::filesystem::path web_folder = {};
    milliseconds idle = std::chrono::minutes(30);  ///< After that long without a call it ends.
    milliseconds start{30'000};  ///< The longest wait for a new one, and for one to answer again.
    milliseconds interrupt_grace{5'000};  ///< What does not stop by then is ended.
    size_t most = 16;                     ///< Of more, the one idle longest is ended.
  };

  /// Goes on with the kernels that an earlier daemon left, as far as they answer, and ends the
  /// others. Does not wait for them. Both outlive it.
  Kernels(const Sandbox& sandbox, ProcessTable& processes, Settings settings);
  /// Ends them all.
  ~Kernels();
  Kernels(const Kernels&) = delete;
  Kernels& operator=(const Kernels&) = delete;

  /// Blocks until the code has ended or `call.until`. If `stop` is requested the code is
  /// interrupted. Throws Error(conflict) if other code of that kernel runs, Error(unavailable) if
  /// what it needs is not installed, Error(resource_exhausted) if too many kernels are busy.
  KernelAnswer run(const KernelCall& call, const std::stop_token& stop);

 private:
  void go_on_with(const ProcessPtr& process, bool newest);
  void await_return(const KernelCall& call, const std::string& name, const std::stop_token& stop);
  void make_room();
  std::vector<std::shared_ptr<Kernel>> take_dead();

  const Sandbox& sandbox_;
  ProcessTable& processes_;
  const Settings settings_;
  const std::unique_ptr<KernelSockets> sockets_;
  std::mutex mutex_;                                        // protects the members below
  std::map<std::string, std::string> lost_;                 // how the last kernel of a name ended
  std::map<std::string, std::shared_ptr<Kernel>> kernels_;  // by "python default"
};

}  // namespace selfagent
