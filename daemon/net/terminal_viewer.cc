#include "net/terminal_viewer.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/log.h"
#include "tool/processes.h"

namespace selfagent {
namespace {

// Read and sent at once: few enough that what is typed meanwhile does not wait, many enough that a
// long output costs few looks at its folder.
constexpr uint64_t most_read_bytes = 256 * 1024;

// The program is given more when it has taken all but so much of what it got before: far less than
// its keeper holds (keeper::most_pending_input), which would drop the rest.
constexpr uint64_t low_input_bytes = 64 * 1024;
constexpr size_t most_given_bytes = 64 * 1024;

}  // namespace

Json terminal_json(const Process& process, const ProcessState& state) {
  Json json = process_json(process, state);
  json["session"] = process.info().session;
  return json;
}

TerminalViewer::TerminalViewer(ProcessPtr process, uint64_t from, Resized resized)
    : process_(std::move(process)),
      resized_(std::move(resized)),
      taken_offset_(from),
      sent_(from),
      taken_(from) {}

void TerminalViewer::receive(std::string message, bool binary) {
  const std::lock_guard lock(mutex_);
  try {
    if (!binary) {
      const TerminalOrder order = terminal_order(message);
      if (order.kind == TerminalOrder::Kind::resize) {
        wanted_size_ = order.size;
      } else {
        taken_offset_ = std::max(taken_offset_, order.offset);
      }
    } else if (!process_->info().terminal) {
      throw Error(ErrorCode::invalid_argument,
                  "process " + process_->info().id +
                      " has no terminal: its output can be read, but nothing can be typed. What "
                      "was sent to it is dropped");
    } else if (input_bytes_ + message.size() > most_input_bytes) {
      throw Error(ErrorCode::resource_exhausted,
                  "process " + process_->info().id + " has not taken " +
                      std::to_string(input_bytes_) + " bytes that were typed before: these " +
                      std::to_string(message.size()) +
                      " are dropped. Wait until it reads, and send them again");
    } else {
      input_bytes_ += message.size();
      typed_.push_back(std::move(message));
    }
  } catch (const Error& error) {
    refused_ = error;
  }
  wake_.request_stop();
}

void TerminalViewer::close() {
  const std::lock_guard lock(mutex_);
  closed_ = true;
  wake_.request_stop();
}

void TerminalViewer::tell(TerminalSize size) {
  const std::lock_guard lock(mutex_);
  others_size_ = size;
  wake_.request_stop();
}

void TerminalViewer::run(std::shared_ptr<WebSocket> socket) {
  try {
    serve(*socket);
  } catch (const Error& error) {
    log::warn("the viewer of process {} ended: {}", process_->info().id, error.what());
    socket->send_text(refusal_message(error));
    socket->close(1011, "the output cannot be read");
  } catch (const std::exception& error) {
    log::error("the viewer of process {} ended: {}", process_->info().id, error.what());
    socket->close(1011, "internal error");
  }
  done_ = true;
}

// Takes over what the client wants. The token tells that there is more; requested at once if the
// client has gone.
std::stop_token TerminalViewer::next_orders() {
  const std::lock_guard lock(mutex_);
  over_ = closed_;
  std::move(typed_.begin(), typed_.end(), std::back_inserter(input_));
  typed_.clear();
  new_size_ = std::exchange(wanted_size_, std::nullopt);
  told_size_ = std::exchange(others_size_, std::nullopt);
  refusal_ = std::exchange(refused_, std::nullopt);
  // What was never sent cannot have been shown.
  taken_ = std::max(taken_, std::min(taken_offset_, sent_));
  taken_offset_ = taken_;
  wake_ = std::stop_source();
  return wake_.get_token();
}

void TerminalViewer::serve(WebSocket& socket) {
  Json greeting = terminal_json(*process_, process_->state());
  greeting["type"] = "attached";
  greeting["offset"] = sent_;
  socket.send_text(dump_json(greeting));
  while (true) {
    const std::stop_token more = next_orders();
    if (over_) return;
    if (refusal_) socket.send_text(refusal_message(*refusal_));
    if (told_size_) socket.send_text(size_message(*told_size_));
    if (new_size_) resize(socket);
    give_input(socket);
    const ProcessState state = process_->state();
    send_output(socket, state);
    if (has_news(state)) {
      Json news = terminal_json(*process_, state);
      news["type"] = "state";
      socket.send_text(dump_json(news));
      told_phase_ = state.phase;
    }
    if (state.is_over() && sent_ >= state.output_end) {
      return socket.close(1000, "the process has ended");
    }
    process_->wait(
        [this](const ProcessState& now) { return may_send(now) || may_give(now) || has_news(now); },
        Deadline::never(), more);
  }
}

void TerminalViewer::resize(WebSocket& socket) {
  if (!process_->info().terminal || process_->state().is_over()) return;
  try {
    process_->resize(new_size_->rows, new_size_->columns);
    resized_(*this, *new_size_);
  } catch (const Error& error) {
    socket.send_text(refusal_message(error));
  }
}

bool TerminalViewer::may_give(const ProcessState& state) const {
  return !input_.empty() && (state.input_left <= low_input_bytes || state.is_over());
}

void TerminalViewer::give_input(WebSocket& socket) {
  try {
    while (may_give(process_->state())) {
      std::string& first = input_.front();
      const size_t size = std::min(first.size(), most_given_bytes);
      if (size > 0) process_->write(std::string_view(first).substr(0, size));
      input_bytes_ -= size;
      first.erase(0, size);
      if (first.empty()) input_.pop_front();
    }
  } catch (const Error& error) {
    for (const std::string& piece : input_) input_bytes_ -= piece.size();
    input_.clear();
    socket.send_text(refusal_message(error));
  }
}

bool TerminalViewer::may_send(const ProcessState& state) const {
  return state.output_end > sent_ && sent_ < taken_ + window_bytes;
}

// The last output comes before the news that it was the last.
bool TerminalViewer::has_news(const ProcessState& state) const {
  return sent_ >= state.output_end && (state.phase != told_phase_ || state.is_over());
}

void TerminalViewer::send_output(WebSocket& socket, const ProcessState& state) {
  if (!may_send(state)) return;
  const uint64_t room = taken_ + window_bytes - sent_;
  const OutputRead read = process_->read(sent_, std::min(room, most_read_bytes));
  auto gap = read.missing.begin();
  for (const OutputPiece& piece : read.pieces) {
    for (; gap != read.missing.end() && gap->begin < piece.offset; ++gap) {
      socket.send_text(missing_message(*gap));
    }
    socket.send_binary(output_message(piece));
  }
  for (; gap != read.missing.end(); ++gap) socket.send_text(missing_message(*gap));
  sent_ = read.next;
}

}  // namespace selfagent
