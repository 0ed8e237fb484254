#include "velero/names.h"

#include <gtest/gtest.h>

namespace holdfast::velero {
namespace {

TEST(Names, LabelValuesUpToTheLimitStay) {
  EXPECT_EQ(label_value(""), "");
  EXPECT_EQ(label_value("b1"), "b1");
  EXPECT_EQ(label_value(std::string(63, 'a')), std::string(63, 'a'));
}

TEST(Names, LongLabelValuesEndInTheirHash) {
  // sha256 of 64 times "a" starts with ffe054
  EXPECT_EQ(label_value(std::string(64, 'a')), std::string(57, 'a') + "ffe054");
  EXPECT_EQ(label_value(std::string(100, 'b')).size(), 63U);
  EXPECT_NE(label_value(std::string(100, 'b')), label_value(std::string(101, 'b')));
}

TEST(Names, FinalPhases) {
  EXPECT_TRUE(is_final(phase::kCompleted));
  EXPECT_TRUE(is_final(phase::kFailedValidation));
  EXPECT_FALSE(is_final(phase::kFinalizing));
  EXPECT_FALSE(is_final(""));
}

}  // namespace
}  // namespace holdfast::velero
