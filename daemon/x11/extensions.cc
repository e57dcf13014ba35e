#include "x11/extensions.h"

#include <X11/Xlib.h>

#include "x11/connection.h"

namespace selfagent {

std::vector<std::string> missing_extensions(const std::string& display_name) {
  std::vector<std::string> missing{"MIT-SHM", "XTEST", "DAMAGE", "XFIXES", "RANDR", "XKEYBOARD"};
  Connection connection(display_name);
  const Connection::Use use(connection);
  std::erase_if(missing, [&](const std::string& name) {
    int opcode = 0;
    int first_event = 0;
    int first_error = 0;
    return XQueryExtension(use.display(), name.c_str(), &opcode, &first_event, &first_error) != 0;
  });
  return missing;
}

}  // namespace selfagent
