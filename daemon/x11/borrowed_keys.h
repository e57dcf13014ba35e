// The spare keycodes that carry characters of ours.
#pragma once

#include <vector>

#include "base/clock.h"
#include "x11/input.h"
#include "x11/keymap.h"

namespace selfagent {

/// Which spare keycodes are lent to which keysyms. Protected by the gesture during which it is
/// used.
class BorrowedKeys {
 public:
  /// Compares with the server's keymap: a layout change takes everything back, a crashed process
  /// left something.
  void refresh(const Input::Gesture& gesture, const Keymap& keymap);

  /// How many keysyms can be lent at the same time.
  size_t capacity(const Keymap& keymap) const { return keys_.size() + keymap.spare().size(); }

  bool has(Keysym keysym) const;
  bool empty() const { return keys_.empty(); }

  /// Lends a keycode to each of `wanted` (at most capacity()); none of `wanted` is in the keymap.
  /// Keycodes that were used last are taken last, and only when their programs had time to look
  /// them up; blocks for that.
  void lend(const Input::Gesture& gesture, Keymap& keymap, const std::vector<Keysym>& wanted);

  /// Notes that the borrowed keys among `keysyms` were pressed now.
  void used(const std::vector<Keysym>& keysyms);

  /// Gives everything back, after the programs had time.
  void give_back(const Input::Gesture& gesture, Keymap& keymap);

 private:
  struct Key {
    unsigned keycode;
    Keysym keysym;
    Clock::time_point last_use;
  };

  void remember(const Input::Gesture& gesture) const;

  std::vector<Key> keys_;
};

}  // namespace selfagent
