"""One of several: who holds a Lease leads, for as long as it renews it."""

from __future__ import annotations

import asyncio
import contextlib
import enum
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from swell.api.kinds import LEASE
from swell.api.meta import Obj, rfc3339
from swell.kube.backoff import backoff_s
from swell.kube.cache import is_later, version_of
from swell.kube.client import KubeClient
from swell.kube.errors import AlreadyExists, Conflict, KubeError, NotFound
from swell.kube.informer import Informer
from swell.runtime import log
from swell.runtime.clock import Clock

LEASE_S: Final = 15.0
"""How long a Lease holds without being renewed. The reference's, as the next two."""
RENEW_WITHIN_S: Final = 10.0
"""How long a leader tries to renew before it stops leading; shorter than the Lease, so that two never lead."""
RETRY_S: Final = 2.0
LEAVE_S: Final = 1.0
LEAVE_MAX_S: Final = 3.0
"""How long who leads already leaves a further free Lease to others, for each that it has, and at most."""

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Terms:
    """The durations of an election, in seconds."""

    lease_s: float = LEASE_S
    renew_within_s: float = RENEW_WITHIN_S
    retry_s: float = RETRY_S


class _Outcome(enum.Enum):
    OURS = enum.auto()
    OTHERS = enum.auto()
    UNREACHED = enum.auto()


class Turns:
    """Spreads several Leases over several programs: the electors of one program take free ones one after the other.

    Before each it waits as `LEAVE_S` says, in which a program that holds fewer takes it. `held`: how many it holds.
    """

    def __init__(self) -> None:
        self.one_at_a_time = asyncio.Lock()
        self.held = 0


class Elector:
    """A candidate for the Lease `namespace/name`; `identity` is unique among the candidates.

    `on_standby` is called whenever it is found that another one leads. `leading` is for metrics. The
    electors of one program for several Leases share `turns`.
    """

    def __init__(
        self,
        kube: KubeClient,
        namespace: str,
        name: str,
        identity: str,
        clock: Clock,
        *,
        terms: Terms | None = None,
        turns: Turns | None = None,
        on_standby: Callable[[], object] = lambda: None,
    ) -> None:
        self._kube = kube
        self._namespace = namespace
        self._name = name
        self._identity = identity
        self._clock = clock
        self._terms = terms or Terms()
        self._turns = turns or Turns()
        self._seen: Obj | None = None
        self._seen_at_s = 0.0
        self._renewed_s = 0.0
        self._on_standby = on_standby
        self._news = asyncio.Event()
        self.leading = False

    async def run(self, lead: Callable[[], Awaitable[object]]) -> None:
        """Wait for the Lease, then run `lead()`; when it is lost, cancel that and wait again. Until cancelled.

        Gives the Lease back when cancelled. Raises what `lead` raises; returns when it returns.
        """
        while True:
            await self._acquire()
            try:
                if await self._lead(lead):
                    return
            finally:
                self._turns.held -= 1
                await self._release()

    async def _acquire(self) -> None:
        if await self._attempt() is not _Outcome.OURS:
            async with self._following():
                await self._stand_by()
        logger.info("leading", lease=self._name, identity=self._identity)

    @contextlib.asynccontextmanager
    async def _following(self) -> AsyncIterator[None]:
        """Hear of every change of the Lease: one that is given back is taken at once."""
        leases = Informer(
            self._kube,
            LEASE,
            namespace=self._namespace,
            field_selector=f"metadata.name={self._name}",
            clock=self._clock,
        )
        leases.add_handler(self._changed)
        starting = asyncio.create_task(leases.start(), name=f"standby for {self._name}")
        try:
            yield
        finally:
            starting.cancel()
            await asyncio.gather(starting, return_exceptions=True)
            await leases.close()

    async def _stand_by(self) -> None:
        """Returns once the Lease is ours."""
        while True:
            outcome = await self._attempt()
            if outcome is _Outcome.OURS:
                return
            if outcome is _Outcome.UNREACHED:
                await self._clock.sleep(backoff_s(1, self._terms.retry_s, self._terms.retry_s))
            else:
                self._on_standby()
                await self._until_free()

    async def _attempt(self) -> _Outcome:
        """Take the Lease, in turn, if it is free."""
        async with self._turns.one_at_a_time:
            if self._turns.held and await self._is_free():
                await self._clock.sleep(min(self._turns.held * LEAVE_S, LEAVE_MAX_S))
            outcome = await self._try(self._terms.renew_within_s)
            if outcome is _Outcome.OURS:
                self._turns.held += 1
            return outcome

    async def _is_free(self) -> bool:
        try:
            async with asyncio.timeout(self._terms.renew_within_s):
                self._remember(await self._kube.get(LEASE, self._namespace, self._name))
        except NotFound:
            return True
        except (KubeError, TimeoutError):
            return False
        return self._held_s() <= 0

    async def _until_free(self) -> None:
        """Returns once nobody holds the Lease any more, as far as is known here."""
        while (left_s := self._held_s()) > 0:
            self._news.clear()
            timer = self._clock.call_later(left_s, self._news.set)
            try:
                await self._news.wait()
            finally:
                timer.cancel()

    def _held_s(self) -> float:
        """How long the Lease is still another's, if it is not renewed."""
        if self._seen is None or not _holder(self._seen):
            return 0.0
        return self._seen_at_s + self._lease_s(self._seen) - self._clock.now()

    def _changed(self, old: Obj | None, new: Obj | None) -> None:
        if new is None:
            self._seen = None
        elif self._seen is None or is_later(version_of(new), version_of(self._seen)):
            self._remember(new)
        self._news.set()

    async def _lead(self, lead: Callable[[], Awaitable[object]]) -> bool:
        """True when the work ended by itself, False when the Lease was lost."""
        self.leading = True
        work = asyncio.ensure_future(lead())
        renewing = asyncio.create_task(self._renew(), name=f"lease {self._name}")
        try:
            await asyncio.wait((work, renewing), return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                work.result()
                return True
            renewing.result()
            logger.warning("leading no more", lease=self._name, identity=self._identity)
            return False
        finally:
            work.cancel()
            renewing.cancel()
            await asyncio.gather(work, renewing, return_exceptions=True)
            self.leading = False

    async def _renew(self) -> None:
        """Returns when the Lease is another's, or could not be renewed in time."""
        while (left_s := self._renewed_s + self._terms.renew_within_s - self._clock.now()) > 0:
            await self._clock.sleep(min(self._terms.retry_s, left_s))
            left_s = self._renewed_s + self._terms.renew_within_s - self._clock.now()
            outcome = await self._try(max(0.0, left_s))
            if outcome is _Outcome.OTHERS and self._seen is not None and _holder(self._seen) != self._identity:
                return

    async def _try(self, timeout_s: float) -> _Outcome:
        """Take the Lease, or renew it."""
        asked_s = self._clock.now()
        try:
            async with asyncio.timeout(timeout_s):
                taken = await self._take()
        except (AlreadyExists, Conflict):
            return _Outcome.OTHERS  # another candidate was faster
        except (KubeError, TimeoutError) as exc:
            logger.warning("the Lease cannot be reached", lease=self._name, error=str(exc) or "no answer in time")
            return _Outcome.UNREACHED
        if not taken:
            return _Outcome.OTHERS
        # Others count from when it was written, which is after it was asked.
        self._renewed_s = asked_s
        return _Outcome.OURS

    async def _take(self) -> bool:
        if self._seen is not None and _holder(self._seen) == self._identity:
            # As last seen: if it is so no more, the write conflicts.
            with contextlib.suppress(Conflict, NotFound):
                await self._write(self._seen)
                return True
        try:
            live = await self._kube.get(LEASE, self._namespace, self._name)
        except NotFound:
            self._remember(await self._kube.create(LEASE, self._lease({}, self._identity)))
            return True
        self._remember(live)
        holder = _holder(live)
        if holder not in ("", self._identity) and not self._is_over(live):
            return False
        await self._write(live)
        return True

    async def _write(self, live: Obj) -> None:
        self._remember(await self._kube.update(LEASE, {**live, **self._lease(live, self._identity)}))

    def _remember(self, live: Obj) -> None:
        """When the Lease was last seen to change, on our own clock: the holder's may be wrong."""
        if self._seen is None or self._seen["spec"] != live["spec"]:
            self._seen_at_s = self._clock.now()
        self._seen = live

    def _is_over(self, live: Obj) -> bool:
        return self._clock.now() >= self._seen_at_s + self._lease_s(live)

    def _lease_s(self, live: Obj) -> float:
        return float(live["spec"].get("leaseDurationSeconds") or self._terms.lease_s)

    def _lease(self, live: Obj, holder: str) -> Obj:
        now = _micro_time(self._clock.wall())
        spec = dict(live.get("spec") or {})
        if spec.get("holderIdentity") != holder:
            spec["acquireTime"] = now
            spec["leaseTransitions"] = int(spec.get("leaseTransitions") or 0) + (1 if live and holder else 0)
        spec |= {"holderIdentity": holder, "renewTime": now, "leaseDurationSeconds": round(self._terms.lease_s)}
        meta = live.get("metadata") or {"name": self._name, "namespace": self._namespace}
        return {"apiVersion": LEASE.api_version, "kind": LEASE.kind, "metadata": meta, "spec": spec}

    async def _release(self) -> None:
        """Let others have it at once, instead of when it runs out."""
        if self._seen is None or _holder(self._seen) != self._identity:
            return
        freed = self._lease(self._seen, "")
        freed["spec"]["leaseDurationSeconds"] = 1
        with contextlib.suppress(KubeError, TimeoutError):  # then it runs out
            async with asyncio.timeout(self._terms.retry_s):
                await self._kube.update(LEASE, freed)
        self._seen = None


def _holder(lease: Obj) -> str:
    return str((lease.get("spec") or {}).get("holderIdentity") or "")


def _micro_time(unix_s: float) -> str:
    whole = int(unix_s)
    return f"{rfc3339(whole)[:-1]}.{int((unix_s - whole) * 1_000_000):06d}Z"
