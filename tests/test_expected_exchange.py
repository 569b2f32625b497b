# SPDX-License-Identifier: Apache-2.0
"""The scripted end of a line: it answers what the script says, and lets no difference pass."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw.errors import TransportTimeout
from thermohw.testing import ScriptedTransport, expected_exchange
from thermohw.transport import RecordingTransport

SCRIPT = [(b"*IDN?\n", b"board\n"), (b"DATA #13abc\n", b""), (b"FETC?\n", b"#14wxyz\n")]


def test_a_script_that_is_followed_passes() -> None:
    with expected_exchange(SCRIPT, "bench") as transport:
        assert transport.name == "bench"
        transport.write(b"*ID")
        transport.write(b"N?\n")
        assert transport.read_line(1) == b"board"
        transport.write(b"DATA #13abc\nFETC?\n")
        assert transport.read_exactly(3, 1) == b"#14"
        assert transport.read_line(1) == b"wxyz"
        transport.close()


def test_an_answer_without_a_question_can_be_read_at_once() -> None:
    with expected_exchange([(b"", b"hello\n"), (b"a", b"")]) as transport:
        assert transport.read_line(1) == b"hello"
        transport.write(b"a")


def test_the_first_difference_is_shown_with_both_sides() -> None:
    with pytest.raises(AssertionError) as caught, expected_exchange(SCRIPT) as transport:
        transport.write(b"*IDN?\n")
        transport.read_line(1)
        transport.write(b"DATA #13axc\n")
    message = str(caught.value)
    assert "exchange 1 of 3 differs at byte 9" in message
    assert r"b'DATA #13abc\n' (12 bytes)" in message
    assert r"b'DATA #13axc\n' (12 bytes)" in message


@pytest.mark.parametrize("place", range(6))
def test_every_byte_counts(place: int) -> None:
    sent = bytearray(b"*IDN?\n")
    sent[place] ^= 1
    transport = ScriptedTransport(SCRIPT)
    with pytest.raises(AssertionError, match=f"at byte {place}"):
        transport.write(bytes(sent))


def test_what_is_sent_too_early_or_too_much_is_a_difference() -> None:
    with pytest.raises(AssertionError, match="differs at byte 6"):
        ScriptedTransport(SCRIPT).write(b"*IDN?\nDATA")  # the answer between them was not waited for
    with pytest.raises(AssertionError, match=r"ended after 1 exchanges, but b'\*IDN\?' was sent"):
        ScriptedTransport([(b"a", b"")]).write(b"a*IDN?")
    with pytest.raises(AssertionError, match="ended after 0 exchanges"):
        ScriptedTransport([]).write(b"a")


def test_leftovers_fail() -> None:
    with (
        pytest.raises(AssertionError, match=r"exchange 0 of 3 was not sent .* b'IDN\?\\n'"),
        expected_exchange(SCRIPT) as transport,
    ):
        transport.write(b"*")
    with pytest.raises(AssertionError, match="3 bytes were not read"), expected_exchange([(b"a", b"xyz")]) as transport:
        transport.write(b"a")


def test_an_error_of_the_driver_is_not_hidden_by_leftovers() -> None:
    with pytest.raises(KeyError), expected_exchange(SCRIPT):
        raise KeyError("the driver's own")


def test_reading_beyond_the_script_is_a_timeout() -> None:
    transport = ScriptedTransport([(b"a", b"xyz")])
    transport.write(b"a")
    with pytest.raises(TransportTimeout, match="3 bytes can be read: b'xyz'"):
        transport.read_line(0.5)
    with pytest.raises(TransportTimeout, match=r"silent for 0\.5 s before 4 bytes"):
        transport.read_exactly(4, 0.5)
    transport.drain(0.1)
    transport.check_finished()


@given(script=st.lists(st.tuples(st.binary(min_size=1, max_size=9), st.binary(max_size=9)), max_size=6), cut=st.data())
def test_a_recording_replays(script: list[tuple[bytes, bytes]], cut: st.DataObject) -> None:
    """What a recording kept is a script that the same driver follows."""

    def drive(transport: ScriptedTransport | RecordingTransport) -> None:
        for sent, answer in script:
            transport.write(sent)
            transport.read_exactly(len(answer), 1)

    recorder = RecordingTransport(ScriptedTransport(script))
    drive(recorder)
    assert b"".join(sent for sent, _ in recorder.exchanges) == b"".join(sent for sent, _ in script)
    with expected_exchange(recorder.exchanges) as transport:
        drive(transport)


def test_a_recording_keeps_what_was_drained() -> None:
    recorder = RecordingTransport(ScriptedTransport([(b"a", b"line\nrest"), (b"b", b"")], "bench"))
    recorder.write(b"a")
    assert recorder.read_line(1) == b"line"
    recorder.drain(0.1)
    recorder.write(b"b")
    recorder.close()
    assert (recorder.name, recorder.exchanges) == ("bench", [(b"a", b"line\nrest"), (b"b", b"")])
