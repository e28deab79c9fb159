"""Header names and values between the programs, lower case, as bytes (spec dataplane 1.2)."""

from __future__ import annotations

from collections.abc import Mapping

SERVING_NAMESPACE = b"knative-serving-namespace"
SERVING_REVISION = b"knative-serving-revision"
SERVING_TAG = b"knative-serving-tag"
SERVING_DEFAULT_ROUTE = b"knative-serving-default-route"

SERVING_TAG = b"knative-serving-tag"
SERVING_DEFAULT_ROUTE = b"knative-serving-default-route"

ORIGINAL_HOST = b"k-original-host"

PROXY_REQUEST = b"k-proxy-request"
PROXY_REQUEST_ACTIVATOR = b"activator"

NETWORK_PROBE = b"k-network-probe"
NETWORK_PROBE_PROBE = b"probe"
NETWORK_PROBE_QUEUE = b"queue"
NETWORK_HASH = b"k-network-hash"
KUBELET_PROBE = b"k-kubelet-probe"

USER_AGENT = b"user-agent"
USER_AGENT_KUBE_PROBE = b"kube-probe/"  # a prefix: Kubernetes' version follows
USER_AGENT_ACTIVATOR = b"Knative-Activator-Probe"
USER_AGENT_AUTOSCALER = b"Knative-Autoscaling-Probe"

FORWARDED = b"forwarded"
FORWARDED_FOR = b"x-forwarded-for"
FORWARDED_PROTO = b"x-forwarded-proto"
FORWARDED_HOST = b"x-forwarded-host"

TRACEPARENT = b"traceparent"
TRACESTATE = b"tracestate"
SERVER_TIMING = b"server-timing"
PRIORITY = b"swell-priority"  # `low`: the first to go when the waiting room is full

STATS_CONTENT_TYPE = b"application/protobuf"


def asked_host(named: Mapping[bytes, bytes]) -> bytes:
    """The host that the caller asked for, whatever a proxy has put in its place; b"" if there is none."""
    return named.get(ORIGINAL_HOST) or named.get(b"host", b"")
