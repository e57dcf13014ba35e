// What a button says that cannot be taken back.
#pragma once

#include <string>

namespace selfagent {

/// The word of a button's name, in some languages, that says that pressing it sends, buys, deletes
/// or the like; "" without one.
std::string pressing_word(const std::string& name);

}  // namespace selfagent
