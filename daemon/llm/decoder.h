// Turns the bytes of a model server's answer into a Completion, by the rules that real servers
// force on a client.
//
// Never trusted: finish_reason, the index of a tool call, the shape of an error, HTTP 200. An
// answer is over when a finish_reason or [DONE] came; without either it is an error, even if the
// text looks whole.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "llm/client.h"
#include "llm/sse.h"
#include "llm/tool_call_slots.h"

namespace selfagent {

/// One text that comes in pieces. Most servers send the next piece, some (MiniMax) everything so
/// far each time; which of the two it is shows after a few pieces, until then pieces that look like
/// the second are held back.
class DeltaText {
 public:
  /// Takes a piece and returns what of it is new and certain.
  std::string add(const std::string& piece);
  /// No more pieces: returns what was held back.
  std::string finish();
  const std::string& text() const { return text_; }

 private:
  enum class Way { unknown, pieces, cumulative };
  Way way_ = Way::unknown;
  std::string text_;  ///< what was handed out
  std::string last_;  ///< the newest piece, while the way is unknown or cumulative
  std::string held_;  ///< pieces after the first, while the way is unknown
  int count_ = 0;
};

/// Decodes one answer with status 200: Server-Sent Events, or one JSON object if the server ignored
/// `stream`. Used by one thread; the sinks are called from feed() and finish(). Every throw is a
/// ModelFailure.
class AnswerDecoder {
 public:
  using Sink = std::function<void(const std::string&)>;

  AnswerDecoder(Sink on_text, Sink on_reasoning);

  /// Throws for HTML and for an error inside the stream.
  void feed(std::string_view bytes);

  /// The whole answer. Throws if it is not whole.
  Completion finish();

  /// True if [DONE] came: the rest of the stream has no meaning.
  bool done() const { return done_; }
  /// True if text was handed to a sink.
  bool began() const { return began_; }

 private:
  enum class Form { unknown, events, json };

  void event(std::string_view data);
  void chunk(const Json& chunk);
  void usage(const Json& usage);
  void delta(const Json& delta);
  void content(const Json& content);
  void text(const std::string& piece);
  void reasoning(const std::string& piece);

  Sink on_text_;
  Sink on_reasoning_;
  Form form_ = Form::unknown;
  SseSplitter events_;
  std::string body_;  ///< the bytes so far, unless they are events
  bool any_event_ = false;
  bool done_ = false;
  bool began_ = false;
  DeltaText text_;
  DeltaText reasoning_;
  ToolCallSlots calls_;
  Completion completion_;
};

}  // namespace selfagent
