#include "planner/shell_text.h"

#include <algorithm>
#include <cctype>

namespace selfagent {

namespace {

class ShellReader {
 public:
  explicit ShellReader(std::string_view text) : text_(text) {}

  ShellText read() {
    while (at_ < text_.size()) step();
    end_command();
    return std::move(out_);
  }

 private:
  char peek(size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }
  bool comes(std::string_view what) const { return text_.substr(at_).starts_with(what); }

  void step() {
    const char c = peek();
    if (comes("\\\n")) {
      at_ += 2;
    } else if (c == '\n') {
      ++at_;
      end_command();
      take_documents();
    } else if (c == ' ' || c == '\t' || c == '\r') {
      ++at_;
    } else if (c == '#') {
      while (at_ < text_.size() && peek() != '\n') ++at_;
    } else if (comes("<(") || comes(">(")) {
      word();
    } else if (c == '<' || c == '>' || comes("&>")) {
      redirection();
    } else if (c == '|') {
      const bool either = peek(1) == '|';
      at_ += either || peek(1) == '&' ? 2 : 1;
      end_command();
      command_.takes_pipe = !either;
    } else if (c == ';' || c == '&' || c == '(' || c == ')') {
      ++at_;
      end_command();
    } else {
      word();
    }
  }

  void end_command() {
    const bool empty =
        command_.words.empty() && command_.written.empty() && !command_.has_input && !waiting_;
    if (!empty) out_.commands.push_back(std::move(command_));
    command_ = {};
    if (waiting_) document_of_.back() = out_.commands.size() - 1;
    waiting_ = false;
  }

  // The file or text of `<`, `>`, `<<` and their kind. A number before it was read as a word, which
  // does no harm.
  void redirection() {
    bool writes = false;
    size_t less = 0;
    while (at_ < text_.size() && (peek() == '<' || peek() == '>' || peek() == '&')) {
      writes = writes || peek() == '>';
      less += peek() == '<' ? 1 : 0;
      ++at_;
    }
    if (writes && peek() == '|') ++at_;
    const bool tabs = less == 2 && peek() == '-';
    if (tabs) ++at_;
    while (peek() == ' ' || peek() == '\t') ++at_;
    if (at_ >= text_.size() || peek() == '\n') return;
    const ShellWord target = take_word();
    if (less == 3) {
      command_.input = target.text;
      command_.has_input = true;
    } else if (less == 2) {
      documents_.push_back(target.text);
      document_of_.push_back(out_.commands.size());
      command_.has_input = true;
      waiting_ = true;
    } else {
      command_.written.push_back(target);  // reading from /dev/tcp sends, too
      if (!writes) command_.written.back().text = "<" + target.text;
    }
  }

  // The lines of the here-documents that were announced in the line before.
  void take_documents() {
    for (size_t i = 0; i < documents_.size(); ++i) {
      std::string body;
      bool ended = false;
      while (at_ < text_.size() && !ended) {
        const size_t end = std::min(text_.find('\n', at_), text_.size());
        std::string line(text_.substr(at_, end - at_));
        at_ = std::min(end + 1, text_.size());
        const size_t begin = line.find_first_not_of('\t');
        ended = begin != std::string::npos && line.substr(begin) == documents_[i];
        if (!ended) body += line + "\n";
      }
      if (!ended) out_.broken = true;
      inner_of(body);
      if (document_of_[i] < out_.commands.size()) out_.commands[document_of_[i]].input = body;
    }
    documents_.clear();
    document_of_.clear();
  }

  void word() { command_.words.push_back(take_word()); }

  static bool ends_word(char c) {
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == ';' || c == '|' || c == '&' ||
           c == '<' || c == '>' || c == '(' || c == ')';
  }

  ShellWord take_word() {
    ShellWord word;
    const size_t begin = at_;
    while (at_ < text_.size()) {
      const bool process = (peek() == '<' || peek() == '>') && peek(1) == '(' && at_ == begin;
      if (process) {
        ++at_;
        substitution(word, ')');
      } else if (ends_word(peek())) {
        break;
      } else {
        piece(word, false);
      }
    }
    if (at_ == begin) ++at_;  // never stands still
    return word;
  }

  void piece(ShellWord& word, bool quoted) {
    const char c = peek();
    if (c == '\\' && at_ + 1 < text_.size()) {
      if (peek(1) != '\n') word.text += peek(1);
      at_ += 2;
    } else if (c == '\'' && !quoted) {
      single_quoted(word);
    } else if (c == '"' && !quoted) {
      double_quoted(word);
    } else if (c == '`') {
      word.expands = true;
      substitution(word, '`');
    } else if (c == '$') {
      dollar(word, quoted);
    } else {
      word.text += c;
      ++at_;
    }
  }

  void single_quoted(ShellWord& word) {
    const size_t end = text_.find('\'', at_ + 1);
    if (end == std::string_view::npos) out_.broken = true;
    const size_t stop = std::min(end, text_.size());
    word.text += text_.substr(at_ + 1, stop - at_ - 1);
    at_ = std::min(stop + 1, text_.size());
  }

  void double_quoted(ShellWord& word) {
    ++at_;
    while (at_ < text_.size() && peek() != '"') piece(word, true);
    if (at_ >= text_.size()) out_.broken = true;
    ++at_;
  }

  void dollar(ShellWord& word, bool quoted) {
    const char next = peek(1);
    if (next == '(') {
      word.expands = true;
      word.text += '$';
      ++at_;
      return substitution(word, ')');
    }
    if (next == '\'' && !quoted) {  // $'…' has escapes of its own, which hide what is written
      word.expands = true;
      ++at_;
      return single_quoted(word);
    }
    const bool names = next == '{' || next == '_' ||
                       std::isalnum(static_cast<unsigned char>(next)) || next == '@' ||
                       next == '*' || next == '!' || next == '?' || next == '#';
    word.expands = word.expands || names;
    word.text += '$';
    ++at_;
    if (next == '{') {
      while (at_ < text_.size() && peek() != '}') word.text += text_[at_++];
    }
  }

  // From the opening sign to `close`; keeps the text between them.
  void substitution(ShellWord& word, char close) {
    word.expands = true;
    const size_t begin = ++at_;
    int depth = 1;
    char quote = '\0';
    for (; at_ < text_.size(); ++at_) {
      const char c = peek();
      if (c == '\\') {
        ++at_;
      } else if (quote != '\0') {
        if (c == quote) quote = '\0';
      } else if ((c == '\'' || c == '"') && close == ')') {
        quote = c;
      } else if (c == close) {
        if (--depth == 0) break;
      } else if (c == '(' && close == ')') {
        ++depth;
      }
    }
    if (at_ >= text_.size()) out_.broken = true;
    const size_t end = std::min(at_, text_.size());
    const std::string inside(text_.substr(begin, end - begin));
    out_.inner.push_back(inside);
    word.text += "(" + inside + ")";
    at_ = end + 1;
  }

  // A here-document expands, unless its end is quoted: read as if it did.
  void inner_of(const std::string& body) {
    if (body.find("$(") == std::string::npos && body.find('`') == std::string::npos) return;
    ShellReader reader(body);
    ShellWord ignored;
    while (reader.at_ < body.size()) reader.piece(ignored, true);
    out_.inner.insert(out_.inner.end(), reader.out_.inner.begin(), reader.out_.inner.end());
  }

  const std::string_view text_;
  size_t at_ = 0;
  ShellText out_;
  ShellCommand command_;
  std::vector<std::string> documents_;  ///< the ends of those whose lines come next
  std::vector<size_t> document_of_;     ///< the command of each
  bool waiting_ = false;                ///< command_ takes the last one
};

}  // namespace

ShellText read_shell(std::string_view text) { return ShellReader(text).read(); }

}  // namespace selfagent
