"""Loopback addresses: one per instance with PostgreSQL's own port, where the system allows it.

On Linux all of 127/8 is local. Each local cloud leases one /16 of it by holding a listening
socket, so that two of them on a machine never meet. Elsewhere there is one address, and every
instance gets a free port of its own.
"""

from __future__ import annotations

import socket
import threading
from dataclasses import dataclass

from localcloud.errors import LocalCloudError

POSTGRES_PORT = 5432
_BLOCKS = range(80, 240)
_PER_BLOCK = 250 * 250


@dataclass(frozen=True, slots=True)
class Address:
    """Where one listener is."""

    host: str
    port: int


class Addresses:
    """Hands out addresses; an address is not used again while it is held."""

    def __init__(self, *, one_address: bool = False) -> None:
        self._lock = threading.Lock()
        self._held: set[Address] = set()
        self._next = 0
        self._lease, self._block = (None, 0) if one_address else _lease_block()

    @property
    def many(self) -> bool:
        """Tell whether every instance has an address of its own."""
        return self._lease is not None

    def take(self, port: int = POSTGRES_PORT) -> Address:
        """Return an address nobody listens on, at ``port`` where addresses are many."""
        with self._lock:
            for _ in range(_PER_BLOCK):
                address = self._candidate(port)
                if address not in self._held and _free(address):
                    self._held.add(address)
                    return address
        raise LocalCloudError("No free loopback address is left.")

    def retake(self, address: Address) -> Address:
        """Return the same address when it is this local cloud's to give, or another one."""
        own = address.host.startswith(f"127.{self._block}.") if self.many else True
        with self._lock:
            if own and address not in self._held and _free(address):
                self._held.add(address)
                return address
        return self.take(address.port)

    def give_back(self, address: Address) -> None:
        """Let an address be used again."""
        with self._lock:
            self._held.discard(address)

    def close(self) -> None:
        """End the lease."""
        if self._lease:
            self._lease.close()

    def _candidate(self, port: int) -> Address:
        if not self.many:
            return Address("127.0.0.1", _any_port())
        self._next = (self._next + 1) % _PER_BLOCK
        third, fourth = divmod(self._next, 250)
        return Address(f"127.{self._block}.{third}.{fourth + 1}", port)


def _lease_block() -> tuple[socket.socket | None, int]:
    for block in _BLOCKS:
        holder = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            holder.bind((f"127.{block}.255.254", POSTGRES_PORT))
            holder.listen(1)
        except OSError:
            holder.close()
            continue
        return holder, block
    return None, 0


def _free(address: Address) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return False
    return True


def _any_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
