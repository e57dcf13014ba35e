#include "kernel/kernels.h"

#include <algorithm>
#include <set>

#include "base/error.h"
#include "base/log.h"
#include "kernel/kernel.h"
#include "kernel/kernel_folder.h"
#include "kernel/kernel_record.h"
#include "kernel/programs.h"

namespace selfagent {
namespace {

constexpr milliseconds left_over_grace{500};
constexpr size_t most_epitaphs = 1000;
constexpr std::string_view command_begin = "kernel ";

}  // namespace

const char* to_string(KernelLanguage language) {
  switch (language) {
    case KernelLanguage::python:
      return "python";
    case KernelLanguage::typescript:
      return "typescript";
    case KernelLanguage::javascript:
      break;
  }
  return "javascript";
}

Kernels::Kernels(const Sandbox& sandbox, ProcessTable& processes, Settings settings)
    : sandbox_(sandbox),
      processes_(processes),
      settings_(std::move(settings)),
      sockets_(std::make_unique<KernelSockets>(sandbox)) {
  std::set<std::string> names;
  for (const auto& process : processes_.list()) {  // the newest first
    const ProcessInfo& info = process->info();
    const auto& variables = info.environment;
    if (!info.command.starts_with(command_begin) ||
        std::find(variables.begin(), variables.end(), kernel_mark) == variables.end()) {
      continue;
    }
    go_on_with(process, names.insert(info.command).second);
  }
  remove_abandoned_kernel_folders(sandbox_);
}

// Of the kernels of a name only the newest counts: the others were being ended.
void Kernels::go_on_with(const ProcessPtr& process, bool newest) {
  const std::string name = process->info().command.substr(command_begin.size());
  const auto record = read_kernel_record(process->folder());
  const bool lives = !process->state().has_exited();
  if (lives && newest && record) {
    try {
      kernels_[name] = std::make_shared<Kernel>(sandbox_, *sockets_, settings_, *record, process);
      return;
    } catch (const Error& error) {
      log::warn("{} is ended: {}", process->info().command, error.what());
      kernels_.erase(name);
    }
  }
  if (newest) {
    // Perhaps it has ended by a daemon that was killed before it could tell anybody.
    lost_[name] = lives ? "was ended when the daemon was restarted"
                        : "had ended when the daemon was restarted";
  }
  if (lives) {
    log::info("ends {}, which an earlier daemon left", process->info().command);
    try {
      process->end(left_over_grace);
    } catch (const Error&) {
      // It has ended by itself.
    }
  }
  if (!record) return;
  const KernelFolder abandoned(sandbox_, record->folder);
  remove_kernel_record(process->folder());
}

Kernels::~Kernels() = default;

// A kernel of an earlier daemon that does not answer is dead, which the call should know before it
// chooses its kernel.
void Kernels::await_return(const KernelCall& call, const std::string& name,
                           const std::stop_token& stop) {
  std::shared_ptr<Kernel> kernel;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = kernels_.find(name); at != kernels_.end()) kernel = at->second;
  }
  if (kernel && !call.restart) kernel->await_return(call.until, stop);
}

KernelAnswer Kernels::run(const KernelCall& call, const std::stop_token& stop) {
  const std::string name = std::string(to_string(call.language)) + " " + call.session;
  await_return(call, name, stop);
  std::shared_ptr<Kernel> kernel;
  std::shared_ptr<Kernel> old;  // destroyed without the mutex
  std::string lost;
  std::string death;
  bool fresh = false;
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = kernels_.find(name); at != kernels_.end()) {
      death = at->second->death();
      if (death.empty() && !call.restart) {
        kernel = at->second;
      } else {
        if (!death.empty()) lost_[name] = death;
        old = std::move(at->second);
        kernels_.erase(at);
      }
    }
  }
  if (old && call.code.empty()) {
    // What it showed before it ended was for this call.
    if (!call.restart) return old->run(call, stop);
    old->end("was ended by a call with restart: true");
    return {.end = KernelAnswer::End::ended, .reason = "was ended, as restart asked"};
  }
  if (old) old->end("was ended by a call with restart: true");
  if (!kernel) {
    if (call.code.empty() || call.interrupt) return {};
    make_room();
    const std::lock_guard lock(mutex_);
    auto& place = kernels_[name];
    if (!place) {
      try {
        place = std::make_shared<Kernel>(sandbox_, processes_, *sockets_, settings_, call, name);
      } catch (...) {
        kernels_.erase(name);
        throw;
      }
      fresh = true;
      if (const auto at = lost_.find(name); at != lost_.end()) {
        lost = std::move(at->second);
        lost_.erase(at);
      }
    }
    kernel = place;
  }
  KernelAnswer answer = kernel->run(call, stop);
  answer.fresh = fresh;
  answer.lost = std::move(lost);
  return answer;
}

// Those that have ended leave their epitaph and nothing else.
std::vector<std::shared_ptr<Kernel>> Kernels::take_dead() {
  std::vector<std::shared_ptr<Kernel>> dead;
  const std::lock_guard lock(mutex_);
  std::erase_if(kernels_, [&](auto& entry) {
    std::string death = entry.second->death();
    if (death.empty()) return false;
    lost_[entry.first] = std::move(death);
    dead.push_back(std::move(entry.second));
    return true;
  });
  while (lost_.size() > most_epitaphs) lost_.erase(lost_.begin());
  return dead;
}

void Kernels::make_room() {
  take_dead();
  std::shared_ptr<Kernel> oldest;
  {
    const std::lock_guard lock(mutex_);
    std::string names;
    for (const auto& [name, kernel] : kernels_) {
      names += (names.empty() ? "" : ", ") + name;
      if (!oldest || kernel->idle_since() < oldest->idle_since()) oldest = kernel;
    }
    if (kernels_.size() < settings_.most) return;
    if (oldest->idle_since() == Clock::time_point::max()) {
      throw Error(ErrorCode::resource_exhausted,
                  std::to_string(kernels_.size()) + " kernels are busy (" + names +
                      "), and more are not started: wait for one of them, or end one with "
                      "interrupt or restart");
    }
  }
  oldest->end("was ended, as the one idle longest, to make room for another");
}

}  // namespace selfagent
