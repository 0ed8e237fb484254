// Inside velero/ only: the field lists of types/meta.h.
#pragma once

#include "velero/types/codec.h"

namespace holdfast::velero {

using codec::Is;

template <class V, Is<OwnerReference> S>
void fields(V& v, S& s) {
  v.always("apiVersion", s.api_version);
  v.always("kind", s.kind);
  v.always("name", s.name);
  v.always("uid", s.uid);
  v("controller", s.controller);
  v("blockOwnerDeletion", s.block_owner_deletion);
}
template <class V, Is<ObjectMeta> S>
void fields(V& v, S& s) {
  v("name", s.name);
  v("generateName", s.generate_name);
  v("namespace", s.namespace_);
  v("uid", s.uid);
  v("resourceVersion", s.resource_version);
  v("generation", s.generation);
  v("creationTimestamp", s.creation_timestamp);
  v("deletionTimestamp", s.deletion_timestamp);
  v("labels", s.labels);
  v("annotations", s.annotations);
  v("ownerReferences", s.owner_references);
  v("finalizers", s.finalizers);
}
template <class V, Is<ObjectReference> S>
void fields(V& v, S& s) {
  v("kind", s.kind);
  v("namespace", s.namespace_);
  v("name", s.name);
  v("uid", s.uid);
}
template <class V, Is<TypedLocalReference> S>
void fields(V& v, S& s) {
  v.always("kind", s.kind);
  v.always("name", s.name);
}
template <class V, Is<SecretKeySelector> S>
void fields(V& v, S& s) {
  v("name", s.name);
  v.always("key", s.key);
}
template <class V, Is<LabelSelectorRequirement> S>
void fields(V& v, S& s) {
  v.always("key", s.key);
  v.always("operator", s.op);
  v("values", s.values);
}
template <class V, Is<LabelSelector> S>
void fields(V& v, S& s) {
  v("matchLabels", s.match_labels);
  v("matchExpressions", s.match_expressions);
}
template <class V, Is<HookStatus> S>
void fields(V& v, S& s) {
  v("hooksAttempted", s.hooks_attempted);
  v("hooksFailed", s.hooks_failed);
}
template <class V, Is<DataProgress> S>
void fields(V& v, S& s) {
  v("totalBytes", s.total_bytes);
  v("bytesDone", s.bytes_done);
}

}  // namespace holdfast::velero
