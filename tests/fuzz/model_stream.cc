// The answer of a model server: however its bytes are cut, the same completion or the same failure
// comes out.
//
// The first byte seeds the cuts, the rest is the answer.
#include <random>

#include "fuzz/target.h"
#include "llm/arguments.h"
#include "llm/decoder.h"
#include "llm/failure.h"

namespace selfagent::fuzz {
namespace {

// Everything that a caller can see of an answer, as one text. Ids that the decoder made up are
// random.
std::string decoded(const std::vector<std::string_view>& pieces) {
  std::string text;
  std::string thoughts;
  AnswerDecoder decoder([&](const std::string& piece) { text += piece; },
                        [&](const std::string& piece) { thoughts += piece; });
  std::string seen;
  try {
    for (const auto piece : pieces) decoder.feed(piece);
    const Completion completion = decoder.finish();
    seen = completion.text + "\n" + completion.reasoning + "\n" + completion.finish_reason + "\n" +
           dump_json(completion.reasoning_details) + std::to_string(completion.prompt_tokens) +
           " " + std::to_string(completion.completion_tokens) + " " +
           std::to_string(completion.cached_tokens) + "\n";
    for (const ToolCall& call : completion.tool_calls) {
      require(!call.id.empty(), "a tool call has an id", call.name);
      seen += call.name + "(" + call.arguments + ")" + dump_json(call.extra) +
              (call.truncated ? " cut\n" : "\n");
      try {
        require(read_arguments(call.arguments).object.is_object(), "arguments are an object",
                call.arguments);
      } catch (const Error& error) {
        seen += std::string(error.what()) + "\n";
      }
    }
  } catch (const ModelFailure& failure) {
    seen = std::string("failure: ") + failure.what() + std::to_string(failure.status());
  }
  return text + "\n" + thoughts + "\n" + seen;
}

}  // namespace

void model_stream(std::string_view input) {
  if (input.empty()) return;
  std::minstd_rand random(static_cast<unsigned char>(input.front()) + 1u);
  input.remove_prefix(1);
  const std::string whole = decoded({input});
  std::vector<std::string_view> pieces;
  for (std::string_view rest = input; !rest.empty();) {
    const size_t size = std::min<size_t>(rest.size(), 1 + random() % 7);
    pieces.push_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  const std::string cut = decoded(pieces);
  require(cut == whole, "an answer does not depend on how it is cut",
          "whole: " + whole + "\n--- cut: " + cut);
}

}  // namespace selfagent::fuzz
