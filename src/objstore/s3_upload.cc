#include "objstore/s3_upload.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"

namespace holdfast::objstore {

namespace {

constexpr size_t kPartsMax = 10'000;
/// After so many parts they grow, so that no object is too long for the limit above.
constexpr size_t kPartsOfOneSize = 1'000;

class S3Upload final : public Upload {
 public:
  S3Upload(std::shared_ptr<S3Client> client, std::string key, std::string described, std::stop_token stop)
      : client_(std::move(client)), key_(std::move(key)), described_(std::move(described)), stop_(std::move(stop)) {}

  ~S3Upload() override {
    // Best effort: what stays is invisible, and the bucket's lifecycle rule removes it.
    if (!id_.empty() && !done_)
      (void)client_->call({.method = "DELETE", .key = key_, .query = {{"uploadId", id_}}}, {});
  }

  Status write(std::string_view bytes) override {
    TRY(check_open());
    while (!bytes.empty()) {
      const size_t size = std::min(bytes.size(), part_size() - part_.size());
      part_.append(bytes.substr(0, size));
      bytes.remove_prefix(size);
      if (part_.size() == part_size()) TRY(send_part().in(described_));
    }
    return {};
  }

  Status finish() override {
    TRY(check_open());
    if (id_.empty()) {
      net::Headers headers = client_->new_object_headers();
      add_checksum(headers, client_->options().checksum, part_);
      TRY(repeated({.method = "PUT", .key = key_, .headers = headers, .body = part_}).in(described_));
    } else {
      if (!part_.empty()) TRY(send_part().in(described_));
      TRY(complete().in(described_));
    }
    done_ = true;
    return {};
  }

 private:
  struct Part {
    std::string etag;
    std::string checksum;
  };

  size_t part_size() const {
    return client_->options().part_size << std::min<size_t>(parts_.size() / kPartsOfOneSize, 8);
  }

  Status check_open() const {
    if (failed_ || done_) return Error(ErrorCode::invalid, described_ + ": the upload is over");
    if (stop_.stop_requested()) return Error(ErrorCode::cancelled, described_ + ": stopped");
    return {};
  }

  Result<net::Response> repeated(const S3Call& call) {
    return sync::retry_value<net::Response>(client_->options().part_retry, system_clock(), stop_,
                                            [&] { return client_->call(call, stop_); });
  }

  Status begin() {
    net::Headers headers = client_->new_object_headers();
    const std::string_view algorithm = to_string(client_->options().checksum);
    if (!algorithm.empty()) headers.add("x-amz-checksum-algorithm", std::string(algorithm));
    const net::Response answer =
        TRY(repeated({.method = "POST", .key = key_, .query = {{"uploads", ""}}, .headers = headers}));
    id_ = TRY(parse_upload_answer(answer.body));
    return {};
  }

  Status send_part() {
    failed_ = true;  // until this has worked: an upload with a hole is never completed
    if (id_.empty()) TRY(begin());
    if (parts_.size() == kPartsMax) return Error(ErrorCode::invalid, "the object is too large for S3");
    Part part;
    net::Headers headers;
    add_checksum(headers, client_->options().checksum, part_);
    part.checksum = checksum_of(client_->options().checksum, part_);
    const net::Response answer =
        TRY(repeated({.method = "PUT",
                      .key = key_,
                      .query = {{"partNumber", std::to_string(parts_.size() + 1)}, {"uploadId", id_}},
                      .headers = headers,
                      .body = part_}));
    part.etag = answer.headers.get("ETag");
    if (part.etag.empty()) return Error(ErrorCode::corrupt, "the store gave no ETag for a part");
    parts_.push_back(std::move(part));
    part_.clear();
    failed_ = false;
    return {};
  }

  /// Sent once: after a lost answer only looking at the object tells whether it is there.
  Status complete() {
    failed_ = true;
    const std::string_view algorithm = to_string(client_->options().checksum);
    std::string body = "<CompleteMultipartUpload xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">";
    for (size_t at = 0; at < parts_.size(); ++at) {
      body += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag>", at + 1, xml_escaped(parts_[at].etag));
      if (!algorithm.empty()) body += fmt::format("<Checksum{0}>{1}</Checksum{0}>", algorithm, parts_[at].checksum);
      body += "</Part>";
    }
    body += "</CompleteMultipartUpload>";
    const net::Response answer = TRY(client_->call({.method = "POST",
                                                    .key = key_,
                                                    .query = {{"uploadId", id_}},
                                                    .headers = {{"Content-Type", "application/xml"}},
                                                    .body = body},
                                                   stop_));
    const S3Failure failure = TRY(parse_completion_answer(answer.body));
    if (!failure.code.empty() || !failure.message.empty()) {
      return client_->to_error(answer.status, failure, answer.headers.get("Date"));
    }
    failed_ = false;
    return {};
  }

  const std::shared_ptr<S3Client> client_;
  const std::string key_;
  const std::string described_;
  const std::stop_token stop_;
  std::string id_;
  std::string part_;
  std::vector<Part> parts_;
  bool failed_ = false;
  bool done_ = false;
};

}  // namespace

void add_checksum(net::Headers& headers, ChecksumAlgorithm algorithm, std::string_view bytes) {
  if (algorithm == ChecksumAlgorithm::none) return;
  headers.add("x-amz-sdk-checksum-algorithm", std::string(to_string(algorithm)));
  headers.add("x-amz-checksum-" + to_lower(to_string(algorithm)), checksum_of(algorithm, bytes));
}

std::unique_ptr<Upload> start_s3_upload(std::shared_ptr<S3Client> client, std::string key, std::string described,
                                        std::stop_token stop) {
  return std::make_unique<S3Upload>(std::move(client), std::move(key), std::move(described), std::move(stop));
}

}  // namespace holdfast::objstore
