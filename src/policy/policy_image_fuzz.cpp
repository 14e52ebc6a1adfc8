// Any bytes: refused, or a policy that writes the same bytes again and answers every request.
#include "base/assert.hpp"
#include "policy/decide.hpp"
#include "policy/limits.hpp"

extern "C" int LLVMFuzzerTestOneInput(std::uint8_t const* data, std::size_t size) {
  using namespace shamon;
  ByteView const image(data, size);
  auto const policy = CompiledPolicy::from_image(image);
  if (!policy) return 0;
  Bytes const again = policy->image();
  SHAMON_ASSERT(std::equal(again.begin(), again.end(), image.begin(), image.end()));
  LabelSet running;
  for (std::uint16_t a = 0; a < policy->label_count() + 1; ++a) {
    for (std::uint16_t b = 0; b < policy->label_count() + 1;
         b = static_cast<std::uint16_t>(b + 7)) {
      Request request{Operation::flow, LabelId(a),         LabelId(b),
                      {6, 443},        policy->revision(), &running};
      Decision const flow = decide(request, *policy);
      SHAMON_ASSERT(flow.statement.value() == 0 || flow.statement.value() <= kStatementsMax);
      request.operation = Operation::start;
      Decision const start = decide(request, *policy);
      SHAMON_ASSERT(a < policy->label_count() || !start.allowed());
    }
  }
  return 0;
}
