#include "net/openai_request.h"

#include "base/trim.h"

namespace selfagent {

namespace {

[[noreturn]] void refuse(const std::string& param, const std::string& message) {
  throw OpenAiRefusal(400, "invalid_value", param, message);
}

void add_paragraph(std::string& text, const std::string& more) {
  if (more.empty()) return;
  text += (text.empty() ? "" : "\n\n") + more;
}

struct MessageContent {
  std::string text;
  std::vector<std::string> pictures;
};

std::string text_of(const Json& object, const char* name, const std::string& param) {
  const auto at = object.find(name);
  if (at == object.end() || !at->is_string()) {
    refuse(param + "." + name, "\"" + std::string(name) + "\" of a content part must be a string");
  }
  return at->get<std::string>();
}

void read_part(const Json& part, const std::string& param, MessageContent& content) {
  if (!part.is_object()) refuse(param, "a content part must be an object");
  const std::string type = text_of(part, "type", param);
  if (type == "text" || type == "input_text" || type == "output_text") {
    content.text += text_of(part, "text", param);
  } else if (type == "refusal") {
    content.text += text_of(part, "refusal", param);
  } else if (type == "image_url") {
    const auto image = part.find("image_url");
    if (image != part.end() && image->is_string()) {
      content.pictures.push_back(image->get<std::string>());
    } else if (image != part.end() && image->is_object()) {
      content.pictures.push_back(text_of(*image, "url", param + ".image_url"));
    } else {
      refuse(param + ".image_url", "\"image_url\" must be an object with the \"url\"");
    }
  } else {
    refuse(param + ".type", "a content part of the type \"" + type.substr(0, 40) +
                                "\" cannot be read: send text and image_url");
  }
}

MessageContent read_content(const Json& message, const std::string& param) {
  MessageContent content;
  const auto at = message.find("content");
  if (at == message.end() || at->is_null()) return content;
  if (at->is_string()) {
    content.text = at->get<std::string>();
  } else if (at->is_array()) {
    for (size_t i = 0; i < at->size(); ++i) {
      read_part((*at)[i], param + ".content[" + std::to_string(i) + "]", content);
    }
  } else {
    refuse(param + ".content", "\"content\" must be a string or an array of parts");
  }
  return content;
}

// What the user has said since the last answer is asked now; it moves to what was said earlier when
// an answer follows.
class Messages {
 public:
  explicit Messages(ChatRequest& chat) : chat_(chat) {}

  void add(const Json& message, const std::string& param) {
    if (!message.is_object()) refuse(param, "a message must be an object");
    const std::string role = message.value("role", Json()).is_string()
                                 ? message["role"].get<std::string>()
                                 : std::string();
    // Calls of the client's own tools and their results: the agent has its own.
    if (role == "tool" || role == "function") return;
    MessageContent content = read_content(message, param);
    if (role == "system" || role == "developer") {
      add_paragraph(chat_.instructions, content.text);
    } else if (role == "user") {
      add_paragraph(chat_.prompt, content.text);
      for (auto& url : content.pictures) chat_.pictures.push_back(std::move(url));
      asked_ = true;
    } else if (role == "assistant") {
      if (asked_) chat_.earlier.push_back({"user", std::exchange(chat_.prompt, {})});
      asked_ = false;
      chat_.pictures.clear();
      if (!content.text.empty()) chat_.earlier.push_back({"assistant", std::move(content.text)});
    } else {
      refuse(param + ".role", "the role \"" + role.substr(0, 40) +
                                  "\" is none of system, developer, user, assistant, tool");
    }
  }

  bool asked() const { return asked_; }

 private:
  ChatRequest& chat_;
  bool asked_ = false;
};

void read_messages(const Json& body, ChatRequest& chat) {
  const auto messages = body.find("messages");
  if (messages == body.end() || !messages->is_array() || messages->empty()) {
    refuse("messages", "\"messages\" must be an array with at least one message");
  }
  Messages read(chat);
  for (size_t i = 0; i < messages->size(); ++i) {
    read.add((*messages)[i], "messages[" + std::to_string(i) + "]");
  }
  if (!read.asked()) {
    refuse("messages", "the last message must be the user's: the agent does not go on by itself");
  }
  if (trim(chat.prompt).empty() && chat.pictures.empty()) {
    refuse("messages", "the last message of the user is empty");
  }
}

bool read_flag(const Json& object, const char* name, const std::string& param) {
  const auto at = object.find(name);
  if (at == object.end() || at->is_null()) return false;
  if (!at->is_boolean()) refuse(param, "\"" + param + "\" must be true or false");
  return at->get<bool>();
}

void read_options(const Json& body, ChatRequest& chat) {
  if (const auto model = body.find("model"); model != body.end() && !model->is_null()) {
    if (!model->is_string()) refuse("model", "\"model\" must be a string");
    check_openai_model(model->get<std::string>());
  }
  chat.stream = read_flag(body, "stream", "stream");
  const auto options = body.find("stream_options");
  if (options != body.end() && options->is_object()) {
    chat.include_usage = read_flag(*options, "include_usage", "stream_options.include_usage");
  }
  const auto count = body.find("n");
  if (count != body.end() && !count->is_null() && *count != 1) {
    refuse("n", "\"n\" must be 1: there is one desktop, and one answer");
  }
  const auto metadata = body.find("metadata");
  if (metadata == body.end() || !metadata->is_object()) return;
  const auto id = metadata->find("conversation_id");
  if (id == metadata->end() || id->is_null()) return;
  if (!id->is_string()) refuse("metadata.conversation_id", "\"conversation_id\" must be a string");
  chat.conversation_id = id->get<std::string>();
}

}  // namespace

void check_openai_model(const std::string& model) {
  if (model == openai_model) return;
  throw OpenAiRefusal(404, "model_not_found", "model",
                      "the model \"" + model.substr(0, 100) + "\" does not exist: there is \"" +
                          openai_model + "\" alone, whatever model drives the agent");
}

ChatRequest read_chat_request(const std::string& text) {
  Json body;
  try {
    body = parse_json(text);
  } catch (const Error& error) {
    throw OpenAiRefusal(400, "invalid_json", "", error.what());
  }
  if (!body.is_object()) {
    throw OpenAiRefusal(400, "invalid_json", "", "the body must be a JSON object");
  }
  ChatRequest chat;
  read_options(body, chat);
  read_messages(body, chat);
  return chat;
}

}  // namespace selfagent
