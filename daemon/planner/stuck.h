// Notices that a run goes in circles.
//
// Thresholds: of 3 turns alike the third is told to the model, the 5th with other advice; after the
// 8th another model takes over, where there is one, and the model is told to ask or to give up
// (with another one after the 10th); the 12th ends the run (docs/decisions/stuck.md has the
// sources).
#pragma once

#include <deque>
#include <optional>
#include <string>

namespace selfagent {

/// What one answer of the model did: all of its calls together.
struct TurnOutcome {
  std::string actions;    ///< what was called, arguments included
  std::string seen;       ///< what came of it: the screen afterwards, or the texts
  bool failed = false;    ///< every call failed
  bool idle = false;      ///< it acted on the screen, and nothing changed there
  std::string said = {};  ///< by the results, for a person
};

struct Advice {
  std::string to_model;      ///< "" if there is nothing to say
  std::string to_stop;       ///< why the run has to end, "" if it may go on
  bool other_model = false;  ///< the fallback model is to go on, and to_model is for that one
};

/// Used by one thread.
class StuckDetector {
 public:
  explicit StuckDetector(bool has_fallback = false) : has_fallback_(has_fallback) {}

  /// The turn after those before it; the advice is for the next one.
  Advice add(TurnOutcome turn);

  /// What was done in the newest turns and what came of it, for a person: a line for each of the
  /// newest different ones.
  std::string tried() const;

 private:
  struct Circle;
  Circle longest() const;
  size_t rounds(size_t period) const;

  const bool has_fallback_;
  std::deque<TurnOutcome> turns_;  ///< the newest, oldest first
};

/// Puts the calls of one answer together.
class TurnRecorder {
 public:
  /// `gui`: it acted on the screen.
  void add(const std::string& tool, const std::string& arguments, bool ok, const std::string& text,
           bool gui);
  /// The look at the screen afterwards, "" if there was none.
  void saw(const std::string& sha256) { picture_ = sha256; }

  /// Nothing if it only waited: what waits may be called as often as it takes.
  std::optional<TurnOutcome> outcome() const;

 private:
  std::string actions_;
  std::string texts_;
  std::string picture_;
  int calls_ = 0;
  int waits_ = 0;
  int failures_ = 0;
  int gui_ = 0;
  int idle_ = 0;
};

/// `text` without durations, which differ each time.
std::string without_durations(const std::string& text);

}  // namespace selfagent
