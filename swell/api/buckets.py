"""Which bucket a revision belongs to, what buckets are called and where their owners listen. Pure.

Source: spec autoscaling 7.1 and 7.3. The header is ours: an autoscaler that answers a handshake says how many buckets
there are, and an activator that asks for one says that it reports to the owner of each by itself.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

BUCKETS_MAX: Final = 10
BUCKETS_HEADER: Final = "Swell-Buckets"
KEPT_MAX: Final = 1 << 17
"""Revisions whose bucket is kept: it takes 0.1 ms to find."""

_UNIVERSE: Final = 2048
_START_SALT: Final = b"start-angle-salt"
_STEP_SALT: Final = b"step-angle-salt"
_FNV_OFFSET: Final = 0xCBF29CE484222325
_FNV_PRIME: Final = 0x100000001B3
_UINT64_MAX: Final = 2**64 - 1


def bucket_name(ordinal: int, total: int) -> str:
    """What the Lease of bucket `ordinal`, from 0, of `total` is called."""
    return f"autoscaler-bucket-{ordinal:02d}-of-{total:02d}"


def bucket_names(total: int) -> tuple[str, ...]:
    """All buckets."""
    return tuple(bucket_name(ordinal, total) for ordinal in range(total))


@dataclass(frozen=True, slots=True)
class Share:
    """What one owner decides for: the revisions of bucket `ordinal`, from 0, of `total`."""

    ordinal: int = 0
    total: int = 1

    @property
    def name(self) -> str:
        """The bucket's, and its Lease's."""
        return bucket_name(self.ordinal, self.total)

    def owns(self, namespace: str, revision: str) -> bool:
        return bucket_of(namespace, revision, self.total) == self.ordinal


@lru_cache(KEPT_MAX)
def bucket_of(namespace: str, revision: str, total: int) -> int:
    """The ordinal of the bucket of a revision. Every replica, and every activator, comes to the same."""
    (found,) = choose(bucket_names(total), 1, f"{namespace}/{revision}")
    return bucket_names(total).index(found)


def bucket_url(url: str, ordinal: int) -> str:
    """Where the owner of a bucket listens, by the URL of that of bucket 0: each has the next port."""
    found = urlsplit(url)
    port = found.port or 80
    return found._replace(netloc=f"{found.netloc.removesuffix(f':{port}')}:{port + ordinal}").geturl()


def read_buckets(said: str) -> int:
    """How many there are, by the header of an autoscaler: 1 for one that knows none."""
    return min(int(said), BUCKETS_MAX) if said.isdecimal() and int(said) else 1


def choose(names: Collection[str], count: int, target: str) -> set[str]:
    """`count` of `names`, the same ones wherever it is computed, spread evenly over many targets.

    All of them if there are no more. When names come or go, most targets keep what they had.
    """
    if count >= len(names):
        return set(names)
    suffix = target.encode()
    by_slot = _slots(names, suffix)
    slots = sorted(by_slot)
    angle, step = angles(target)
    chosen: set[int] = set()
    for _ in range(count):
        index = bisect_left(slots, angle)
        while slots[index % len(slots)] in chosen:
            index += 1
        chosen.add(slots[index % len(slots)])
        angle = (angle + step) % _UNIVERSE
    return {by_slot[slot] for slot in chosen}


def angles(target: str) -> tuple[int, int]:
    """Where on the circle a target begins to look, and how far it goes from one choice to the next."""
    return _fnv1a(target.encode() + _START_SALT) % _UNIVERSE, _fnv1a(target.encode() + _STEP_SALT) % _UNIVERSE


def _slots(names: Collection[str], target: bytes) -> dict[int, str]:
    """A place on the circle for each name; who finds it taken hashes on."""
    by_slot: dict[int, str] = {}
    for name in sorted(names):
        text = name.encode() + target
        found = _fnv1a(text)
        while found % _UNIVERSE in by_slot:
            text += b"%x" % found
            found = _fnv1a(text)
        by_slot[found % _UNIVERSE] = name
    return by_slot


def _fnv1a(data: bytes) -> int:
    found = _FNV_OFFSET
    for byte in data:
        found = (found ^ byte) * _FNV_PRIME & _UINT64_MAX
    return found
