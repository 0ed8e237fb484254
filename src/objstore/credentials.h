// S3 credentials and where they come from: the INI text of an AWS credentials file, or environment variables. Nothing
// here reads files or the environment; errors never hold a value.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace holdfast::objstore {

struct Credentials {
  std::string access_key = {};
  std::string secret_key = {};
  std::string session_token = {};  ///< empty for lasting keys
};

/// The keys of a profile ("" means "default") in the text of an AWS credentials file: [default] or [profile x] or [x],
/// aws_access_key_id, aws_secret_access_key, aws_session_token; other keys are passed over. not_found where the profile
/// is missing, invalid where a key is missing or the text is no INI file (the line is named).
[[nodiscard]] Result<Credentials> credentials_from(std::string_view ini, const std::string& profile);

using Lookup = std::function<std::optional<std::string>(const std::string& name)>;
/// AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, AWS_SESSION_TOKEN. not_found where neither of the first two is set,
/// invalid where one is.
[[nodiscard]] Result<Credentials> credentials_from_env(const Lookup& lookup);

}  // namespace holdfast::objstore
