// Which windows there are: those that the window manager lists, or, where none runs, the mapped
// children of the root window. Source: Extended Window Manager Hints 1.5.
#pragma once

#include <vector>

#include "x11/connection.h"

namespace selfagent {

/// Belongs to one connection and is used under its Use.
class ClientList {
 public:
  /// For the preparation of each connecting.
  void prepare(_XDisplay* display);

  bool has_manager(const Connection::Use& use) const;
  /// Bottom to top where the window manager tells the stacking order.
  std::vector<unsigned long> ids(const Connection::Use& use) const;
  /// The children of the root window that a program has put there for itself.
  static std::vector<unsigned long> mapped_children(const Connection::Use& use);

 private:
  unsigned long stacking_ = 0;
  unsigned long list_ = 0;
  unsigned long check_ = 0;
};

}  // namespace selfagent
