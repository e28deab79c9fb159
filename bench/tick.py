"""What deciding costs: one tick over 10,000 and 100,000 revisions, taking a report, and the memory of a revision.

Everything in process, on one core, in virtual time, each part in a process of its own; times are of the processor, so
that neighbours count less. The revisions that a tick is measured with are all lively: each has a report every second, a
full stable window of 60 s and pods, and nothing changes; `_silent`: the same with no report for the last 20 s and more;
`_weighted`: with exponential averages. `first_request_us` is from the report of a revision at zero to its decision.
`record_us` is from decoded reports into the windows, `decode_us` what reading one from its frame takes before that.
`bytes_per_revision` is resident memory, with names, windows and ledger, of revisions that had requests once and have
been idle since. `idle_cpu_percent_5000` is of one core: the whole program and its store, with so many revisions at
zero.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

from autoscaler.decision.rows import Target
from autoscaler.ledger.ledger import Ledger
from autoscaler.metrics.collector import Collection
from autoscaler.metrics.receive import Reports
from autoscaler.revisions import Revisions
from bench.report import parser_of, report
from bench.tick_idle import idle_cpu_percent
from swell.api.meta import Key
from swell.testing.processes import rss_mb
from swell.wire.report import decode_report, encode_messages
from swell.wire.stats import Stat

TARGET = Target(70, 100, 211, 100, 2, 1000, 2, 60, True, 0)
START_S = 1_700_000_000.0
WINDOW_S = 60
PANIC_S = 6
SILENT_S = 20
FRAME = 1000
"""Reports in one frame: an activator sends those of one second in one."""


def main() -> None:
    """Parse, measure, print."""
    parser = parser_of("tick", __doc__)
    parser.add_argument("--rounds", type=int, default=15, help="ticks of which the median counts")
    parser.add_argument("--idle-seconds", type=float, default=15.0, help="length of the measurement of idle CPU")
    options = parser.parse_args()
    report(measure(options.rounds, options.idle_seconds), as_json=options.json)


def measure(rounds: int, idle_s: float) -> dict[str, float]:
    """Milliseconds, microseconds, bytes, and percent of a core."""
    return {
        "tick_ms_10k": alone(tick_ms, 10_000, rounds),
        "tick_ms_100k": alone(tick_ms, 100_000, rounds),
        "tick_ms_10k_silent": alone(tick_ms, 10_000, rounds, SILENT_S),
        "tick_ms_10k_weighted": alone(tick_ms, 10_000, rounds, 0, True),
        "first_request_us": alone(first_request_us, 10_000),
        "record_us": alone(record_us, 10_000, rounds),
        "decode_us": alone(decode_us, 10_000, rounds),
        "bytes_per_revision": alone(bytes_per_revision, 100_000),
        "bytes_per_revision_10k": alone(bytes_per_revision, 10_000),
        "idle_cpu_percent_5000": alone(idle_cpu_percent, 5_000, idle_s),
    }


def alone(part: Callable[..., float], *arguments: float) -> float:
    """One part in a fresh process, on one core."""
    core = max(os.sched_getaffinity(0))
    with ProcessPoolExecutor(1, get_context("spawn"), os.sched_setaffinity, (0, {core})) as pool:
        return pool.submit(part, *arguments).result()


def tick_ms(count: int, rounds: int, silent_s: int = 0, weighted: bool = False) -> float:
    """One tick over so many revisions: windows, decisions, ledger."""
    revisions, ledger = Revisions(), Ledger()
    second = list(frames(open_revisions(revisions, count, weighted), 10.0))
    took = []
    for now_s in seconds(WINDOW_S + silent_s + 2 * rounds):
        if now_s < START_S + WINDOW_S or not silent_s:
            for reports in second:
                revisions.receive(reports, now_s)
        if now_s % 2 == 0:
            began_s = time.thread_time()
            ticked = revisions.tick(now_s)
            ledger.ticked(ticked, now_s)
            changed = ticked.changed()
            took.append(time.thread_time() - began_s)
    assert len(ticked.tick.rows) == count and not changed
    return round(1e3 * statistics.median(took[-rounds:]), 2)


def first_request_us(count: int) -> float:
    """From the report of a revision at zero to its decision, beside so many others."""
    revisions = Revisions()
    took = []
    for key in open_revisions(revisions, count)[:100]:
        revisions.put_to_zero(key)
        began_s = time.thread_time()
        (ticked,) = revisions.receive([(key, Stat("activator-6d9f7", 1.0, 0.0, 1.0))], START_S)
        took.append(time.thread_time() - began_s)
        assert ticked.changed() == [key]
    return round(1e6 * statistics.median(took), 1)


def record_us(count: int, rounds: int) -> float:
    """Taking one decoded report, of so many a second."""
    revisions = Revisions()
    keys = open_revisions(revisions, count)
    took = []
    for now_s in seconds(rounds):
        took_s = 0.0
        for reports in frames(keys, 10.5):
            began_s = time.thread_time()
            revisions.receive(reports, now_s)
            took_s += time.thread_time() - began_s
        took.append(took_s)
    return round(1e6 * statistics.median(took) / count, 2)


def decode_us(count: int, rounds: int) -> float:
    """Reading one report from a frame of many."""
    encoded = [
        encode_messages([(key.namespace, key.name, stat) for key, stat in reports])
        for reports in frames(names(count), 10.5)
    ]
    took = []
    for _ in range(rounds):
        began_s = time.thread_time()
        for frame in encoded:
            decode_report(frame)
        took.append(time.thread_time() - began_s)
    return round(1e6 * statistics.median(took) / count, 2)


def bytes_per_revision(count: int) -> float:
    """Resident memory of an idle revision that once had requests."""
    warm = Revisions()
    open_revisions(warm, 10)
    Ledger().ticked(warm.tick(START_S), START_S)
    before_mb = rss_mb(os.getpid())
    revisions, ledger = Revisions(), Ledger()
    keys = open_revisions(revisions, count)
    for reports in frames(keys, 1.0):
        revisions.receive(reports, START_S)
    now_s = START_S
    while revisions.lively:
        now_s += 2
        ledger.ticked(revisions.tick(now_s), now_s)
    del reports
    assert revisions.status(keys[-1])[0] == 0
    return round(2**20 * (rss_mb(os.getpid()) - before_mb) / count)


def open_revisions(revisions: Revisions, count: int, weighted: bool = False) -> list[Key]:
    """So many revisions with a pod each."""
    keys = names(count)
    for key in keys:
        revisions.collect(key, Collection(WINDOW_S, PANIC_S, weighted=weighted), START_S)
        revisions.open(key, TARGET, now_s=START_S, ready_pods=1)
    return keys


def names(count: int) -> list[Key]:
    return [Key("default", f"hello-{number:05}-00001") for number in range(count)]


def frames(keys: list[Key], concurrency: float) -> Iterator[Reports]:
    """One second's reports of all."""
    for start in range(0, len(keys), FRAME):
        yield [
            (key, Stat("activator-6d9f7", average_concurrent_requests=concurrency, request_count=2 * concurrency))
            for key in keys[start : start + FRAME]
        ]


def seconds(count: int) -> Iterator[float]:
    for passed_s in range(count):
        yield START_S + passed_s


if __name__ == "__main__":
    main()
