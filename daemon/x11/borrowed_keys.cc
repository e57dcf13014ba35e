#include "x11/borrowed_keys.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>

#include <algorithm>
#include <utility>

#include "base/error.h"

namespace selfagent {
namespace {

// A program that is this late still finds the meaning of a borrowed key (measured: Chromium under
// load 400 ms).
constexpr milliseconds time_to_look_up{500};

Atom property(Display* display) { return XInternAtom(display, "_SELFAGENT_BORROWED_KEYS", False); }

/// Pairs of keycode and keysym that a process of ours wrote; anything else is ignored.
std::vector<std::pair<unsigned, Keysym>> remembered(Display* display) {
  Atom type = 0;
  int format = 0;
  unsigned long count = 0;
  unsigned long rest = 0;
  unsigned char* value = nullptr;
  std::vector<std::pair<unsigned, Keysym>> keys;
  if (XGetWindowProperty(display, DefaultRootWindow(display), property(display), 0, 512, False,
                         XA_CARDINAL, &type, &format, &count, &rest, &value) != 0) {
    return keys;
  }
  // Format 32 arrives as an array of long.
  const auto* numbers = reinterpret_cast<const unsigned long*>(value);
  for (unsigned long i = 0; type == XA_CARDINAL && format == 32 && i + 1 < count; i += 2) {
    keys.emplace_back(static_cast<unsigned>(numbers[i]), static_cast<Keysym>(numbers[i + 1]));
  }
  if (value != nullptr) XFree(value);
  return keys;
}

}  // namespace

void BorrowedKeys::refresh(const Input::Gesture& gesture, const Keymap& keymap) {
  std::vector<Key> now;
  for (const auto& [keycode, keysym] : remembered(gesture.display())) {
    if (keysym == 0 || keymap.meaning(keycode) != keysym) continue;
    const auto known =
        std::find_if(keys_.begin(), keys_.end(),
                     [&, code = keycode](const Key& key) { return key.keycode == code; });
    now.push_back({keycode, keysym, known == keys_.end() ? Clock::now() : known->last_use});
  }
  keys_ = std::move(now);
}

bool BorrowedKeys::has(Keysym keysym) const {
  return std::any_of(keys_.begin(), keys_.end(),
                     [keysym](const Key& key) { return key.keysym == keysym; });
}

void BorrowedKeys::lend(const Input::Gesture& gesture, Keymap& keymap,
                        const std::vector<Keysym>& wanted) {
  if (wanted.empty()) return;
  std::vector<unsigned> free = keymap.spare();
  std::sort(keys_.begin(), keys_.end(),
            [](const Key& a, const Key& b) { return a.last_use < b.last_use; });
  Clock::time_point last_use{};
  while (free.size() < wanted.size()) {
    if (keys_.empty()) {
      throw Error(ErrorCode::resource_exhausted,
                  "the keymap has no spare keycode for " + std::to_string(wanted.size()) +
                      " character(s) that no key has: use the clipboard and paste instead");
    }
    last_use = keys_.front().last_use;
    free.push_back(keys_.front().keycode);
    keys_.erase(keys_.begin());
  }
  const auto since = Clock::now() - last_use;
  if (since < time_to_look_up) {
    gesture.sync();
    gesture.pause(std::chrono::duration_cast<milliseconds>(time_to_look_up - since));
  }
  std::vector<std::pair<unsigned, Keysym>> changes;
  for (size_t i = 0; i < wanted.size(); ++i) {
    changes.emplace_back(free[i], wanted[i]);
    keys_.push_back({free[i], wanted[i], Clock::now()});
  }
  remember(
      gesture);  // before the change: a crash in between leaves a harmless note, not a lost keycode
  keymap.change(changes);
}

void BorrowedKeys::used(const std::vector<Keysym>& keysyms) {
  for (Key& key : keys_) {
    if (std::find(keysyms.begin(), keysyms.end(), key.keysym) != keysyms.end()) {
      key.last_use = Clock::now();
    }
  }
}

void BorrowedKeys::give_back(const Input::Gesture& gesture, Keymap& keymap) {
  if (keys_.empty()) return;
  std::vector<std::pair<unsigned, Keysym>> changes;
  Clock::time_point last_use{};
  for (const Key& key : keys_) {
    changes.emplace_back(key.keycode, 0);
    last_use = std::max(last_use, key.last_use);
  }
  const auto since = Clock::now() - last_use;
  if (since < time_to_look_up) {
    gesture.pause(std::chrono::duration_cast<milliseconds>(time_to_look_up - since));
  }
  keymap.change(changes);
  keys_.clear();
  XDeleteProperty(gesture.display(), gesture.use().root(), property(gesture.display()));
  gesture.sync();
}

void BorrowedKeys::remember(const Input::Gesture& gesture) const {
  std::vector<unsigned long> numbers;
  for (const Key& key : keys_) {
    numbers.push_back(key.keycode);
    numbers.push_back(key.keysym);
  }
  XChangeProperty(gesture.display(), gesture.use().root(), property(gesture.display()), XA_CARDINAL,
                  32, PropModeReplace, reinterpret_cast<const unsigned char*>(numbers.data()),
                  static_cast<int>(numbers.size()));
}

}  // namespace selfagent
