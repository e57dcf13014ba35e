#include "tool/held_input.h"

#include "base/error.h"
#include "base/log.h"

namespace selfagent {

void HeldInput::set(const std::string& client, Button button, bool down) {
  desktop_.pointer().set_button(button, down);
  const std::lock_guard lock(mutex_);
  if (down) {
    held_[client].insert(button);
    if (client.empty()) last_press_ = Clock::now();
    return;
  }
  // Whoever releases it: the button is up for all.
  for (auto& [owner, buttons] : held_) buttons.erase(button);
}

void HeldInput::client_gone(const std::string& client) {
  std::set<Button> buttons;
  {
    const std::lock_guard lock(mutex_);
    const auto at = held_.find(client);
    if (at == held_.end()) return;
    buttons = std::move(at->second);
    held_.erase(at);
  }
  release(buttons);
}

void HeldInput::expire() {
  {
    const std::lock_guard lock(mutex_);
    if (!held_.contains("") || Clock::now() - last_press_ < lease) return;
  }
  client_gone("");
}

void HeldInput::release_all() {
  std::map<std::string, std::set<Button>> all;
  {
    const std::lock_guard lock(mutex_);
    all.swap(held_);
  }
  for (const auto& [client, buttons] : all) release(buttons);
}

void HeldInput::release(const std::set<Button>& buttons) {
  for (const Button button : buttons) {
    try {
      desktop_.pointer().set_button(button, false);
    } catch (const Error& error) {
      log::debug("a held button was not released: {}", error.what());
    }
  }
}

}  // namespace selfagent
