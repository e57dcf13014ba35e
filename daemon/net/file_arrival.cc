#include "net/file_arrival.h"

#include "base/log.h"
#include "net/file_headers.h"

namespace selfagent {

// Lives as long as a piece of the body is awaited or written.
class FileArrival : public std::enable_shared_from_this<FileArrival> {
 public:
  FileArrival(WorkerPool& pool, std::shared_ptr<RequestBody> body, ResponderPtr responder)
      : pool_(pool), body_(std::move(body)), responder_(std::move(responder)) {}

  // On a thread of the pool.
  void start(std::unique_ptr<FileUpload> upload,
             const std::optional<FileUpload::Request::Part>& part) {
    total_ = part ? part->total : 0;
    resumable_ = part.has_value();
    upload_ = std::move(upload);
    ask();
  }

  // When nothing else runs any more.
  void give_up() {
    upload_.reset();
    body_ = nullptr;  // which may hold this
  }

 private:
  void ask() {
    body_->next([self = shared_from_this()](std::string bytes, RequestBody::State state) {
      self->take_soon(std::move(bytes), state);
    });
  }

  // On the network thread.
  void take_soon(std::string bytes, RequestBody::State state) {
    try {
      pool_.submit([self = shared_from_this(), bytes = std::move(bytes), state] {
        self->take(bytes, state);
      });
    } catch (const Error& error) {
      responder_->send(HttpResponse::error(error));
    }
  }

  // On a thread of the pool, where the file is also given up: before the answer, as the client may
  // send the next part as soon as it has that.
  void take(const std::string& bytes, RequestBody::State state) {
    try {
      if (state != RequestBody::State::gone || resumable_) upload_->write(bytes);
      if (state == RequestBody::State::more) return ask();
      if (state == RequestBody::State::end) {
        const FileUpload::Result result = upload_->finish();
        upload_.reset();
        return answer(result);
      }
    } catch (const std::exception&) {
      const HttpResponse failure = file_failure(std::current_exception());
      upload_.reset();
      return responder_->send(failure);
    }
    upload_.reset();
  }

  void answer(const FileUpload::Result& result) {
    if (!result.complete) {
      HttpResponse response = HttpResponse::json(202, {{"offset", result.have}, {"total", total_}});
      for (auto& header : upload_headers({result.have, total_})) {
        response.headers.push_back(std::move(header));
      }
      return responder_->send(std::move(response));
    }
    HttpResponse response = HttpResponse::json(
        result.created ? 201 : 200, {{"created", result.created}, {"size", result.info.st_size}});
    response.headers.emplace_back("ETag", etag_of(result.info));
    response.headers.emplace_back("Last-Modified", http_time(result.info.st_mtim.tv_sec));
    responder_->send(std::move(response));
  }

  WorkerPool& pool_;
  std::shared_ptr<RequestBody> body_;
  const ResponderPtr responder_;
  std::unique_ptr<FileUpload> upload_;
  uint64_t total_ = 0;
  bool resumable_ = false;
};

Headers upload_headers(const KeptUpload& kept) {
  Headers headers{{"Upload-Offset", std::to_string(kept.offset)}};
  if (kept.total > 0) headers.emplace_back("Upload-Length", std::to_string(kept.total));
  return headers;
}

HttpResponse file_failure(const std::exception_ptr& failure) {
  try {
    std::rethrow_exception(failure);
  } catch (const VersionMismatch& error) {
    return HttpResponse::error(412, to_string(error.code()), error.what());
  } catch (const OffsetMismatch& error) {
    HttpResponse response = HttpResponse::error(error);
    for (auto& header : upload_headers(error.kept)) response.headers.push_back(std::move(header));
    return response;
  } catch (const Error& error) {
    return HttpResponse::error(error);
  } catch (const std::exception& error) {
    log::error("a request for a file failed: {}", error.what());
    return HttpResponse::error(500, "internal", error.what());
  }
}

FileArrivals::~FileArrivals() {
  for (const auto& weak : under_way_) {
    if (const auto arrival = weak.lock()) arrival->give_up();
  }
}

void FileArrivals::receive(FileUpload::Request request, const HttpRequest& http,
                           const ResponderPtr& responder) {
  const auto part = request.part;
  auto upload = std::make_unique<FileUpload>(sandbox_, fence_, std::move(request));
  if (const auto hidden = upload->hidden_path(); !hidden.empty()) hidden_.add(hidden);
  const auto arrival = std::make_shared<FileArrival>(pool_, http.incoming, responder);
  {
    const std::lock_guard lock(mutex_);
    std::erase_if(under_way_, [](const auto& weak) { return weak.expired(); });
    under_way_.push_back(arrival);
  }
  arrival->start(std::move(upload), part);
}

}  // namespace selfagent
