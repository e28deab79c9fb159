"""Idle connections to apps, kept for the next request. Knows when a connection became idle, not what it is.

Bounded per address and in all. Nothing here closes anything: what is over is returned to be closed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from activator.proxy.headers import Address

# spec dataplane 1.5
IDLE_PER_ADDRESS_MAX: Final = 100
IDLE_MAX: Final = 1000
IDLE_S: Final = 90.0


class Pooled(Protocol):
    @property
    def address(self) -> Address: ...


C = TypeVar("C", bound=Pooled)


class Pool(Generic[C]):
    """`len()` is the number of idle connections."""

    __slots__ = ("_idle", "_size", "idle_max", "idle_per_address_max", "idle_s")

    def __init__(
        self,
        *,
        idle_per_address_max: int = IDLE_PER_ADDRESS_MAX,
        idle_max: int = IDLE_MAX,
        idle_s: float = IDLE_S,
    ) -> None:
        self.idle_per_address_max = idle_per_address_max
        self.idle_max = idle_max
        self.idle_s = idle_s
        # Of each address: connections with the time since when, the longest idle first.
        self._idle: dict[Address, dict[C, float]] = {}
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def __repr__(self) -> str:
        counts = ", ".join(f"{host}:{port} {len(line)}" for (host, port), line in self._idle.items())
        return f"<Pool {counts or 'empty'}>"

    def take(self, address: Address) -> C | None:
        """A connection to `address`, the one that was used last; None if there is none."""
        line = self._idle.get(address)
        if line is None:
            return None
        connection, _ = line.popitem()
        self._size -= 1
        if not line:
            del self._idle[address]
        return connection

    def put(self, connection: C, now_s: float) -> bool:
        """Keep a connection that has become idle; false if there are enough, and it is to be closed."""
        if self._size >= self.idle_max:
            return False
        line = self._idle.get(connection.address)
        if line is None:
            self._idle[connection.address] = {connection: now_s}
        elif len(line) < self.idle_per_address_max:
            line[connection] = now_s
        else:
            return False
        self._size += 1
        return True

    def discard(self, connection: C) -> None:
        """Forget a connection that has closed; one that is not idle is not here, which is fine."""
        line = self._idle.get(connection.address)
        if line is not None and line.pop(connection, None) is not None:
            self._size -= 1
            if not line:
                del self._idle[connection.address]

    def drop(self, address: Address) -> list[C]:
        """Forget all connections to `address`; returns them to be closed."""
        line = self._idle.pop(address, None)
        if line is None:
            return []
        self._size -= len(line)
        return list(line)

    def sweep(self, now_s: float) -> list[C]:
        """Forget the connections that have been idle for too long; returns them to be closed."""
        since_s = now_s - self.idle_s
        old = []
        for line in self._idle.values():
            for connection, idle_since_s in line.items():
                if idle_since_s > since_s:
                    break
                old.append(connection)
        for connection in old:
            self.discard(connection)
        return old

    def clear(self) -> list[C]:
        """Forget all; returns them to be closed."""
        return [connection for address in list(self._idle) for connection in self.drop(address)]
