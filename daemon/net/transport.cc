// A connection that waits has no buffer: it waits for readiness and then reads into a buffer that
// all share. TLS works on the same descriptor; a record may hold more than one read takes, so
// reading goes on until OpenSSL has nothing left.
#include "net/transport.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <asio.hpp>
#include <utility>

#include "base/log.h"

namespace selfagent {

namespace {

// After so many reads in a row the other connections have their turn.
constexpr int reads_in_a_row = 16;

}  // namespace

void Transport::TlsDeleter::operator()(ssl_st* tls) const { SSL_free(tls); }

Transport::Transport(std::shared_ptr<ServerCore> core, int fd, std::string peer)
    : core_(std::move(core)), peer_(std::move(peer)), socket_(fd), since_(Clock::now()) {
  if (!core_->tls) return;
  tls_.reset(SSL_new(core_->tls.get()));
  if (!tls_ || SSL_set_fd(tls_.get(), fd) != 1) {
    throw Error(ErrorCode::resource_exhausted, "no memory for a TLS connection");
  }
  SSL_set_accept_state(tls_.get());
}

Transport::~Transport() { core_->readiness->remove(watch_); }

void Transport::start(std::shared_ptr<ClientConnection> user) {
  user_ = std::move(user);
  watch_ = core_->readiness->add(socket_.get(), weak_from_this());
  shake_hands();
}

void Transport::ready(Readiness::Event event) {
  const auto keep = shared_from_this();
  if (event.ended) ended_ = true;
  if (event.readable) readable();
  if (event.writable) call(for_writable_);
}

void Transport::readable() {
  came_ = true;
  call(for_readable_);
}

void Transport::call(Waits& waits) {
  for (const Then then : std::exchange(waits, {})) {
    if (then == nullptr || !open()) continue;
    try {
      (this->*then)();
    } catch (const std::exception& failure) {
      log::error("the connection of a client at {} failed: {}", peer_, failure.what());
      close();
    }
  }
}

// Readiness tells of what comes, not of what is there: what was not read to its end is came_.
void Transport::wait_for(Want want, Then then) {
  if (!open()) return;
  Waits& waits = want == Want::write ? for_writable_ : for_readable_;
  *std::find(waits.begin(), waits.end() - 1, nullptr) = then;
  if (want == Want::write || !came_) return;
  asio::post(core_->io, [self = shared_from_this()] { self->readable(); });
}

void Transport::shake_hands() {
  if (tls_) {
    ERR_clear_error();
    const int result = SSL_do_handshake(tls_.get());
    const Want want = result == 1 ? Want::nothing : want_of(result);
    came_ = want != Want::read;
    if (want == Want::end) {
      if (ERR_GET_REASON(ERR_peek_last_error()) == SSL_R_HTTP_REQUEST) return refuse_plain_http();
      log::debug("a client at {} did not shake hands for TLS", peer_);
      return close_soon();
    }
    if (want != Want::nothing) return wait_for(want, &Transport::shake_hands);
  }
  ready_ = true;
  since_ = Clock::now();
  flush();
  wait_to_read();
}

void Transport::refuse_plain_http() {
  tls_.reset();
  ready_ = true;
  const std::string text = "This port speaks TLS: use https:// or wss://\n";
  write(
      "HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Type: text/plain\r\n"
      "Content-Length: " +
      std::to_string(text.size()) + "\r\n\r\n" + text);
  close_after_writing();
}

void Transport::resume_reading() {
  paused_ = false;
  if (ready_) wait_to_read();
}

void Transport::wait_to_read() {
  if (reading_ || paused_ || !open()) return;
  reading_ = true;
  // What OpenSSL has decrypted already makes no descriptor ready.
  if (tls_ && SSL_pending(tls_.get()) > 0) {
    asio::post(core_->io, [self = shared_from_this()] { self->read_now(); });
  } else {
    wait_for(Want::read, &Transport::read_now);
  }
}

void Transport::read_now() {
  Want want = Want::nothing;
  came_ = false;
  for (int i = 0; i < reads_in_a_row && want == Want::nothing && open(); ++i) {
    if (paused_ && !closing_) break;
    size_t count = 0;
    want = read_some(count);
    if (count > 0 && !closing_) {
      const auto user = user_;  // it may hand over to another one
      user->received({core_->read_buffer.data(), count});
    }
  }
  reading_ = false;
  if (want == Want::nothing) came_ = true;
  if (want == Want::end) return close();
  if (want == Want::write) {
    reading_ = true;
    return wait_for(want, &Transport::read_now);
  }
  if (closing_) paused_ = false;
  wait_to_read();
}

// Reads into the shared buffer. Want::read also after a read that emptied the socket.
Transport::Want Transport::read_some(size_t& count) {
  std::vector<char>& buffer = core_->read_buffer;
  if (tls_) {
    ERR_clear_error();
    if (SSL_read_ex(tls_.get(), buffer.data(), buffer.size(), &count) == 1) return Want::nothing;
    return want_of(0);
  }
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), buffer.data(), buffer.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Want::read : Want::end;
  if (got == 0) return Want::end;
  count = static_cast<size_t>(got);
  return count < buffer.size() && !ended_ ? Want::read : Want::nothing;
}

void Transport::write(std::string first, std::string second) {
  if (!open() || closing_) return;
  const bool idle = queued_ == 0;
  for (std::string* piece : {&first, &second}) {
    if (piece->empty()) continue;
    queued_ += piece->size();
    queue_.push_back(std::move(*piece));
  }
  if (ready_ && !waiting_to_write_) flush();
  if (idle && queued_ > 0) since_ = Clock::now();
}

void Transport::flush() {
  while (open() && !queue_.empty()) {
    size_t count = 0;
    const Want want = write_some(count);
    if (count > 0) {
      drop_written(count);
      if (!queue_.empty()) since_ = Clock::now();
    } else if (want == Want::end) {
      return close_soon();
    } else {
      waiting_to_write_ = true;
      if (want == Want::read) came_ = false;  // OpenSSL has read all
      return wait_for(want, &Transport::on_writable);
    }
  }
  if (closing_ && !lingering_ && ready_) begin_linger();
}

void Transport::on_writable() {
  waiting_to_write_ = false;
  flush();
  if (!open() || queued_ >= low_water) return;
  const auto user = user_;
  user->drained();
}

Transport::Want Transport::write_some(size_t& count) {
  if (tls_) {
    ERR_clear_error();
    const std::string& piece = queue_.front();
    if (SSL_write_ex(tls_.get(), piece.data() + offset_, piece.size() - offset_, &count) == 1) {
      return Want::nothing;
    }
    return want_of(0);
  }
  std::array<iovec, 16> pieces{};
  size_t used = 0;
  size_t offset = offset_;
  for (auto& piece : queue_) {
    if (used == pieces.size()) break;
    pieces[used++] = {piece.data() + offset, piece.size() - offset};
    offset = 0;
  }
  msghdr message{};
  message.msg_iov = pieces.data();
  message.msg_iovlen = used;
  ssize_t sent = 0;
  do {
    sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
  } while (sent < 0 && errno == EINTR);
  if (sent < 0) return errno == EAGAIN || errno == EWOULDBLOCK ? Want::write : Want::end;
  count = static_cast<size_t>(sent);
  return Want::nothing;
}

Transport::Want Transport::want_of(int result) const {
  switch (SSL_get_error(tls_.get(), result)) {
    case SSL_ERROR_WANT_READ:
      return Want::read;
    case SSL_ERROR_WANT_WRITE:
      return Want::write;
    default:
      return Want::end;
  }
}

void Transport::drop_written(size_t count) {
  queued_ -= count;
  offset_ += count;
  while (!queue_.empty() && offset_ >= queue_.front().size()) {
    offset_ -= queue_.front().size();
    queue_.pop_front();
  }
}

void Transport::close_after_writing() {
  if (!open() || closing_) return;
  closing_ = true;
  since_ = Clock::now();
  if (queue_.empty() && ready_) begin_linger();
  resume_reading();
}

void Transport::begin_linger() {
  lingering_ = true;
  since_ = Clock::now();
  if (tls_) {
    ERR_clear_error();
    SSL_shutdown(tls_.get());
  }
  ::shutdown(socket_.get(), SHUT_WR);
}

void Transport::close_soon() {
  asio::post(core_->io, [self = shared_from_this()] { self->close(); });
}

void Transport::close() {
  if (!open()) return;
  const auto keep = shared_from_this();
  tls_.reset();
  if (queued_ > 0) {
    // The rest is lost anyway: a reset tells the client so and gives the kernel's buffers back.
    const linger reset{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
  }
  open_ = false;
  core_->readiness->remove(watch_);
  socket_.reset();
  queue_.clear();
  queued_ = 0;
  if (const auto user = std::exchange(user_, nullptr)) user->closed();
}

void Transport::tick(Clock::time_point now) {
  if (!open()) return;
  const auto& periods = core_->settings.periods;
  const auto waited = now - since_;
  if (!ready_) {
    if (waited > periods.head) close();
  } else if (lingering_) {
    if (waited > periods.linger) close();
  } else if (queued_ > 0 && waited > periods.stall) {
    log::warn("a client at {} took nothing for {} ms: it was disconnected with {} bytes unsent",
              peer_, periods.stall.count(), queued_.load());
    close();
  }
}

}  // namespace selfagent
