# SPDX-License-Identifier: Apache-2.0
"""Exchanges on a line: answers by their tags, repetition of what was damaged, and clear errors where nothing helps."""

from collections.abc import Callable, Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from memory_board import MemoryBoard, MemoryTransport

from thermohw.backends import serial_link
from thermohw.backends.serial_link import Question, Refusal, SerialLink
from thermohw.errors import InstrumentError, ProtocolError, TransportError, TransportTimeout
from thermohw.testing import ScriptedTransport, expected_exchange
from thermohw.transport import Transport, block, seal

BEGIN = (seal(b"SYST:CHEC ON", 1), seal(b"OK", 1))
PARITY = b'!-361,"Parity error in program message"'


def asked(tag: int, answer: bytes, message: bytes = b"RUN:DT?") -> tuple[bytes, bytes]:
    return seal(message, tag), answer


def opened(transport: Transport | Callable[[], Transport], retries: int = 50) -> SerialLink:
    link = SerialLink(transport if callable(transport) else lambda: transport, "bench", retries=retries)
    link.open()
    return link


def ask_by(script: Sequence[tuple[bytes, bytes]], retries: int = 50) -> tuple[str, SerialLink]:
    with expected_exchange([BEGIN, *script]) as transport:
        link = opened(transport, retries)
        return link.ask("RUN:DT?"), link


def test_a_question_gets_its_answer() -> None:
    answer, link = ask_by([asked(2, seal(b"0.125", 2))])
    assert answer == "0.125"
    assert (link.statistics.exchanges, link.statistics.retries, link.statistics.reconnects) == (1, 0, 0)


def test_tags_run_from_1_to_255_and_begin_again() -> None:
    tags = [*range(2, 256), 1, 2]
    with expected_exchange([BEGIN, *(asked(tag, seal(b"%d" % tag, tag)) for tag in tags)]) as transport:
        link = opened(transport)
        assert [int(link.ask("RUN:DT?")) for _ in tags] == tags


def test_a_refusal_is_told_in_the_boards_words_and_not_repeated() -> None:
    words = b'!-222,"Data out of range; RUN:SAMPles takes 1 ... 4096, got 0"'
    with expected_exchange([BEGIN, asked(2, seal(words, 2), b"RUN:SAMP 0")]) as transport:
        link = opened(transport)
        with pytest.raises(
            InstrumentError, match=r"bench refused RUN:SAMP 0: -222,\"Data out of range; .* got 0"
        ) as told:
            link.ask("RUN:SAMP 0")
    assert isinstance(told.value, Refusal)
    assert told.value.number == -222


@pytest.mark.parametrize("words", [b"!", b"!,", b'!99999999999,"x"', b"!x"])
def test_a_refusal_without_sense_is_still_one(words: bytes) -> None:
    with pytest.raises(Refusal) as told:
        ask_by([asked(2, seal(words, 2))])
    assert told.value.number == 0


def test_what_the_board_could_not_read_is_repeated_at_once() -> None:
    answer, link = ask_by([asked(2, seal(PARITY, 0)), asked(3, seal(b"0.5", 3))])
    assert (answer, link.statistics.retries) == ("0.5", 1)


def damage(data: st.DataObject, answer: bytearray, place: int) -> str:
    """Flip, drop or double a byte of an answer; tells which."""
    kind = data.draw(st.sampled_from(["flip", "drop", "double"]))
    if kind == "flip":
        answer[place] ^= 1 << data.draw(st.integers(0, 7))
    else:
        answer[place : place + 1] = b"" if kind == "drop" else bytes([answer[place]] * 2)
    return kind


@given(data=st.data())
def test_a_damaged_answer_is_asked_for_again(data: st.DataObject) -> None:
    """Whatever is flipped, dropped or doubled in an answer: it is never taken for another."""
    answer = bytearray(seal(data.draw(st.sampled_from([b"0.125", b"#H0123ABCD", b'!-222,"x"'])), 2))
    place = data.draw(st.integers(0, len(answer) - 1))
    kind = damage(data, answer, place)
    if bytes(answer).endswith(b"\n\n") or (kind == "flip" and chr(answer[place]) in "abcdef"):
        return  # an empty line follows, or a digit of the seal is in lower case: the answer is whole
    found, link = ask_by([asked(2, bytes(answer)), asked(3, seal(b"0.5", 3))])
    assert (found, link.statistics.retries) == ("0.5", 1)


@given(data=st.data())
def test_a_damaged_block_is_asked_for_again(data: st.DataObject) -> None:
    payload = bytes(range(256))
    answer = bytearray(seal(block(payload), 2))
    place = data.draw(st.integers(0, len(answer) - 2))
    kind = damage(data, answer, place)
    if bytes(answer).upper().endswith(seal(block(payload), 2)[-9:]) and place >= len(answer) - 9 and kind == "flip":
        return  # a digit of the seal in lower case
    script = [BEGIN, asked(2, bytes(answer), b"FETC? 0,1"), asked(3, seal(block(payload), 3), b"FETC? 0,1")]
    with expected_exchange(script) as transport:
        assert opened(transport).ask_block("FETC? 0,1", 300) == payload


@pytest.mark.parametrize(("lost", "silences"), [(1, 0), (40, 0), (100, 1)])
def test_the_end_of_a_block_that_lost_bytes_is_seen_without_a_silence(lost: int, silences: int) -> None:
    """Up to as many bytes as the end that is searched for the seal; more are missed once the line is silent."""

    class Watched(ScriptedTransport):
        drained = 0

        def drain(self, seconds: float) -> None:
            self.drained += 1
            super().drain(seconds)

    whole = seal(block(bytes(300)), 2)
    script = [BEGIN, asked(2, whole[:50] + whole[50 + lost :], b"FETC? 0,1")]
    transport = Watched([*script, asked(3, seal(block(b"abc"), 3), b"FETC? 0,1")])
    assert opened(transport).ask_block("FETC? 0,1", 300) == b"abc"
    transport.check_finished()
    assert transport.drained == 1 + silences  # the first when the line was opened


def test_answers_of_long_ago_are_passed_over() -> None:
    stale = seal(b"OK", 200) + seal(block(b"old\nsamples"), 201) + seal(b"1,DONE,4,4", 202)
    with expected_exchange([BEGIN, asked(2, stale + seal(block(b"new"), 2), b"FETC? 0,1")]) as transport:
        assert opened(transport).ask_block("FETC? 0,1", 100) == b"new"


def test_a_board_that_answers_other_questions_for_ever_is_given_up() -> None:
    stale = seal(b"OK", 200) * 300
    with pytest.raises(TransportError, match="answers to other questions only"):
        ask_by([(seal(b"RUN:DT?", tag), stale) for tag in (2, 3, 4)], retries=2)


def test_silence_is_asked_again_and_then_given_up() -> None:
    answer, link = ask_by([asked(2, b""), asked(3, seal(b"0.5", 3))])
    assert (answer, link.statistics.retries) == ("0.5", 1)
    with pytest.raises(TransportError, match=r"no answer to RUN:DT[?]: 0 damaged answers, 10 silences, 0 broken lines"):
        ask_by([asked(tag, b"") for tag in range(2, 12)])


def test_the_budget_of_repetitions_ends_in_an_error_that_says_what_was_tried() -> None:
    script = [asked(tag, b"gibberish\n") for tag in range(2, 7)]
    with pytest.raises(TransportError, match=r"5 damaged answers, 0 silences, 0 broken lines; the last: .*gibberish"):
        ask_by(script, retries=4)


@pytest.mark.parametrize(
    "answer",
    [b"#999999999" + b"9" * 10, b"#3200", b"#0", b"#-1", b"#2-1", b"#9         1", b"#1\xb2", b"##", b"#"],
)
def test_a_block_cannot_be_longer_than_was_asked_for(answer: bytes) -> None:
    class Watched(ScriptedTransport):
        largest = 0

        def read_exactly(self, count: int, seconds: float) -> bytes:
            self.largest = max(self.largest, count)
            return super().read_exactly(count, seconds)

    transport = Watched([BEGIN, asked(2, answer, b"FETC? 0,1"), asked(3, seal(block(b"abc"), 3), b"FETC? 0,1")])
    assert opened(transport).ask_block("FETC? 0,1", 100) == b"abc"
    assert transport.largest <= 100 + 13
    transport.check_finished()


def test_text_for_a_block_and_a_block_for_text_are_refused() -> None:
    with expected_exchange([BEGIN, asked(2, seal(b"OK", 2), b"FETC? 0,1")]) as transport:
        link = opened(transport)
        with pytest.raises(ProtocolError, match=r"FETC\? 0,1 with b'OK'; a block was awaited"):
            link.ask_block("FETC? 0,1", 100)
    script = [asked(2, seal(block(b"x"), 2), b"FETC? 0,1"), asked(3, seal(block(b"x"), 3))]
    with expected_exchange([BEGIN, *script]) as transport:
        link = opened(transport)
        link.ask_block("FETC? 0,1", 100)
        with pytest.raises(ProtocolError, match="with a block; text was awaited"):
            link.ask("RUN:DT?")


def test_a_transfer_is_told_of_the_damage() -> None:
    """What is asked for may shrink with every attempt that was damaged."""
    script = [asked(tag, b"x\n", b"FETC? 0,%d" % size) for tag, size in ((2, 8), (3, 7))]
    with expected_exchange([BEGIN, *script, asked(4, seal(b"OK", 4), b"FETC? 0,6")]) as transport:
        link = opened(transport)
        assert link.converse(lambda damages: Question(b"FETC? 0,%d" % (8 - damages))) == b"OK"


# Broken lines


def test_a_line_that_breaks_is_opened_again() -> None:
    board = MemoryBoard()
    lines = iter([MemoryTransport(board, breaks_after=3), MemoryTransport(board)])
    link = opened(lambda: next(lines))
    assert [link.ask("RUN:SAMP?") for _ in range(4)] == ["1"] * 4
    assert link.statistics.reconnects == 1
    assert board.messages.count(b"SYST:CHEC ON") == 2


def test_a_line_that_stays_broken_ends_in_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_link, "PATIENCE", 0.1)
    attempts: list[int] = []

    def opener() -> Transport:
        attempts.append(1)
        if len(attempts) > 1:
            raise TransportError("cannot open bench: no such device")
        return MemoryTransport(MemoryBoard(), breaks_after=2)

    link = opened(opener)
    link.ask("RUN:SAMP?")
    with pytest.raises(
        TransportError, match=r"no line for 0\.1 s; the last attempt: cannot open bench: no such device"
    ):
        link.ask("RUN:SAMP?")
    assert len(attempts) > 2


def test_what_cannot_be_opened_at_first_is_not_tried_again() -> None:
    attempts: list[int] = []

    def opener() -> Transport:
        attempts.append(1)
        raise TransportError("cannot open bench: no such device")

    with pytest.raises(TransportError, match="no such device"):
        opened(opener)
    assert len(attempts) == 1


def test_an_instrument_of_another_kind_is_told_so() -> None:
    words = b"ACME,voltmeter,1,2\r\n"
    script = [(seal(b"SYST:CHEC ON", tag), words) for tag in range(1, 4)]
    with pytest.raises(TransportError, match=r"does not answer SYST:CHEC ON in checked lines; .*ACME,voltmeter"):
        opened(ScriptedTransport(script), retries=3)


def test_the_words_of_a_server_that_hangs_up_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    class Busy(ScriptedTransport):
        def drain(self, seconds: float) -> None:
            if seconds > 0.1:
                raise TransportError("bench broke")

    monkeypatch.setattr(serial_link, "FIRST_PATIENCE", 0.1)
    words = b'-221,"Settings conflict; another client is connected"\n'
    tags = iter(range(1, 9))
    with pytest.raises(TransportError, match=r"no line for 0\.1 s; .*another client is connected"):
        opened(lambda: Busy([(seal(b"SYST:CHEC ON", next(tags)), words)]))


def test_a_line_that_breaks_as_soon_as_it_is_opened_is_opened_again() -> None:
    board = MemoryBoard()
    lines = iter([MemoryTransport(board, breaks_after=0), MemoryTransport(board)])
    link = opened(lambda: next(lines))
    assert link.ask("RUN:SAMP?") == "1"
    assert link.statistics.reconnects == 1


# Leaving


def test_leaving_stops_the_board_and_ends_checking() -> None:
    ending = [asked(2, seal(b"OK", 2), b"ABOR"), asked(3, seal(b"OK", 3), b"SYST:CHEC OFF")]
    with expected_exchange([BEGIN, *ending]) as transport:
        opened(transport).part()


def test_leaving_a_dead_line_raises_nothing() -> None:
    class Dead(ScriptedTransport):
        closed = False

        def write(self, data: bytes) -> None:
            if b"ABOR" in data:
                raise TransportError("the cable is out")
            super().write(data)

        def close(self) -> None:
            self.closed = True

    dead, mute = Dead([BEGIN]), ScriptedTransport([BEGIN, *((seal(b"ABOR", tag), b"") for tag in (2, 3, 4))])
    for transport in (dead, mute):
        opened(transport).part()
    assert dead.closed
    mute.check_finished()


def test_an_interrupted_exchange_is_let_run_out_before_the_board_is_stopped() -> None:
    class Interrupted(ScriptedTransport):
        def read_exactly(self, count: int, seconds: float) -> bytes:
            if not interrupted:
                interrupted.append(True)
                raise KeyboardInterrupt
            return super().read_exactly(count, seconds)

    interrupted = [True]
    transport = Interrupted([BEGIN, asked(2, seal(b"0.5", 2)), asked(3, seal(b"OK", 3), b"ABOR")])
    link = opened(transport)
    link.quiet = 0.01
    interrupted.clear()
    with pytest.raises(KeyboardInterrupt):
        link.ask("RUN:DT?")
    link.abort()
    transport.check_finished()


@pytest.mark.parametrize("rate", [1e-3, 3e-3])
def test_a_noisy_line_gives_every_answer(rate: float) -> None:
    board = MemoryBoard()
    link = opened(MemoryTransport(board, rate, seed=4))
    for number in range(500):
        assert link.ask(f"RUN:SEED {number}") == "OK"
        assert link.ask("RUN:SEED?") == str(number)
    assert link.statistics.retries > 10


def test_a_timeout_is_a_broken_promise_not_a_broken_line() -> None:
    assert issubclass(TransportTimeout, TransportError)  # the order in which the link tells them apart rests on it
