#include "velero/results.h"

#include "velero/types/codec.h"

namespace holdfast::velero {

using codec::Is;

template <class V, Is<Findings> S>
void fields(V& v, S& s) {
  v("velero", s.velero);
  v("cluster", s.cluster);
  v("namespaces", s.namespaces);
}
template <class V, Is<Results> S>
void fields(V& v, S& s) {
  v("errors", s.errors);
  v("warnings", s.warnings);
}

size_t Findings::count() const {
  size_t out = velero.size() + cluster.size();
  for (const auto& [name, list] : namespaces) out += list.size();
  return out;
}

Result<Results> decode_results(std::string_view text) {
  const json::value v = TRY(json::parse(text));
  return codec::decode_struct<Results>(v);
}
std::string encode_results(const Results& results) {
  return codec::file_text(codec::write(results));
}

}  // namespace holdfast::velero
