# SPDX-License-Identifier: Apache-2.0
"""Instruments on real lines: pseudo-terminals and TCP, clients that come, go, crash and crowd."""

import contextlib
import os
import socket
import struct
import threading
from collections.abc import Generator
from pathlib import Path

import numpy as np
import pytest
from instrument_bench import LOAD, PATIENCE, PROGRAM, HeldDevice, until

from thermohw import RunPlan, SimulatedDevice
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceStateError, StorageError, TransportError
from thermohw.instrument import FaultRates, Server, TcpEndpoint, TerminalEndpoint, parse_address
from thermohw.protocol import SampleLayout, unpack_samples
from thermohw.transport import SerialTransport, block, seal, unseal, with_checksum

EVERY_BYTE = bytes(range(256)) * 80
REFUSAL = b'-221,"Settings conflict; another client is connected"'


@contextlib.contextmanager
def served(
    endpoint: TerminalEndpoint | TcpEndpoint,
    device: ThermodynamicDevice | None = None,
    faults: FaultRates | None = None,
) -> Generator[Server]:
    served_device = device or SimulatedDevice()
    server = Server(served_device, endpoint, faults=faults)
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        yield server
    finally:
        server.stop()
        thread.join(PATIENCE)
        assert not thread.is_alive()
        with pytest.raises(DeviceStateError, match="closed"):
            served_device.program(PROGRAM)


def tcp() -> TcpEndpoint:
    return TcpEndpoint("127.0.0.1", 0)


@contextlib.contextmanager
def client(server: Server) -> Generator[SerialTransport]:
    with contextlib.closing(SerialTransport(server.url)) as line:
        yield line


@contextlib.contextmanager
def plain_socket(server: Server) -> Generator[socket.socket]:
    host, _, port = server.url.removeprefix("socket://").rpartition(":")
    with socket.create_connection((host, int(port)), timeout=PATIENCE) as connection:
        yield connection


def ask(line: SerialTransport, message: bytes) -> bytes:
    line.write(message + b"\n")
    return line.read_line(PATIENCE)


def read_block(line: SerialTransport) -> bytes:
    assert line.read_exactly(1, PATIENCE) == b"#"
    digits = int(line.read_exactly(1, PATIENCE))
    payload = line.read_exactly(int(line.read_exactly(digits, PATIENCE)), PATIENCE)
    assert line.read_line(PATIENCE) == b""
    return payload


def receive_all(connection: socket.socket) -> bytes:
    received = b""
    while piece := connection.recv(2**16):
        received += piece
    return received


@pytest.fixture(params=["pty", "pty with a link", "tcp"])
def endpoint(request: pytest.FixtureRequest, tmp_path: Path) -> TerminalEndpoint | TcpEndpoint:
    if request.param == "tcp":
        return tcp()
    return TerminalEndpoint(tmp_path / "board" if "link" in request.param else None)


def test_any_byte_passes_both_ways(endpoint: TerminalEndpoint | TcpEndpoint) -> None:
    with SimulatedDevice() as device:
        device.program(PROGRAM)
        expected = device.run(RunPlan(1.0, 2000, seed=0))
    with served(endpoint) as server, client(server) as line:
        assert ask(line, b"UPL:DATA 0," + block(with_checksum(EVERY_BYTE)) + b";:SYST:ERR?") == b'0,"No error"'
        assert ask(line, LOAD + b";:RUN:SAMP 2000;:INIT;*OPC?") == b"1"
        line.write(b"FETC? 0,2000\n")
        fetched = unpack_samples(read_block(line), 1, 0, 2000, SampleLayout(3, PROGRAM.units, 0))
        np.testing.assert_array_equal(fetched["states"], expected.states)


def test_a_terminal_is_raw_for_a_client_that_does_not_care() -> None:
    with served(TerminalEndpoint(None)) as server:
        terminal = os.open(server.url, os.O_RDWR | os.O_NOCTTY)
        try:
            sent = memoryview(b"UPL:DATA 0," + block(with_checksum(EVERY_BYTE)) + b"\n*IDN?\n")
            while sent:
                sent = sent[os.write(terminal, sent) :]
            answer = b""
            while not answer.endswith(b"\n"):
                answer += os.read(terminal, 100)
            assert answer.startswith(b"thermohw,ideal,") and answer.count(b"\n") == 1
        finally:
            os.close(terminal)


def test_a_block_may_be_written_before_a_large_reply_is_read(endpoint: TerminalEndpoint | TcpEndpoint) -> None:
    payload = with_checksum(bytes(3_000_000))
    with served(endpoint) as server, client(server) as line:
        assert ask(line, LOAD + b";:RUN:SAMP 20000;:INIT;*OPC?") == b"1"
        line.write(b"FETC? 0,20000\nUPL:DATA 0," + block(payload) + b";:SYST:ERR?\n")
        assert len(read_block(line)) > 1_000_000
        assert line.read_line(PATIENCE) == b'0,"No error"'


def test_a_second_client_is_told_and_the_first_served_on() -> None:
    with served(tcp()) as server, client(server) as line:
        assert ask(line, b"*TST?") == b"0"
        for _ in range(12):
            with plain_socket(server) as second:
                second.sendall(b"*IDN?\n" * 100)
                assert receive_all(second) == REFUSAL + b"\n"
        assert ask(line, b"*TST?") == b"0"


@pytest.mark.parametrize("reset", [False, True])
def test_a_client_may_crash_in_the_middle_of_anything_and_the_next_is_served(reset: bool) -> None:
    with served(tcp()) as server:
        for broken in (b"PROG:DATA #3300abc", b"RUN:SEED 7\n*ID", b"SYST:CAP?\n" * 2000, seal(b"SYST:CHEC ON", 1)):
            with plain_socket(server) as crashing:
                crashing.sendall(broken)
                if reset:  # closing sends a reset, as a killed machine's network stack may
                    crashing.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with client(server) as line:
                assert ask(line, b"SYST:CHEC?") == b"0"


def test_a_run_outlives_the_client_that_started_it() -> None:
    device = HeldDevice()
    with served(tcp(), device) as server:
        with client(server) as line:
            assert ask(line, LOAD + b";:RUN:SAMP 6;:INIT 77;:RUN:SEED?") == b"0"
        device.gate.set()
        with client(server) as line:
            assert ask(line, b"*OPC?;:RUN:PROG?") == b"1;77,DONE,6,6"
            line.write(b"FETC? 0,6\n")
            assert len(unpack_samples(read_block(line), 77, 0, 6, SampleLayout(3, PROGRAM.units, 0))["heat"]) == 6


def test_a_client_that_only_listens_any_more_is_answered_to_the_end() -> None:
    device = HeldDevice()
    with served(tcp(), device) as server, plain_socket(server) as connection:
        connection.sendall(LOAD + b"\nINIT;*OPC?\n*IDN?\n")
        connection.shutdown(socket.SHUT_WR)
        until(lambda: device.began == 1)
        device.gate.set()
        assert receive_all(connection).endswith(b"protocol 1.0\n1\n")


def test_a_client_that_only_listens_any_more_makes_way_for_the_next() -> None:
    device = HeldDevice()
    with served(tcp(), device) as server, plain_socket(server) as listening:
        listening.sendall(LOAD + b"\nINIT;*OPC?\n")
        listening.shutdown(socket.SHUT_WR)
        until(lambda: device.began == 1)
        with client(server) as line:
            assert ask(line, b"*TST?") == b"0"
        assert receive_all(listening) == b""


def test_a_line_that_falls_silent_is_dropped_and_service_goes_on(endpoint: TerminalEndpoint | TcpEndpoint) -> None:
    with served(endpoint) as server, client(server) as line:
        sealed = unseal(ask(line, seal(b"SYST:CHEC ON", 1)[:-1]))
        assert sealed is not None and sealed.message == b"OK"
        line.write(b"PROG:DATA #9100000000\n" + seal(b"*IDN?", 2))
        sealed = unseal(line.read_line(PATIENCE))
        assert sealed is not None and sealed.tag == 0 and b"-361" in sealed.message
        sealed = unseal(ask(line, seal(b"*TST?", 3)[:-1]))
        assert sealed is not None and sealed.message == b"0"


def test_a_terminal_keeps_its_line_for_the_next_client() -> None:
    with served(TerminalEndpoint(None)) as server:
        for _ in range(3):
            with client(server) as line:
                assert ask(line, b"*TST?") == b"0"


# Links


def test_a_link_leads_to_the_terminal_while_it_is_there(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with served(TerminalEndpoint(link)) as server:
        assert server.url == str(link)
        with open(link, "rb+", buffering=0) as terminal:
            assert os.ttyname(terminal.fileno()) == os.readlink(link)
    assert not os.path.lexists(link)


def test_a_link_that_was_left_behind_is_replaced(tmp_path: Path) -> None:
    link = tmp_path / "board"
    link.symlink_to("/dev/pts/99999")
    with served(TerminalEndpoint(link)):
        assert link.is_char_device()
    assert list(tmp_path.iterdir()) == []


def test_nothing_else_is_replaced(tmp_path: Path) -> None:
    file, elsewhere, dangling = tmp_path / "file", tmp_path / "elsewhere", tmp_path / "dangling"
    file.write_text("measured")
    elsewhere.symlink_to(file)
    dangling.symlink_to(tmp_path / "gone")
    for there in (file, elsewhere, dangling, tmp_path):
        with pytest.raises(StorageError, match="no link to a pseudo-terminal"):
            TerminalEndpoint(there)
    with pytest.raises(StorageError, match="cannot link"):
        TerminalEndpoint(tmp_path / "nowhere" / "board")
    assert file.read_text() == "measured"
    with served(TerminalEndpoint(tmp_path / "board")), pytest.raises(StorageError, match="in use"):
        TerminalEndpoint(tmp_path / "board")


def test_a_link_that_somebody_else_made_is_left_alone(tmp_path: Path) -> None:
    link = tmp_path / "board"
    with served(TerminalEndpoint(link)):
        link.unlink()
        link.write_text("mine")
    assert link.read_text() == "mine"


# Disconnects


def test_after_a_disconnect_a_terminal_is_found_behind_the_same_link(tmp_path: Path) -> None:
    endpoint = TerminalEndpoint(tmp_path / "board")
    first = endpoint.connect()
    held = os.open(endpoint.url, os.O_RDWR | os.O_NOCTTY)
    try:
        first.close()
        with pytest.raises(OSError, match="Input/output error"):
            os.write(held, b"*IDN?\n")
        second = endpoint.connect()
        assert os.readlink(endpoint.url) == second.name
        second.close()
    finally:
        os.close(held)
        endpoint.close()


@pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)  # pyserial leaves sockets that broke open
def test_a_line_that_breaks_now_and_then_can_be_opened_again(endpoint: TerminalEndpoint | TcpEndpoint) -> None:
    broken = 0
    with served(endpoint, faults=FaultRates(disconnects=0.05)) as server:
        while broken < 3:
            with contextlib.suppress(TransportError), client(server) as line:
                try:
                    while ask(line, b"*TST?") == b"0":
                        pass
                except TransportError:
                    broken += 1


# Addresses


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("5025", ("127.0.0.1", 5025)),
        (":0", ("127.0.0.1", 0)),
        ("0.0.0.0:1", ("0.0.0.0", 1)),
        ("[::1]:65535", ("::1", 65535)),
    ],
)
def test_addresses_are_read(text: str, address: tuple[str, int]) -> None:
    assert parse_address(text) == address


@pytest.mark.parametrize("text", ["", "host", "host:", "host:65536", "host:-1", ":5e3", "99999999999"])
def test_what_is_no_address_is_refused(text: str) -> None:
    with pytest.raises(TransportError, match="HOST:PORT"):
        parse_address(text)


def test_a_port_that_is_taken_is_said_so() -> None:
    taken = tcp()
    with pytest.raises(TransportError, match="cannot listen"):
        TcpEndpoint("127.0.0.1", int(taken.url.rpartition(":")[2]))
    taken.close()
    with pytest.raises(TransportError, match="cannot listen"):
        TcpEndpoint("no such host", 0)
