// The names of keys as people and models write them.
#pragma once

#include <string>
#include <vector>

#include "x11/keymap.h"

namespace selfagent {

/// One key press with the keys held during it.
struct Chord {
  std::vector<Keysym> held;  ///< Modifiers, in the order in which they are pressed.
  Keysym key = 0;  ///< The last key of the chord; a modifier if the chord has nothing else.
};

/// Reads chords such as "ctrl+shift+t" that are separated by white space. A key is a character, a
/// keysym name of X11 in any case ("Return", "page_up"), or an alias ("enter", "del", "pgup",
/// "win", "plus"). A single letter is the key with that letter; a capital letter alone means Shift
/// and that letter, but after a modifier it does not. Throws Error(invalid_argument) with the
/// nearest names for an unknown one.
std::vector<Chord> parse_chords(const std::string& keys);

}  // namespace selfagent
