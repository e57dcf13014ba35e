#include "x11/extensions.h"

#include <X11/Xlib.h>

#include <memory>

namespace selfagent {

std::vector<std::string> missing_extensions(const std::string& display_name) {
  std::vector<std::string> missing{"MIT-SHM", "XTEST", "DAMAGE", "XFIXES", "RANDR", "XKEYBOARD"};
  const std::unique_ptr<Display, decltype(&XCloseDisplay)> display(
      XOpenDisplay(display_name.c_str()), XCloseDisplay);
  if (!display) return missing;
  std::erase_if(missing, [&](const std::string& name) {
    int opcode = 0;
    int first_event = 0;
    int first_error = 0;
    return XQueryExtension(display.get(), name.c_str(), &opcode, &first_event, &first_error) != 0;
  });
  return missing;
}

}  // namespace selfagent
