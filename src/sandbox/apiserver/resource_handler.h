// Turns an authorised resource request into an answer: which rules of ObjectWriter apply, in what form to answer.
#pragma once

#include "sandbox/apiserver/api_request.h"
#include "sandbox/apiserver/node_proxy.h"
#include "sandbox/apiserver/object_writer.h"
#include "sandbox/apiserver/representation.h"
#include "sandbox/apiserver/service_account_tokens.h"

namespace holdfast::sandbox {

class ResourceHandler {
 public:
  struct Parts {
    Store& store;
    ObjectWriter& writer;
    NodeProxy& nodes;
    const ServiceAccountTokens& tokens;
    Clock& clock;
  };
  explicit ResourceHandler(Parts parts) : parts_(parts) {}

  /// Answers. An Error is for the caller to answer; nothing has been sent then.
  [[nodiscard]] Status serve(const ApiRequest& request, const ResourceKind& kind, net::Responder& responder);

 private:
  struct Answer {
    int status = 200;
    json::value body;
  };
  Result<Answer> answer(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> list(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> create(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> patch(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> remove(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> remove_collection(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> scale(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> bind(const ApiRequest& request, const ResourceKind& kind);
  Result<Answer> issue_token(const ApiRequest& request, const ResourceKind& kind);
  Status watch(const ApiRequest& request, const ResourceKind& kind, net::Responder& responder);
  Result<json::value> shown(const ApiRequest& request, const ResourceKind& kind, const Object& object) const;

  Parts parts_;
};

}  // namespace holdfast::sandbox
