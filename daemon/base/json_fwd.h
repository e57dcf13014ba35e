// Declares the JSON type without the cost of its definition.
#pragma once

#include <nlohmann/json_fwd.hpp>

namespace selfagent {
using Json = nlohmann::ordered_json;
}
