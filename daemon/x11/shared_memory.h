// A piece of memory that this process and the X server share, so that a picture needs no trip
// through a socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>

struct _XDisplay;

namespace selfagent {

/// Detached on destruction; the kernel removes the segment when both sides let go, even after a
/// crash.
class SharedMemory {
 public:
  /// Null if the server cannot attach it (a remote display, another IPC namespace, no MIT-SHM):
  /// then pictures go through the socket. The caller holds the connection.
  static std::unique_ptr<SharedMemory> attach(_XDisplay* display, size_t bytes);
  ~SharedMemory();
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;

  /// Lets the server forget the segment. Not needed when the connection itself ends.
  void detach(_XDisplay* display);

  size_t bytes() const { return bytes_; }
  /// Copies `width` x `height` pixels at (x, y) of the root window to pixels(); rows are `width` *
  /// 4 bytes. False if the server refused, for example because the screen became smaller.
  bool get_image(_XDisplay* display, int x, int y, int width, int height);
  const uint8_t* pixels() const;

 private:
  struct Segment;
  SharedMemory(std::unique_ptr<Segment> segment, size_t bytes);

  std::unique_ptr<Segment> segment_;
  size_t bytes_;
};

}  // namespace selfagent
