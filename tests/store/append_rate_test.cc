// How long an append takes; hidden: run `store_tests "[bench]"`.
#include <algorithm>
#include <iostream>

#include "base/clock.h"
#include "catch.h"
#include "store/folder.h"
#include "store/store.h"

namespace selfagent {
namespace {

TEST_CASE("the time of an append", "[.][bench]") {
  const TemporaryFolder folder;
  Store store(folder.path);
  const Json data = {{"call_id", "call-1"}, {"tool", "click"}, {"text", std::string(300, 'x')}};
  std::vector<double> times_us;
  const auto start = Clock::now();
  for (int i = 0; i < 100'000; ++i) {
    const auto before = Clock::now();
    store.append("c-1", "j-1", "action_result", data);
    times_us.push_back(std::chrono::duration<double, std::micro>(Clock::now() - before).count());
  }
  const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
  std::sort(times_us.begin(), times_us.end());
  std::cout << "100000 appends: " << 100'000 / seconds << " a second, median " << times_us[50'000]
            << " us, 99 % " << times_us[99'000] << " us, longest " << times_us.back() << " us\n";
  CHECK(times_us[50'000] < 200);
}

}  // namespace
}  // namespace selfagent
