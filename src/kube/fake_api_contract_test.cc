#include "kube/api_contract.h"
#include "kube/fake_api.h"

namespace holdfast::kube {
namespace {

Api* fake() {
  static FakeApi api;
  return &api;
}

INSTANTIATE_TEST_SUITE_P(Fake, ApiContract, testing::Values(&fake));

}  // namespace
}  // namespace holdfast::kube
