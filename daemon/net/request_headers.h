// The headers of one request: few, so a list that is searched from its beginning is faster than a
// tree or a table of hashes.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace selfagent {

/// Names (lower case) are unique; the order is that of their arrival. Not thread-safe.
class RequestHeaders {
 public:
  using Field = std::pair<std::string, std::string>;
  using iterator = std::vector<Field>::iterator;
  using const_iterator = std::vector<Field>::const_iterator;

  RequestHeaders() = default;
  RequestHeaders(std::initializer_list<Field> fields) {
    for (const auto& [name, value] : fields) emplace(name, value);
  }

  const_iterator begin() const { return fields_.begin(); }
  const_iterator end() const { return fields_.end(); }
  size_t size() const { return fields_.size(); }
  const_iterator find(std::string_view name) const {
    return std::find_if(begin(), end(), [&](const Field& field) { return field.first == name; });
  }
  bool contains(std::string_view name) const { return find(name) != end(); }
  /// The field `name`, and whether it is new; one that was there keeps its value.
  std::pair<iterator, bool> emplace(std::string name, std::string_view value) {
    const auto known = std::find_if(fields_.begin(), fields_.end(),
                                    [&](const Field& field) { return field.first == name; });
    if (known != fields_.end()) return {known, false};
    if (fields_.empty()) fields_.reserve(16);  // as many as browsers send
    fields_.emplace_back(std::move(name), value);
    return {fields_.end() - 1, true};
  }
  std::string& operator[](std::string_view name) {
    return emplace(std::string(name), {}).first->second;
  }

 private:
  std::vector<Field> fields_;
};

}  // namespace selfagent
