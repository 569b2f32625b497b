# SPDX-License-Identifier: Apache-2.0
"""Streams with deadlines, on a real pseudo-terminal and a real socket; blocks; checked lines."""

import os
import socket
import threading
import time
import tty
import zlib
from collections.abc import Callable, Generator
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw.errors import ProtocolError, TransportError, TransportTimeout
from thermohw.transport import SerialTransport, block, seal, stream, unseal, with_checksum, without_checksum
from thermohw.transport.checked_lines import Sealed

EVERY_BYTE = bytes(range(256))


class Peer:
    """The other end of a line."""

    def __init__(self, send: Callable[[bytes], object], receive: Callable[[int], bytes], hang_up: Callable[[], None]):
        self.send, self.receive, self.hang_up = send, receive, hang_up

    def receive_exactly(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            data += self.receive(count - len(data))
        return data


@pytest.fixture(params=["pty", "socket"])
def line(request: pytest.FixtureRequest) -> Generator[tuple[SerialTransport, Peer]]:
    if request.param == "pty":
        master, slave = os.openpty()
        tty.setraw(slave)
        transport = SerialTransport(os.ttyname(slave))

        def hang_up() -> None:
            os.close(slave)
            os.close(master)

        peer = Peer(lambda data: os.write(master, data), lambda count: os.read(master, count), hang_up)
    else:
        listener = socket.create_server(("127.0.0.1", 0))
        transport = SerialTransport(f"socket://127.0.0.1:{listener.getsockname()[1]}")
        connection, _ = listener.accept()
        listener.close()
        peer = Peer(connection.sendall, connection.recv, connection.close)
    yield transport, peer
    transport.close()
    transport.close()
    with suppress(OSError):
        peer.hang_up()


def test_every_byte_passes_both_ways(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line
    transport.write(EVERY_BYTE)
    assert peer.receive_exactly(256) == EVERY_BYTE
    peer.send(EVERY_BYTE + b"\n")
    assert transport.read_exactly(256, 1.0) == EVERY_BYTE
    assert transport.read_line(1.0) == b""


def test_lines_and_counts_share_what_has_arrived(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line
    peer.send(b"one\ntwo\n#13a\nb\nfour\n")
    assert transport.read_line(1.0) == b"one"
    assert transport.read_exactly(4, 1.0) == b"two\n"
    assert transport.read_exactly(6, 1.0) == b"#13a\nb"
    assert transport.read_line(1.0) == b""
    assert transport.read_line(1.0) == b"four"


def test_silence_is_an_error_that_says_what_had_arrived(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line
    peer.send(b"abc")
    for read in (lambda: transport.read_exactly(5, 0.15), lambda: transport.read_line(0.15)):
        started = time.monotonic()
        with pytest.raises(TransportTimeout, match=r"silent for 0\.15 s before .*; 3 bytes had arrived: b'abc'"):
            read()
        assert 0.15 <= time.monotonic() - started < 1.0
    assert transport.read_exactly(3, 0.1) == b"abc"  # what had arrived is not lost


def test_the_deadline_is_of_silence_not_of_the_whole(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line

    def trickle() -> None:
        for byte in b"slow\n":
            time.sleep(0.1)
            peer.send(bytes([byte]))

    thread = threading.Thread(target=trickle)
    thread.start()
    assert transport.read_line(0.4) == b"slow"  # after half a second in all
    thread.join()


def test_a_drain_forgets_what_arrived_and_what_arrives(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line
    peer.send(b"old\nolder")
    assert transport.read_line(1.0) == b"old"
    later = threading.Timer(0.05, peer.send, [b"late"])
    later.start()
    transport.drain(0.3)
    later.join()
    peer.send(b"new\n")
    assert transport.read_line(1.0) == b"new"


def test_a_line_that_never_falls_silent_cannot_hold_a_drain(
    line: tuple[SerialTransport, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "_LONGEST_DRAIN", 0.3)
    transport, peer = line
    stopped = threading.Event()

    def babble() -> None:
        while not stopped.wait(0.01):
            peer.send(b"x")

    thread = threading.Thread(target=babble)
    thread.start()
    try:
        with pytest.raises(TransportError, match=r"never silent: it sent for 0\.3 s"):
            transport.drain(0.2)
    finally:
        stopped.set()
        thread.join()


def test_a_text_without_end_does_not_fill_the_memory(
    line: tuple[SerialTransport, Peer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream, "MAX_LINE_BYTES", 1000)
    transport, peer = line
    peer.send(bytes(2000))
    with pytest.raises(TransportError, match=r"sent \d+ bytes without the end of a line"):
        transport.read_line(0.5)


def test_a_hang_up_is_a_broken_line_not_a_timeout(line: tuple[SerialTransport, Peer]) -> None:
    transport, peer = line
    peer.hang_up()
    with pytest.raises(TransportError, match="broke") as told:
        for _ in range(20):
            transport.write(b"x")
            with suppress(TransportTimeout):
                transport.read_exactly(1, 0.1)
    assert not isinstance(told.value, TransportTimeout)


def test_a_peer_that_takes_nothing_ends_a_write() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        transport = SerialTransport(f"socket://127.0.0.1:{listener.getsockname()[1]}", write_timeout=0.2)
        connection, _ = listener.accept()
        with connection, pytest.raises(TransportTimeout, match=r"did not take 67108864 bytes in 0\.2 s"):
            transport.write(bytes(2**26))
        transport.close()


@pytest.mark.parametrize("url", ["/dev/" + "thermohw-none", "socket://127.0.0.1:0", "nonsense://x", "socket://x:y"])
def test_what_cannot_be_opened_is_told(url: str) -> None:
    with pytest.raises(TransportError, match="cannot open"):
        SerialTransport(url)


# Blocks


@given(payload=st.binary(max_size=300))
def test_a_block_states_its_length(payload: bytes) -> None:
    whole = block(payload)
    digits = int(whole[1:2])
    assert whole[:1] == b"#"
    assert int(whole[2 : 2 + digits]) == len(payload)
    assert whole[2 + digits :] == payload
    assert not whole[2:3].startswith(b"0") or payload == b""


@given(data=st.binary(max_size=40), damage=st.data())
def test_a_payload_that_was_damaged_is_refused(data: bytes, damage: st.DataObject) -> None:
    payload = with_checksum(data)
    assert bytes(without_checksum(payload, "x")) == data
    place = damage.draw(st.integers(0, len(payload) - 1))
    flipped = bytearray(payload)
    flipped[place] ^= damage.draw(st.integers(1, 255))
    for wrong in (bytes(flipped), payload[:place] + payload[place + 1 :] if place else payload[:3]):
        with pytest.raises(ProtocolError, match=r"^biases: "):
            without_checksum(wrong, "biases")


def test_the_checksum_is_the_documented_one() -> None:
    assert with_checksum(b"123456789")[-4:] == (0xCBF43926).to_bytes(4, "little")


# Checked lines


@given(message=st.binary(max_size=60), tag=st.integers(0, 255))
def test_a_checked_line_gives_back_message_and_tag(message: bytes, tag: int) -> None:
    line = seal(message, tag)
    covered = message + b" ~%02X" % tag
    assert line == covered + b"%08X\n" % zlib.crc32(covered)
    assert unseal(line[:-1]) == Sealed(message, tag)
    lower = line[: len(message)] + line[len(message) :].lower()
    if lower[len(message) : len(message) + 4] == line[len(message) : len(message) + 4]:  # the tag is under the checksum
        assert unseal(lower[:-1]) == Sealed(message, tag)


@given(message=st.binary(max_size=60), tag=st.integers(0, 255), damage=st.data())
def test_no_damage_makes_another_message(message: bytes, tag: int, damage: st.DataObject) -> None:
    """A line that was hit is refused, has no seal any more, or still says the same."""
    line = bytearray(seal(message, tag)[:-1])
    kind = damage.draw(st.sampled_from(["flip", "drop", "double"]))
    place = damage.draw(st.integers(0, len(line) - 1))
    if kind == "flip":
        line[place] ^= damage.draw(st.integers(1, 255))
    else:
        line[place : place + 1] = b"" if kind == "drop" else bytes([line[place]] * 2)
    try:
        found = unseal(bytes(line))
    except ProtocolError as error:
        assert "CRC-32 of a line" in str(error)
    else:
        assert found in (None, Sealed(message, tag))


@given(line=st.binary(max_size=40))
def test_a_plain_line_has_no_seal(line: bytes) -> None:
    with suppress(ProtocolError):
        assert unseal(line) is None
    assert unseal(b"*IDN?") is None
