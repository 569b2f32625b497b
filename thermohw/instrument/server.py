# SPDX-License-Identifier: Apache-2.0
"""Serves an instrument to one client at a time, from one thread that never waits for a single one of them."""

import contextlib
import logging
import selectors
import socket
import time

from thermohw.device import ThermodynamicDevice
from thermohw.instrument.connection import Connection, faults_of
from thermohw.instrument.faults import FaultRates
from thermohw.instrument.instrument import LIMITS, Instrument
from thermohw.instrument.stream import Stream
from thermohw.instrument.tcp import TcpEndpoint
from thermohw.instrument.terminal import TerminalEndpoint
from thermohw.protocol import LineLimits

REFUSAL = b'-221,"Settings conflict; another client is connected"\n'
"""What a second client is told."""

_IDLE = 60.0

_log = logging.getLogger(__name__)


class Server:
    """An instrument at an endpoint.

    Args:
        device: What the instrument is made of; it is closed at the end.
        endpoint: Where clients reach it; closed at the end, too.
        baud: Speed of the line, bits a second both ways; None: as fast as it goes.
        faults: Faults of the line; None: none.
        fault_seed: Of the faults.
        limits: What goes over the line.
    """

    def __init__(
        self,
        device: ThermodynamicDevice,
        endpoint: TerminalEndpoint | TcpEndpoint,
        *,
        baud: int | None = None,
        faults: FaultRates | None = None,
        fault_seed: int = 0,
        limits: LineLimits = LIMITS,
    ) -> None:
        self._endpoint = endpoint
        self._baud = baud
        self._stopping = False
        self._woken, self._waker = socket.socketpair()
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        self._instrument = Instrument(device, limits, self.wake)
        self._faults = faults_of(faults, fault_seed, time.monotonic())
        self._connection: Connection | None = None
        self._selector = selectors.DefaultSelector()
        self._watched = 0  # events for which the connection's line is watched

    @property
    def url(self) -> str:
        """Get what a client opens."""
        return self._endpoint.url

    def stop(self) -> None:
        """Make `serve` return; from any thread, or from a signal's handler."""
        self._stopping = True
        self.wake()

    def wake(self) -> None:
        """Make `serve` look around; from any thread."""
        with contextlib.suppress(OSError):  # full: it wakes up anyway; closed: it has ended
            self._waker.send(b"\0")

    def serve(self) -> bool:
        """Serve clients until `stop`; then close endpoint and device.

        Returns whether the device had ended its run in time.
        """
        try:
            self._selector.register(self._woken, selectors.EVENT_READ)
            if isinstance(self._endpoint, TcpEndpoint):
                self._selector.register(self._endpoint.listener, selectors.EVENT_READ)
            while not self._stopping:
                self._turn()
        finally:
            released = self._close()
        return released

    def _turn(self) -> None:
        """Wait for something to happen, and see to it."""
        now = time.monotonic()
        connection = self._connection
        if connection is None and isinstance(self._endpoint, TerminalEndpoint):
            connection = self._take(self._endpoint.connect(), now)
        timeout = _IDLE
        if connection is not None:
            self._watch(connection, connection.events(now))
            wake_at = connection.wake_at(now)
            timeout = _IDLE if wake_at is None else max(0.0, min(_IDLE, wake_at - now))
        events = {key.fd: mask for key, mask in self._selector.select(timeout)}
        self._hear(events)
        if connection is not None:
            self._proceed(connection, events.get(connection.stream.fileno(), 0))
        if isinstance(self._endpoint, TcpEndpoint) and self._endpoint.listener.fileno() in events:
            self._accept(self._endpoint)

    def _watch(self, connection: Connection, mask: int) -> None:
        """Watch a client's line for some events from now on; 0: for none."""
        if mask != self._watched:
            if self._watched:
                self._selector.unregister(connection.stream)
            if mask:
                self._selector.register(connection.stream, mask)
            self._watched = mask

    def _hear(self, events: dict[int, int]) -> None:
        if self._woken.fileno() in events:
            with contextlib.suppress(BlockingIOError):
                self._woken.recv(4096)

    def _proceed(self, connection: Connection, ready: int) -> None:
        now = time.monotonic()
        try:
            if connection.breaks(now):
                raise ConnectionResetError("a fault of the line")
            connection.proceed(ready, now)
        except OSError as error:
            self._drop(f"broke: {error}")
            return
        if connection.over:
            self._drop("ended")

    def _accept(self, endpoint: TcpEndpoint) -> None:
        stream = endpoint.connect()
        if stream is None:
            return
        current = self._connection
        if current is not None and (current.ended or current.stream.hung_up()):
            self._drop("ended")
        if self._connection is not None:
            _log.info("%s refused: another client is connected", stream.name)
            endpoint.refuse(stream, REFUSAL)
            return
        self._take(stream, time.monotonic())

    def _take(self, stream: Stream, now: float) -> Connection:
        self._connection = Connection(stream, self._instrument, self._baud, self._faults, now)
        _log.info("%s connected", stream.name)
        return self._connection

    def _drop(self, why: str) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            _log.info("%s %s", connection.stream.name, why)
            self._watch(connection, 0)
            connection.stream.close()

    def _close(self) -> bool:
        self._drop("closed")
        self._endpoint.close()
        released = self._instrument.close()
        self._selector.close()
        self._waker.close()
        self._woken.close()
        return released
