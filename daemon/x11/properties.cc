#include "x11/properties.h"

#include <X11/Xatom.h>
#include <X11/Xlib.h>

#include <memory>

namespace selfagent {
namespace {

struct Free {
  void operator()(unsigned char* value) const {
    if (value != nullptr) XFree(value);
  }
};

struct Property {
  std::unique_ptr<unsigned char, Free> value;
  unsigned long count = 0;
  int format = 0;
};

Property read(Display* display, unsigned long window, unsigned long property, long most_words) {
  Property out;
  Atom type = 0;
  unsigned long rest = 0;
  unsigned char* value = nullptr;
  if (XGetWindowProperty(display, window, property, 0, most_words, False, AnyPropertyType, &type,
                         &out.format, &out.count, &rest, &value) != 0) {
    return {};
  }
  out.value.reset(value);
  return out;
}

}  // namespace

unsigned long intern(_XDisplay* display, const char* name) {
  return XInternAtom(display, name, False);
}

std::optional<std::vector<uint32_t>> read_numbers(_XDisplay* display, unsigned long window,
                                                  unsigned long property) {
  const Property found = read(display, window, property, 4096);
  if (found.format != 32) return std::nullopt;
  // Xlib hands out each 32-bit value in an unsigned long.
  const auto* values = reinterpret_cast<const unsigned long*>(found.value.get());
  std::vector<uint32_t> numbers;
  for (unsigned long i = 0; i < found.count; ++i)
    numbers.push_back(static_cast<uint32_t>(values[i]));
  return numbers;
}

std::string read_text(_XDisplay* display, unsigned long window, unsigned long property) {
  const Property found = read(display, window, property, 16384);
  if (found.format != 8) return "";
  return std::string(reinterpret_cast<const char*>(found.value.get()), found.count);
}

}  // namespace selfagent
