"""The routing table: host -> site -> revision, built from Route objects.

Knows Routes as JSON and the arithmetic of a traffic split. Does not know pods, requests or sockets.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

from swell.wire.headers import SERVING_TAG

Obj = dict[str, Any]

# A target without any percent set (a tag of its own, or a Route whose percents are all zero).
WHOLE: Final = 100


class Target(NamedTuple):
    """A revision by namespace and name. Equal to, and hashed as, the plain pair."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


class Claim(NamedTuple):
    """What one Route says about one host. The oldest Route that claims a host has it.

    `public`: also callers from outside the cluster may ask for this host.
    """

    since: str
    route: Target
    tag: str
    weights: tuple[tuple[Target, int], ...]
    public: bool = False


class Site:
    """What answers at one host: the revisions of a Route (or of one of its tags) by their percents.

    Over any run of as many requests as the percents add up to (100), each revision gets exactly its
    percent: the order repeats, and within it a revision's turns are spread evenly.
    """

    __slots__ = ("_last", "_next", "claim", "marks", "order")

    def __init__(self, claim: Claim) -> None:
        self.claim = claim
        # Headers that tell the pods of it, as the reference's ingress does (spec dataplane 1.2).
        self.marks = ((SERVING_TAG, claim.tag.encode()),) if claim.tag else ()
        self.order: tuple[Target, ...] = tuple(spread(claim.weights))
        self._next = 0
        self._last = len(self.order) - 1

    def pick(self) -> Target | None:
        """The revision whose turn it is; None when the Route has no traffic assigned."""
        turn = self._next
        if turn < self._last:
            self._next = turn + 1
        elif self._last < 0:
            return None
        else:
            self._next = 0
        return self.order[turn]

    def __repr__(self) -> str:
        split = ", ".join(f"{target} {weight}" for target, weight in self.claim.weights)
        return f"<Site {self.claim.route} tag={self.claim.tag!r} {split or 'no traffic'}>"


def spread(weights: Iterable[tuple[Target, int]]) -> Iterator[Target]:
    """One period of a smooth weighted round robin: each target as often as its weight, spread evenly.

    Weights are divided by their greatest common divisor first, so one target alone gives one turn.
    """
    entries = [(target, weight) for target, weight in weights if weight > 0]
    divisor = math.gcd(*(weight for _, weight in entries)) or 1
    steps = [weight // divisor for _, weight in entries]
    total = sum(steps)
    credit = [0] * len(steps)
    for _ in range(total):
        credit = [have + step for have, step in zip(credit, steps, strict=True)]
        best = credit.index(max(credit))
        credit[best] -= total
        yield entries[best][0]


class Gateway:
    """Which site answers at which host. `hosts` is the table the request path reads: one dict lookup.

    `public` has those of its entries that callers from outside the cluster may ask for.
    """

    def __init__(self, cluster_domain: str = "cluster.local") -> None:
        self.hosts: dict[str, Site] = {}
        self.public: dict[str, Site] = {}
        self._cluster_domain = cluster_domain
        self._claims: dict[str, dict[Target, Claim]] = {}
        self._routes: dict[Target, dict[str, Claim]] = {}

    def find(self, host: str) -> Site | None:
        """The site at `host`, which may end in a dot as a fully qualified name does."""
        return self.hosts.get(host) or self.hosts.get(host.rstrip("."))

    def set_route(self, route: Obj) -> None:
        """Take the Route as it is now: new hosts appear, changed splits start over, lost hosts go."""
        key = _key(route)
        self._replace(key, claims_of(route, self._cluster_domain))

    def remove_route(self, route: Obj) -> None:
        self._replace(_key(route), {})

    def routes(self) -> list[Target]:
        """The Routes that claim at least one host, sorted."""
        return sorted(self._routes)

    def _replace(self, key: Target, claims: dict[str, Claim]) -> None:
        before = self._routes.pop(key, {})
        if claims:
            self._routes[key] = claims
        for host in before.keys() | claims.keys():
            if before.get(host) != claims.get(host):
                self._claim(host, key, claims.get(host))

    def _claim(self, host: str, key: Target, claim: Claim | None) -> None:
        claimants = self._claims.setdefault(host, {})
        if claim is None:
            claimants.pop(key, None)
        else:
            claimants[key] = claim
        if not claimants:
            del self._claims[host]
            self.hosts.pop(host, None)
            self.public.pop(host, None)
            return
        winner = min(claimants.values())
        current = self.hosts.get(host)
        if current is None or current.claim != winner:
            self.hosts[host] = site = Site(winner)
            self.public.pop(host, None)
            if winner.public:
                self.public[host] = site


def claims_of(route: Obj, cluster_domain: str) -> dict[str, Claim]:
    """The hosts a Route answers at, and with which split: its own hosts, and those of each tag.

    Read from `status.url` and `status.traffic` only: what the controller has assigned, not what the
    spec asks for (spec api 6.9, 6.12).
    """
    key = _key(route)
    since = str(route["metadata"].get("creationTimestamp") or "")
    status = route.get("status") or {}
    traffic = [entry for entry in status.get("traffic") or [] if entry.get("revisionName")]
    claims: dict[str, Claim] = {}
    tags = sorted({str(entry["tag"]) for entry in traffic if entry.get("tag")})
    for tag in tags:
        entries = [entry for entry in traffic if entry.get("tag") == tag]
        claim = Claim(since, key, tag, _weights(key.namespace, entries, tagged=True))
        name = f"{tag}-{key.name}"
        claims |= _at_hosts(claim, name, str(entries[0].get("url") or ""), cluster_domain)
    url = str(status.get("url") or "")
    if url:
        main = Claim(since, key, "", _weights(key.namespace, traffic, tagged=False))
        claims |= _at_hosts(main, key.name, url, cluster_domain)
    return claims


def _at_hosts(claim: Claim, name: str, url: str, cluster_domain: str) -> dict[str, Claim]:
    """The claim at the names inside the cluster, and at the URL's host, which may be one of them."""
    local = f"{name}.{claim.route.namespace}"
    claims = dict.fromkeys((local, f"{local}.svc", f"{local}.svc.{cluster_domain}"), claim)
    outside = urlsplit(url).hostname if url else None
    if outside:
        claims.setdefault(outside, claim._replace(public=True))
    return claims


def _weights(namespace: str, entries: list[Obj], *, tagged: bool) -> tuple[tuple[Target, int], ...]:
    """Percents by revision, in the order of the Route. A tag always gets all of its traffic."""
    sums: dict[Target, int] = {}
    for entry in entries:
        target = Target(namespace, str(entry["revisionName"]))
        sums[target] = sums.get(target, 0) + int(entry.get("percent") or 0)
    if tagged and not any(sums.values()):
        sums = dict.fromkeys(sums, WHOLE)
    return tuple((target, weight) for target, weight in sums.items() if weight > 0)


def _key(obj: Obj) -> Target:
    return Target(obj["metadata"]["namespace"], obj["metadata"]["name"])
