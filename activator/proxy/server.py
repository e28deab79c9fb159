"""The proxy's listener and the connections it has. Knows sockets; what to do with a request the dispatcher knows."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import TYPE_CHECKING, Final

from activator.proxy.downstream import Downstream
from activator.proxy.hangups import Hangups
from activator.proxy.pool import IDLE_MAX, IDLE_PER_ADDRESS_MAX, IDLE_S, Pool
from activator.proxy.upstream import Upstream
from activator.proxy.upstreams import SWEEPS_PER_IDLE_TIME, Upstreams

if TYPE_CHECKING:
    import ssl

    from activator.proxy.dispatcher import Dispatcher
    from activator.proxy.headers import Address
    from activator.proxy.http2.downstream import Caller
    from activator.proxy.trust import Trust

# spec dataplane 1.5
HEAD_BYTES_MAX: Final = 1024 * 1024
HEAD_TIMEOUT_S: Final = 60.0
# Connections that the kernel may hold until we accept them: a burst's, for an instant.
BACKLOG: Final = 4096


class ProxyServer:
    """A reverse proxy for HTTP/1.1 and HTTP/2: every request goes to `dispatcher`, in the order of its connection.

    `trust`: what is believed about callers; None believes everybody and knows no PROXY protocol. `idle_timeout_s`: how
    long a caller's connection may be open without a request, and a tenth more; 0: for ever, as in the reference.
    """

    def __init__(
        self,
        dispatcher: Dispatcher,
        *,
        trust: Trust | None = None,
        head_bytes_max: int = HEAD_BYTES_MAX,
        headers_max: int = HEAD_BYTES_MAX,
        target_bytes_max: int = HEAD_BYTES_MAX,
        head_timeout_s: float = HEAD_TIMEOUT_S,
        idle_timeout_s: float = 0.0,
        idle_per_address_max: int = IDLE_PER_ADDRESS_MAX,
        idle_max: int = IDLE_MAX,
        idle_s: float = IDLE_S,
    ) -> None:
        self.dispatcher = dispatcher
        self.trust = trust
        self.head_bytes_max = head_bytes_max
        self.headers_max = headers_max
        self.target_bytes_max = target_bytes_max
        self.retiring = False
        self.draining = False
        pool: Pool[Upstream] = Pool(idle_per_address_max=idle_per_address_max, idle_max=idle_max, idle_s=idle_s)
        self.upstreams = Upstreams(pool)
        self.hangups = Hangups()
        self._head_timeout_s = head_timeout_s
        self._idle_timeout_s = idle_timeout_s
        self._idle_sweep: asyncio.TimerHandle | None = None
        self._listener: asyncio.Server | None = None
        self._port = 0
        self._connections: set[Downstream | Caller] = set()
        self._empty: asyncio.Event | None = None
        # Whose head is awaited, since when: the longest waiting first.
        self._awaited: dict[Downstream | Caller, float] = {}
        self._timer: asyncio.TimerHandle | None = None

    @property
    def listening_port(self) -> int:
        """The port, once `start` has returned; it stays known after `stop_accepting`."""
        return self._port

    @property
    def connections(self) -> int:
        """Open connections of callers."""
        return len(self._connections)

    async def start(self, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen; port 0 takes a free one. Raises `OSError` when the address cannot be had."""
        loop = asyncio.get_running_loop()
        # A socket of our own: the loop would start threads to look up the address, some milliseconds of a cold start.
        listening = socket.create_server(
            (host, port), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=BACKLOG
        )
        self._listener = await loop.create_server(self._protocol, sock=listening, backlog=BACKLOG, ssl=tls)
        self._port = self._listener.sockets[0].getsockname()[1]

    def _protocol(self) -> asyncio.Protocol:
        downstream = Downstream(self)
        if self.trust is None or not self.trust.announced:
            return downstream
        from activator.proxy.announced import Announced  # not above: no queue-proxy needs it

        return Announced(downstream, self.trust)

    def prepare_http2(self) -> None:
        """Load what HTTP/2 takes, which the first who speaks it would have to wait for otherwise."""
        import activator.proxy.http2.downstream
        import activator.proxy.http2.shared  # noqa: F401

    def stop_accepting(self) -> None:
        """No new connections; those that are open go on."""
        if self._listener is not None:
            self._listener.close()
            self._listener = None

    def retire(self) -> None:
        """From now on each answer is the last of its connection, and says so: callers move elsewhere by themselves."""
        self.retiring = True
        for connection in list(self._connections):
            connection.retire()

    async def drain(self, deadline_s: float, *, tunnels_s: float | None = None) -> None:
        """Let what is in progress finish for `deadline_s` at most, tunnels for `tunnels_s`; then close everything."""
        if not self.retiring:
            self.retire()
        self.draining = True
        if tunnels_s is not None:
            asyncio.get_running_loop().call_later(tunnels_s, self._cut_tunnels)
        for connection in list(self._connections):
            connection.drain()
        if self._connections:
            self._empty = asyncio.Event()
            try:
                async with asyncio.timeout(deadline_s):
                    await self._empty.wait()
            except TimeoutError:
                pass  # what is still open has had its time
        self.close()

    def _cut_tunnels(self) -> None:
        for connection in list(self._connections):
            connection.cut_tunnel()

    def drop(self, address: Address) -> None:
        """Close the idle connections to `address`: nothing is to be sent there any more."""
        self.upstreams.drop(address)

    def close(self) -> None:
        """Close everything at once."""
        self.stop_accepting()
        self.draining = True
        for connection in list(self._connections):
            connection.abort()
        self.upstreams.close()
        self.hangups.close()
        self._awaited.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._idle_sweep is not None:
            self._idle_sweep.cancel()
            self._idle_sweep = None

    # For the connections.

    def joined(self, connection: Downstream | Caller) -> None:
        self._connections.add(connection)
        if self._idle_timeout_s and self._idle_sweep is None:
            self._arm_idle_sweep()

    def left(self, connection: Downstream | Caller) -> None:
        self._connections.discard(connection)
        self._awaited.pop(connection, None)
        if self._empty is not None and not self._connections:
            self._empty.set()

    def awaits_head(self, connection: Downstream | Caller) -> None:
        """A head has to come whole within the time limit from now; an idle connection may stay."""
        self._awaited[connection] = time.monotonic()
        if self._timer is None:
            self._arm()

    def has_head(self, connection: Downstream | Caller) -> None:
        self._awaited.pop(connection, None)

    def _arm_idle_sweep(self) -> None:
        delay_s = self._idle_timeout_s / SWEEPS_PER_IDLE_TIME
        self._idle_sweep = asyncio.get_running_loop().call_later(delay_s, self._sweep_idle)

    def _sweep_idle(self) -> None:
        self._idle_sweep = None
        now_s = time.monotonic()
        for connection in list(self._connections):
            connection.close_if_idle(now_s, self._idle_timeout_s)
        if self._connections:
            self._arm_idle_sweep()

    def _arm(self) -> None:
        first_s = next(iter(self._awaited.values()))
        # A little late rather than early: an event loop rounds timers.
        delay_s = max(0.0, first_s + self._head_timeout_s - time.monotonic()) + 0.001
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._close_late)

    def _close_late(self) -> None:
        self._timer = None
        since_s = time.monotonic() - self._head_timeout_s
        while self._awaited:
            connection, awaited_s = next(iter(self._awaited.items()))
            if awaited_s > since_s:
                self._arm()
                return
            del self._awaited[connection]
            connection.transport.close()
