"""Unary gRPC calls through one queue-proxy, HTTP/2 on both sides, on a core of its own; app and load are on another.

`grpc_rps`: calls per second, the median of the rounds; app and load may be what limits them. `grpc_cpu_us`: CPU time
of the queue-proxy for each, and `grpc_rps_per_core` what that makes of a core. `h2_cpu_us`: what the h2 library takes
for the frames of one call alone, two connections of it back to back, without sockets or a proxy around them.
"""

from __future__ import annotations

import argparse
import os
import random
import re
import shutil
import statistics
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import h2.config
import h2.connection
import h2.events
import orjson

from bench.grpc_parties import CALL, HOST, MESSAGE, PATH, RESPONSE, TRAILERS
from bench.proxy import queue_proxy_environ, run_pinned, running
from bench.report import report
from swell.testing.peers import free_port
from swell.testing.processes import cpu_s

H2C_PORT = 8013
CONNECTIONS = 4
STREAMS = 25
LIBRARY_CALLS = 3000


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(prog="python -m bench.grpc", description=__doc__)
    parser.add_argument("--seconds", type=float, default=2.0, help="length of one measurement")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    report(measure(options.seconds, options.rounds), as_json=options.json)


def measure(seconds: float, rounds: int) -> dict[str, float]:
    """Calls per second and CPU time for each."""
    app_port = free_port()
    pod_ip = f"127.{random.randint(64, 127)}.{random.randint(0, 255)}.{random.randint(2, 254)}"
    cores = sorted(os.sched_getaffinity(0))
    rates, cpu, errors = [], [], 0
    with ExitStack() as stack:
        app = [sys.executable, "-m", "bench.grpc_parties", "app", str(app_port)]
        stack.enter_context(running(cores[-1], app))
        queue_proxy = [sys.executable, "-m", "activator.queueproxy"]
        environ = queue_proxy_environ(pod_ip, H2C_PORT, app_port)
        pid = stack.enter_context(running(cores[0], queue_proxy, environ, (pod_ip, H2C_PORT)))
        message = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="swell-bench-"))) / "message"
        message.write_bytes(MESSAGE)
        for number in range(rounds + 1):
            before_s, began_s = cpu_s(pid), time.perf_counter()
            calls_s, failed = put_load(cores[-1], pod_ip, seconds if number else 1.0, message)
            errors += failed
            if number:  # the first round only warms up
                rates.append(calls_s)
                cpu.append(1e6 * (cpu_s(pid) - before_s) / (calls_s * (time.perf_counter() - began_s)))
    cpu_us = statistics.median(cpu)
    return {
        "grpc_rps": round(statistics.median(rates)),
        "grpc_rps_per_core": round(1e6 / cpu_us),
        "grpc_cpu_us": round(cpu_us, 1),
        "h2_cpu_us": round(library_us(), 1),
        "grpc_errors": errors,
    }


def put_load(core: int, host: str, seconds: float, message: Path) -> tuple[float, int]:
    """Calls per second, and how many failed."""
    h2load = shutil.which("h2load")
    if h2load is None:
        module = [sys.executable, "-m", "bench.grpc_parties", "load", host, str(H2C_PORT), str(CONNECTIONS)]
        answer = orjson.loads(run_pinned(core, [*module, str(STREAMS), str(seconds)]))
        return answer["requests_s"], answer["errors"]
    command = [h2load, f"-c{CONNECTIONS}", f"-m{STREAMS}", f"-D{max(1, round(seconds))}", f"-d{message}"]
    command += [
        part for name, value in CALL if name[:1] != b":" for part in ("-H", f"{name.decode()}: {value.decode()}")
    ]
    output = run_pinned(core, [*command, "-H", f":authority: {HOST}", f"http://{host}:{H2C_PORT}{PATH}"])
    rate, failed = re.search(r"([0-9.]+) req/s", output), re.search(r"(\d+) failed, (\d+) errored", output)
    assert rate is not None and failed is not None, output
    return float(rate[1]), int(failed[1]) + int(failed[2])


def library_us() -> float:
    """CPU time that h2 takes to receive a call and send it on, and back."""
    client, inner = _connected()
    outer, app = _connected()
    spent_s = 0.0
    for _ in range(LIBRARY_CALLS):
        stream = client.get_next_available_stream_id()
        client.send_headers(stream, CALL)
        client.send_data(stream, MESSAGE, end_stream=True)
        data, began_s = client.data_to_send(), time.process_time()
        sent = _relay(inner, outer, data, None)
        spent_s += time.process_time() - began_s
        app.receive_data(sent)
        app.send_headers(stream, RESPONSE)
        app.send_data(stream, MESSAGE)
        app.send_headers(stream, TRAILERS, end_stream=True)
        app.increment_flow_control_window(len(MESSAGE))
        data, began_s = app.data_to_send(), time.process_time()
        sent = _relay(outer, inner, data, stream)
        spent_s += time.process_time() - began_s
        client.receive_data(sent)
        client.increment_flow_control_window(len(MESSAGE))
    return 1e6 * spent_s / LIBRARY_CALLS


def _connected() -> tuple[h2.connection.H2Connection, h2.connection.H2Connection]:
    """Both ends of a connection whose settings are exchanged; with all checks off that can be."""
    checks = ("validate_inbound_headers", "validate_outbound_headers", "normalize_inbound_headers")
    off: dict[str, Any] = dict.fromkeys((*checks, "normalize_outbound_headers"), False)
    ends = [
        h2.connection.H2Connection(h2.config.H2Configuration(client_side=side, header_encoding=None, **off))
        for side in (True, False)
    ]
    for end in ends:
        end.initiate_connection()
    for _ in range(2):
        for one, other in (ends, ends[::-1]):
            other.receive_data(one.data_to_send())
    return ends[0], ends[1]


def _relay(
    source: h2.connection.H2Connection, target: h2.connection.H2Connection, data: bytes, stream: int | None
) -> bytes:
    """Pass on what came from one side; `stream` is the other side's, None for a new one."""
    for event in source.receive_data(data):
        if isinstance(event, h2.events.RequestReceived):
            stream = target.get_next_available_stream_id()
            target.send_headers(stream, event.headers)
        elif isinstance(event, h2.events.ResponseReceived):
            assert stream is not None
            target.send_headers(stream, event.headers)
        elif isinstance(event, h2.events.DataReceived):
            assert stream is not None
            source.increment_flow_control_window(event.flow_controlled_length)
            target.send_data(stream, event.data, end_stream=event.stream_ended is not None)
        elif isinstance(event, h2.events.TrailersReceived):
            assert stream is not None
            target.send_headers(stream, event.headers, end_stream=True)
    return target.data_to_send()


if __name__ == "__main__":
    main()
