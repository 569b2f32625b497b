# SPDX-License-Identifier: Apache-2.0
"""A TCP port as a line: one client at a time, the others are told so."""

import ipaddress
import select
import socket
from collections import deque

from thermohw.errors import TransportError
from thermohw.instrument.stream import READ_BYTES

_TOLD = 8
"""Refused clients whose connections are kept until they have read why."""


class SocketStream:
    """A TCP connection."""

    def __init__(self, connection: socket.socket, name: str) -> None:
        self._socket, self._name = connection, name
        connection.setblocking(False)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    @property
    def name(self) -> str:
        """Get the client's address."""
        return self._name

    def fileno(self) -> int:
        """Get the socket's descriptor."""
        return self._socket.fileno()

    def read(self, count: int) -> bytes | None:
        """Read some bytes: none where the client has ended its side, None where nothing has arrived."""
        try:
            return self._socket.recv(min(count, READ_BYTES))
        except BlockingIOError:
            return None

    def write(self, data: memoryview) -> int:
        """Write some of the bytes; returns how many."""
        try:
            return self._socket.send(data)
        except BlockingIOError:
            return 0

    def hung_up(self) -> bool:
        """Get whether the client has ended its side, though bytes of it may still wait."""
        if not hasattr(select, "poll"):
            return False
        ended = getattr(select, "POLLRDHUP", 0) | select.POLLHUP | select.POLLERR
        poll = select.poll()
        poll.register(self._socket, ended)
        return any(event & ended for _, event in poll.poll(0))

    def refuse(self, reason: bytes) -> None:
        """Tell why, and end this side; the client's bytes are still taken, or a reset would overtake the reason."""
        try:
            self._socket.send(reason)
            self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it has gone already

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()


class TcpEndpoint:
    """A TCP port.

    Args:
        host: Address to listen at.
        port: Port; 0 takes one that is free.

    Raises:
        TransportError: The port cannot be had.
    """

    def __init__(self, host: str, port: int) -> None:
        try:
            self._socket = socket.create_server((host, port), family=_family(host), backlog=16)
        except (OSError, OverflowError) as error:
            raise TransportError(f"cannot listen at {host}:{port}: {error}") from error
        self._socket.setblocking(False)
        self._refused: deque[SocketStream] = deque()

    @property
    def url(self) -> str:
        """Get the URL that pyserial opens."""
        host, port = self._socket.getsockname()[:2]
        return f"socket://[{host}]:{port}" if ":" in host else f"socket://{host}:{port}"

    @property
    def loopback(self) -> bool:
        """Get whether only this machine can connect."""
        return ipaddress.ip_address(self._socket.getsockname()[0]).is_loopback

    @property
    def listener(self) -> socket.socket:
        """Get the listening socket."""
        return self._socket

    def connect(self) -> SocketStream | None:
        """Accept the next client; None if it has gone."""
        try:
            connection, address = self._socket.accept()
        except OSError:
            return None
        return SocketStream(connection, f"{address[0]}:{address[1]}")

    def refuse(self, stream: SocketStream, reason: bytes) -> None:
        """Tell a client why it cannot be served."""
        stream.refuse(reason)
        self._refused.append(stream)
        if len(self._refused) > _TOLD:
            self._refused.popleft().close()

    def close(self) -> None:
        """Close the port."""
        self._socket.close()
        while self._refused:
            self._refused.popleft().close()


def parse_address(text: str) -> tuple[str, int]:
    """Read `HOST:PORT`, `:PORT` or `PORT`; the host is this machine alone if it is not given.

    Raises:
        TransportError: It is none.
    """
    host, _, port = text.rpartition(":")
    if not (port.isascii() and port.isdigit() and int(port[:6]) < 2**16):
        raise TransportError(f"--tcp takes HOST:PORT such as 127.0.0.1:5025, a port from 0 to 65535; got {text!r}")
    return host.strip("[]") or "127.0.0.1", int(port)


def _family(host: str) -> socket.AddressFamily:
    return socket.AF_INET6 if ":" in host else socket.AF_INET
