// What the API server asks of a sandbox node, over plain HTTP/1.1 on the address its Node object names.
//
// The node registers a Node whose status.addresses holds an entry of type InternalIP and whose
// status.daemonEndpoints.kubeletEndpoint.Port is the port it serves on:
//
//   GET /exec/NAMESPACE/POD/CONTAINER?command=A&command=B[&stdin=true][&stdout=true][&stderr=true][&tty=true]
//     Upgrade to WebSocket with subprotocol v5.channel.k8s.io or v4.channel.k8s.io. Each binary message is one byte of
//     channel (0 stdin, 1 stdout, 2 stderr, 3 result, 4 resize; v5: 255 closes the channel in the second byte) and its
//     data. The last message on channel 3 is a Status: {"status":"Success"} or a Failure with reason NonZeroExitCode
//     and details.causes [{"reason":"ExitCode","message":"N"}].
//   GET /containerLogs/NAMESPACE/POD/CONTAINER[?follow=true][&tailLines=N][&timestamps=true][&previous=true]
//     200 with the log as a stream of text; 404 for an unknown container.
//
// The path parts are percent-encoded. Any other answer is handed to the client as it is.
#pragma once

#include <optional>
#include <string>

#include "base/json.h"

namespace holdfast::sandbox {

inline constexpr const char* kExecProtocols[] = {"v5.channel.k8s.io", "v4.channel.k8s.io"};

/// "http://ADDRESS:PORT" of a Node object; nothing where it names no address or port.
[[nodiscard]] std::optional<std::string> node_base_url(const json::value& node);

}  // namespace holdfast::sandbox
