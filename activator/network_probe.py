"""The answer to an ingress that looks whether its way to us works; both programs give it (spec dataplane 2.12)."""

from __future__ import annotations

from activator.proxy.replies import PLAIN_ERROR, Answer
from swell.wire.headers import NETWORK_HASH


def path_works(hash_: bytes) -> Answer:
    """The hash back: the way is the one that the prober means. One without a hash means nothing."""
    if not hash_:
        return Answer(400, b'a probe request must contain a non-empty "K-Network-Hash" header\n', PLAIN_ERROR)
    return Answer(200, b"", ((NETWORK_HASH, hash_),))
