#include "x11/client_list.h"

#include <X11/Xlib.h>

#include "x11/properties.h"

namespace selfagent {

void ClientList::prepare(_XDisplay* display) {
  stacking_ = intern(display, "_NET_CLIENT_LIST_STACKING");
  list_ = intern(display, "_NET_CLIENT_LIST");
  check_ = intern(display, "_NET_SUPPORTING_WM_CHECK");
}

bool ClientList::has_manager(const Connection::Use& use) const {
  return read_numbers(use.display(), use.root(), check_).has_value();
}

std::vector<unsigned long> ClientList::ids(const Connection::Use& use) const {
  if (has_manager(use)) {
    auto listed = read_numbers(use.display(), use.root(), stacking_);
    if (!listed) listed = read_numbers(use.display(), use.root(), list_);
    if (listed) return {listed->begin(), listed->end()};
  }
  return mapped_children(use);
}

std::vector<unsigned long> ClientList::mapped_children(const Connection::Use& use) {
  ::Window root = 0;
  ::Window parent = 0;
  ::Window* children = nullptr;
  unsigned count = 0;
  std::vector<unsigned long> out;
  if (XQueryTree(use.display(), use.root(), &root, &parent, &children, &count) == 0) return out;
  for (unsigned i = 0; i < count; ++i) {
    XWindowAttributes attributes{};
    if (XGetWindowAttributes(use.display(), children[i], &attributes) != 0 &&
        attributes.map_state == IsViewable && attributes.override_redirect == False &&
        attributes.c_class == InputOutput) {
      out.push_back(children[i]);
    }
  }
  if (children != nullptr) XFree(children);
  return out;
}

}  // namespace selfagent
