# SPDX-License-Identifier: Apache-2.0
"""Devices behind real lines of this machine, for tests of both ends: a pseudo-terminal, TCP, RFC 2217."""

import select
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any

from serial.rfc2217 import PortManager
from serial.urlhandler.protocol_socket import Serial as SocketSerial

from thermohw.device import ThermodynamicDevice
from thermohw.instrument import Server, TcpEndpoint, TerminalEndpoint


@contextmanager
def served(device: ThermodynamicDevice, line: str = "tcp", **settings: Any) -> Generator[str]:
    """Serve a device on a line of a kind, `tcp`, `pty` or `rfc2217`; gives what to connect to."""
    with device:
        endpoint = TerminalEndpoint(None) if line == "pty" else TcpEndpoint("127.0.0.1", 0)
        server = Server(device, endpoint, **settings)
        thread = threading.Thread(target=server.serve, daemon=True)
        thread.start()
        try:
            if line == "rfc2217":
                with network_port(server.url) as url:
                    yield url
            else:
                yield server.url
        finally:
            server.stop()
            thread.join(20)
            assert not thread.is_alive()


class PortOfSocket(SocketSerial):
    """A socket that passes for a serial port with modem lines, which RFC 2217 asks about."""

    _socket: socket.socket

    cts = dsr = ri = cd = property(lambda self: True)  # pyright: ignore[reportIncompatibleMethodOverride, reportAssignmentType]

    def arrived(self) -> bytes:
        """Get what has arrived, after a short while if there is nothing; closing the line is an error."""
        ready, _, _ = select.select([self._socket], [], [], 0.02)
        data: bytes = self._socket.recv(65536) if ready else b""
        if ready and not data:
            raise ConnectionResetError("the instrument has left")
        return data

    def _update_break_state(self) -> None: ...
    def _update_rts_state(self) -> None: ...
    def _update_dtr_state(self) -> None: ...


@contextmanager
def network_port(url: str) -> Generator[str]:
    """Offer a line at a `socket://` URL as a serial port on the network, to one client after another."""
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, suppress(OSError):
                _pass_on(client, url)

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield f"rfc2217://127.0.0.1:{listener.getsockname()[1]}?ign_set_control"
    finally:
        stopped.set()
        with suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join(10)


class _Connection:
    """What a `PortManager` writes to: the client's socket, one writer at a time."""

    def __init__(self, client: socket.socket) -> None:
        self.client, self.lock = client, threading.Lock()

    def write(self, data: bytes) -> None:
        with self.lock:
            self.client.sendall(data)


def _pass_on(client: socket.socket, url: str) -> None:
    """Pass bytes both ways until the client leaves."""
    port: Any = PortOfSocket(url, timeout=0.02)
    connection: Any = _Connection(client)
    manager: Any = PortManager(port, connection)
    gone = threading.Event()

    def from_instrument() -> None:
        while not gone.is_set():
            try:
                if data := port.arrived():
                    connection.write(b"".join(manager.escape(data)))
            except OSError:
                gone.set()

    reader = threading.Thread(target=from_instrument, daemon=True)
    reader.start()
    with suppress(OSError):
        while data := client.recv(65536):
            port.write(b"".join(manager.filter(data)))
    gone.set()
    reader.join(10)
    port.close()
