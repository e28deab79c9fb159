"""Policies of all revisions: who is asked about which, and what becomes of the answers.

Answers come some milliseconds after a decision. Until then, and for as long as nothing new is decided, the last one
counts; only a start from zero waits for none. Without an answer the autoscaler's own rules count. Knows revisions by
name and numbers, and no Kubernetes objects.
"""

from __future__ import annotations

import asyncio
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final

from autoscaler.decision.bounds import clamp
from autoscaler.policies.process import Answer, PolicyError, PolicyProcess, Resting
from swell.api.meta import Key
from swell.config.policies import PolicyConfig, PolicyMode
from swell.policy import Seen
from swell.runtime import log
from swell.runtime.clock import Cancellable, Clock

if TYPE_CHECKING:
    from prometheus_client.core import Metric

ASK_S: Final = 2.0
BATCH_MAX: Final = 500
# The same kind of news about the same policy or revision is told once in so many seconds.
TELL_AGAIN_S: Final = 60.0

logger = log.get(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a policy made of one revision. `rules` is what it was told that the rules want, `wanted` its answer.

    `by_rules` and `by_policy` are the pods that come of each within the revision's bounds: of the policy's when it is
    on, else of the rules'. `error`: why there is no answer, "" if nothing is wrong.
    """

    policy: str
    mode: PolicyMode
    at_s: float
    rules: int
    wanted: int | None
    by_rules: int
    by_policy: int
    error: str

    def to_obj(self) -> dict[str, Any]:
        """As JSON."""
        return {**asdict(self), "mode": self.mode.value}


class Policies:
    """`look(key)` is a revision's numbers, None before anything was decided for it; `changed(keys)` is called when
    other pods are wanted for these because of their policy, `told(policy, message)` when something is wrong with one.
    """

    def __init__(
        self,
        clock: Clock,
        look: Callable[[Key], Seen | None],
        changed: Callable[[list[Key]], object],
        told: Callable[[str, str], object],
    ) -> None:
        self._clock = clock
        self._look = look
        self._changed = changed
        self._told = told
        self._config = PolicyConfig()
        self._under: dict[Key, str] = {}
        self._running: dict[str, _Running] = {}
        self._outcomes: dict[Key, Outcome] = {}
        self._timer: Cancellable | None = None
        self._told_s: dict[tuple[str, str], float] = {}
        self._logged: dict[Key, tuple[float, int, int]] = {}
        self.failures: Counter[tuple[str, str]] = Counter()
        """By policy and kind: `error` (one answer) or `process` (all of them)."""

    def configure(self, config: PolicyConfig) -> None:
        """Load these policies, and no others; those that stay as they are keep running."""
        before, self._config = self._config, config
        wanted = {} if config.mode is PolicyMode.OFF else config.loaded
        for name, running in list(self._running.items()):
            if wanted.get(name) != running.process.where:
                del self._running[name]
                running.task.cancel()
            running.process.timeout_s = config.timeout_s
        for name, where in wanted.items():
            if name not in self._running:
                self._running[name] = self._run(name, where)
        if before.mode is not config.mode:
            self._outcomes.clear()
        self._set_timer()

    def set(self, key: Key, policy: str) -> None:
        """A revision is under this policy from now on; "" for none. The caller acts on it."""
        if policy == self._under.get(key, ""):
            return
        self._outcomes.pop(key, None)
        self._logged.pop(key, None)
        if policy:
            self._under[key] = policy
        else:
            self._under.pop(key, None)
        self._set_timer()

    def desired(self, key: Key, rules: int) -> int:
        """The pods to have, before bounds, of a revision for which the rules want so many; -1: not known."""
        outcome = self._outcomes.get(key)
        if outcome is None or outcome.wanted is None or outcome.mode is not PolicyMode.ON or rules < 0:
            return rules
        if outcome.rules == 0 < rules:
            return max(rules, outcome.wanted)  # a first request waits for nobody; what it was asked is no more so
        return outcome.wanted

    def decided(self, keys: Iterable[Key]) -> None:
        """Something has been decided for these: ask about them now."""
        if self._running:
            for key in keys:
                self._ask(key)

    def last(self, key: Key) -> int | None:
        """What the policy answered for a revision the last time."""
        outcome = self._outcomes.get(key)
        return None if outcome is None else outcome.wanted

    def outcome(self, key: Key) -> Outcome | None:
        """What came of a revision's policy the last time; None if it has none, or was not asked yet."""
        return self._outcomes.get(key)

    def describe(self) -> dict[str, Any]:
        """Mode, policies and outcomes, as JSON."""
        return {
            "mode": self._config.mode.value,
            "policies": {
                name: {
                    "source": where or "entry point",
                    "up": name in self._running and self._running[name].process.up,
                    "asking": self._running[name].asking if name in self._running else 0,
                    "errors": self.failures[name, "error"],
                    "failures": self.failures[name, "process"],
                }
                for name, where in self._config.loaded.items()
            },
            "revisions": {str(key): outcome.to_obj() for key, outcome in self._outcomes.items()},
        }

    def figures(self) -> Iterable[Metric]:
        """For metrics; nothing without policies."""
        from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily

        if not self._config.loaded:
            return
        up = GaugeMetricFamily("swell_autoscaler_policy_up", "Whether a policy answers.", labels=["policy"])
        failures = CounterMetricFamily(
            "swell_autoscaler_policy_failures",
            "Answers that made no sense or were an exception (error), and all of a process (process).",
            labels=["policy", "kind"],
        )
        differs = GaugeMetricFamily(
            "swell_autoscaler_policy_differs",
            "Revisions for which a policy wants other pods than the rules.",
            labels=["policy"],
        )
        differing = Counter(each.policy for each in self._outcomes.values() if each.by_policy != each.by_rules)
        for name in self._config.loaded:
            up.add_metric([name], name in self._running and self._running[name].process.up)
            differs.add_metric([name], differing[name])
            for kind in ("error", "process"):
                failures.add_metric([name, kind], self.failures[name, kind])
        yield from (up, failures, differs)

    async def close(self) -> None:
        """End all processes."""
        if self._timer is not None:
            self._timer.cancel()
        tasks = [running.task for running in self._running.values()]
        self._running.clear()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _run(self, name: str, where: str) -> _Running:
        running = _Running(PolicyProcess(name, where, self._clock, self._config.timeout_s))
        running.task = asyncio.create_task(self._answer(running), name=f"policy {name}")
        return running

    def _set_timer(self) -> None:
        if self._timer is None and self._under and self._running:
            self._timer = self._clock.call_later(ASK_S, self._ask_all)

    def _ask_all(self) -> None:
        self._timer = None
        for key in self._under:
            self._ask(key)
        self._set_timer()

    def _ask(self, key: Key) -> None:
        running = self._running.get(self._under.get(key, ""))
        if running is not None:
            running.pending[key] = None
            running.wake.set()

    async def _answer(self, running: _Running) -> None:
        """Load the policy, and ask about what is pending, so many at a time, for ever."""
        process = running.process
        try:
            try:
                await process.start()
            except PolicyError as exc:
                self._failed(process.name, str(exc))
            while True:
                await running.wake.wait()
                keys = list(itertools.islice(running.pending, BATCH_MAX))
                for key in keys:
                    del running.pending[key]
                if not running.pending:
                    running.wake.clear()
                running.busy = len(keys)
                await self._answer_some(process, keys)
                running.busy = 0
        finally:
            await process.close()

    async def _answer_some(self, process: PolicyProcess, keys: list[Key]) -> None:
        asked = [(key, seen) for key in keys if (seen := self._look(key)) is not None]
        if not asked:
            return
        error = ""
        try:
            answers = await process.ask([seen for _, seen in asked])
        except PolicyError as exc:
            error = str(exc)
            answers = [Answer(None, error)] * len(asked)
            if not isinstance(exc, Resting):
                self._failed(process.name, error)
                # None of its answers counts any more.
                asked += [(key, seen) for key in self._others(process.name, asked) if (seen := self._look(key))]
                answers += [Answer(None, error)] * (len(asked) - len(answers))
        changed = []
        for (key, seen), answer in zip(asked, answers, strict=True):
            if self._under.get(key) != process.name:
                continue  # it is under another by now
            before = self.desired(key, seen.want)
            self._outcomes[key] = outcome = self._outcome(process.name, seen, answer)
            if answer.error and not error:
                self.failures[process.name, "error"] += 1
                self._tell(process.name, "error", f"policy {process.name} failed for {key}: {answer.error}")
            if outcome.mode is PolicyMode.SHADOW:
                self._log(key, outcome)
            if self.desired(key, seen.want) != before:
                changed.append(key)
        if changed:
            self._changed(changed)

    def _failed(self, policy: str, error: str) -> None:
        self.failures[policy, "process"] += 1
        self._tell(policy, "process", error)

    def _others(self, policy: str, asked: list[tuple[Key, Seen]]) -> list[Key]:
        """Revisions under a policy that have answers of it, beside those that were asked about."""
        known = {key for key, _ in asked}
        return [
            key
            for key, outcome in self._outcomes.items()
            if outcome.policy == policy and outcome.wanted is not None and key not in known
        ]

    def _outcome(self, policy: str, seen: Seen, answer: Answer) -> Outcome:
        least, most = max(seen.min_scale, seen.floor), seen.max_scale
        by_rules = clamp(seen.want, least, most)
        by_policy = by_rules if answer.want is None else clamp(answer.want, least, most)
        mode = self._config.mode
        return Outcome(policy, mode, seen.now_s, seen.want, answer.want, by_rules, by_policy, answer.error)

    def _log(self, key: Key, outcome: Outcome) -> None:
        """What a policy in the shadow would have done, when that is news."""
        would, did = outcome.by_policy, outcome.by_rules
        at_s, *before = self._logged.get(key, (-math.inf, 0, 0))
        if would == did or before == [would, did] or outcome.at_s < at_s + TELL_AGAIN_S:
            return
        self._logged[key] = (outcome.at_s, would, did)
        logger.info("a policy would decide otherwise", policy=outcome.policy, revision=key, would=would, did=did)

    def _tell(self, policy: str, kind: str, message: str) -> None:
        now_s = self._clock.now()
        if now_s >= self._told_s.get((policy, kind), 0.0):
            self._told_s[policy, kind] = now_s + TELL_AGAIN_S
            logger.error("a policy changes nothing", policy=policy, error=message)
            self._told(policy, message)


class _Running:
    """One policy's process, whom it is to be asked about next, each once, and about how many it is being asked."""

    __slots__ = ("busy", "pending", "process", "task", "wake")

    task: asyncio.Task[None]

    def __init__(self, process: PolicyProcess) -> None:
        self.process = process
        self.busy = 0
        self.pending: dict[Key, None] = {}
        self.wake = asyncio.Event()

    @property
    def asking(self) -> int:
        """For how many revisions an answer is awaited."""
        return self.busy + len(self.pending)
