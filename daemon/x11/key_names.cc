#include "x11/key_names.h"

#include <X11/Xlib.h>
#include <X11/keysym.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <sstream>
#include <string_view>

#include "base/error.h"
#include "base/lower.h"
#include "base/utf8.h"

namespace selfagent {
namespace {

struct Name {
  std::string_view name;
  Keysym keysym;
};

constexpr auto names = std::to_array<Name>({
    {"ctrl", XK_Control_L},
    {"control", XK_Control_L},
    {"ctl", XK_Control_L},
    {"shift", XK_Shift_L},
    {"alt", XK_Alt_L},
    {"option", XK_Alt_L},
    {"altgr", XK_ISO_Level3_Shift},
    {"super", XK_Super_L},
    {"win", XK_Super_L},
    {"windows", XK_Super_L},
    {"cmd", XK_Super_L},
    {"command", XK_Super_L},
    {"meta", XK_Super_L},
    {"enter", XK_Return},
    {"return", XK_Return},
    {"esc", XK_Escape},
    {"escape", XK_Escape},
    {"tab", XK_Tab},
    {"space", XK_space},
    {"spacebar", XK_space},
    {"backspace", XK_BackSpace},
    {"bksp", XK_BackSpace},
    {"delete", XK_Delete},
    {"del", XK_Delete},
    {"insert", XK_Insert},
    {"ins", XK_Insert},
    {"home", XK_Home},
    {"end", XK_End},
    {"pageup", XK_Page_Up},
    {"page_up", XK_Page_Up},
    {"pgup", XK_Page_Up},
    {"pagedown", XK_Page_Down},
    {"page_down", XK_Page_Down},
    {"pgdn", XK_Page_Down},
    {"pgdown", XK_Page_Down},
    {"up", XK_Up},
    {"arrowup", XK_Up},
    {"down", XK_Down},
    {"arrowdown", XK_Down},
    {"left", XK_Left},
    {"arrowleft", XK_Left},
    {"right", XK_Right},
    {"arrowright", XK_Right},
    {"capslock", XK_Caps_Lock},
    {"caps_lock", XK_Caps_Lock},
    {"numlock", XK_Num_Lock},
    {"num_lock", XK_Num_Lock},
    {"scrolllock", XK_Scroll_Lock},
    {"scroll_lock", XK_Scroll_Lock},
    {"print", XK_Print},
    {"printscreen", XK_Print},
    {"prtsc", XK_Print},
    {"pause", XK_Pause},
    {"break", XK_Break},
    {"menu", XK_Menu},
    {"contextmenu", XK_Menu},
    {"plus", XK_plus},
    {"minus", XK_minus},
    {"hyphen", XK_minus},
    {"equal", XK_equal},
    {"equals", XK_equal},
    {"comma", XK_comma},
    {"period", XK_period},
    {"dot", XK_period},
    {"slash", XK_slash},
    {"backslash", XK_backslash},
    {"semicolon", XK_semicolon},
    {"colon", XK_colon},
    {"apostrophe", XK_apostrophe},
    {"quote", XK_apostrophe},
    {"grave", XK_grave},
    {"backtick", XK_grave},
    {"tilde", XK_asciitilde},
    {"underscore", XK_underscore},
    {"f1", XK_F1},
    {"f2", XK_F2},
    {"f3", XK_F3},
    {"f4", XK_F4},
    {"f5", XK_F5},
    {"f6", XK_F6},
    {"f7", XK_F7},
    {"f8", XK_F8},
    {"f9", XK_F9},
    {"f10", XK_F10},
    {"f11", XK_F11},
    {"f12", XK_F12},
});

size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0]++;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t above = row[j + 1];
      row[j + 1] = std::min({row[j] + 1, above + 1, diagonal + (a[i] == b[j] ? 0 : 1)});
      diagonal = above;
    }
  }
  return row[b.size()];
}

[[noreturn]] void throw_unknown(const std::string& word) {
  std::vector<std::pair<size_t, std::string_view>> near;
  for (const Name& name : names) {
    const size_t distance = edit_distance(lower(word), name.name);
    if (distance <= std::max<size_t>(1, word.size() / 2)) near.emplace_back(distance, name.name);
  }
  std::stable_sort(near.begin(), near.end(),
                   [](const auto& a, const auto& b) { return a.first < b.first; });
  std::string message = "there is no key \"" + word + "\"";
  for (size_t i = 0; i < std::min<size_t>(3, near.size()); ++i) {
    message += (i == 0 ? ", near it are: " : ", ") + std::string(near[i].second);
  }
  throw Error(ErrorCode::invalid_argument,
              message +
                  ". Keys are characters, names such as Return, Escape, Page_Up, F5, and "
                  "ctrl, shift, alt, super, joined by +; use type for text");
}

/// X's names are of mixed case: "Page_Up", "XF86AudioPlay", "aacute".
Keysym x_name(const std::string& word) {
  std::string capital = lower(word);
  for (size_t i = 0; i < capital.size(); ++i) {
    if (i == 0 || capital[i - 1] == '_') {
      capital[i] = static_cast<char>(std::toupper(static_cast<unsigned char>(capital[i])));
    }
  }
  for (const std::string& spelling : {word, lower(word), capital}) {
    const KeySym keysym = XStringToKeysym(spelling.c_str());
    if (keysym != NoSymbol) return static_cast<Keysym>(keysym);
  }
  return 0;
}

Keysym key_named(const std::string& word) {
  const std::vector<char32_t> characters = code_points(word);
  if (characters.size() == 1) return keysym_of(characters.front());
  const auto known =
      std::find_if(names.begin(), names.end(),
                   [text = lower(word)](const Name& name) { return name.name == text; });
  if (known != names.end()) return known->keysym;
  const Keysym keysym = x_name(word);
  if (keysym == 0) throw_unknown(word);
  return keysym;
}

/// "ctrl++" is Control and plus: an empty word between or after plus signs is the key plus.
std::vector<std::string> split(const std::string& chord) {
  std::vector<std::string> words;
  size_t from = 0;
  while (from <= chord.size()) {
    size_t to = chord.find('+', from);
    if (to == from)
      to = chord.find('+', from + 1), words.push_back("plus");
    else
      words.push_back(chord.substr(from, to == std::string::npos ? to : to - from));
    if (to == std::string::npos) break;
    from = to + 1;
    if (from == chord.size()) break;
  }
  return words;
}

Chord parse_chord(const std::string& text) {
  Chord chord;
  for (const std::string& word : split(text)) {
    if (chord.key != 0) chord.held.push_back(chord.key);
    chord.key = key_named(word);
  }
  const bool capital = chord.key >= XK_A && chord.key <= XK_Z;
  if (capital && !chord.held.empty()) chord.key += XK_a - XK_A;
  return chord;
}

}  // namespace

std::vector<Chord> parse_chords(const std::string& keys) {
  std::istringstream words(keys);
  std::vector<Chord> chords;
  for (std::string word; words >> word;) chords.push_back(parse_chord(word));
  if (chords.empty()) {
    throw Error(
        ErrorCode::invalid_argument,
        "keys is empty: write chords such as \"ctrl+l\" or \"Return\", separated by spaces");
  }
  return chords;
}

}  // namespace selfagent
