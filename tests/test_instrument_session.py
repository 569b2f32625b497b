# SPDX-License-Identifier: Apache-2.0
"""Checked lines, dropped lines, and service after whatever arrives (docs/protocol.md, sections 1 and 2)."""

import random
import re

import pytest
from instrument_bench import LOAD, PROGRAM, Bench, HeldDevice, opened, until

from thermohw.instrument.instrument import LIMITS
from thermohw.protocol import unpack_samples
from thermohw.protocol.payloads import pack_program
from thermohw.protocol.sample_payload import SampleLayout
from thermohw.transport import block, seal
from thermohw.transport.checked_lines import UNREADABLE

NO_ERROR = '0,"No error"'


def refusal(bench: Bench, data: bytes) -> str:
    """Send what cannot be read; returns the answer, which must be one."""
    return opened(bench.send(data), UNREADABLE)


def test_a_checked_line_has_exactly_one_checked_answer() -> None:
    with Bench() as bench:
        assert bench.ask_checked("*IDN?", 0x2A) == bench.ask("*IDN?")
        assert bench.ask_checked("RUN:SEED 5", 2) == "OK"
        assert bench.ask_checked("RUN:SEED?;SAMP?", 3) == "5;1"
        assert bench.ask_checked("", 4) == "OK"
        assert bench.ask_checked(LOAD, 5) == "OK"
        assert bench.ask_checked("SYST:ERR?", 0xFF) == NO_ERROR


def test_the_transcript_of_the_protocol() -> None:
    with Bench() as bench:
        assert bench.send(b"SYST:CHEC ON ~01CEE3A906\n") == b"OK ~01102AACEF\n"
        assert bench.send(b"RUN:SAMP 100 ~025798A8AA\n") == b"OK ~028923FD55\n"
        assert refusal(bench, b"RUN:SXMP 100 ~04BEFB0D9F\n").startswith('!-361,"Parity error in program message')


def test_a_refusal_stands_in_the_answer_and_not_in_the_queue() -> None:
    with Bench() as bench:
        assert bench.ask_checked("RUN:SEED?;SAMP 0;SEED 5", 7).startswith('!-222,"Data out of range; RUN:SAMPles')
        assert bench.ask_checked("NONSENSE").startswith("!-113,")
        assert bench.ask_checked("*IDN? \x07").startswith("!-101,")
        assert bench.ask("RUN:SEED?;:SYST:ERR?") == f"0;{NO_ERROR}"


def test_samples_come_in_a_checked_line() -> None:
    with Bench() as bench:
        bench.loaded().run("RUN:SAMP 3")
        answer = bench.send(seal(b"RUN:SEED?;:FETC? 0,3;:RUN:SEED?", 9))
        message = opened(answer, 9).encode("latin-1")
        payload = message.removeprefix(b"0;#3").removesuffix(b";0")[3:]
        assert len(unpack_samples(payload, 1, 0, 3, SampleLayout(3, PROGRAM.units, 0))["heat"]) == 3


@pytest.mark.parametrize("compulsory", [False, True])
def test_a_line_whose_checksum_does_not_fit_is_not_carried_out(compulsory: bool) -> None:
    with Bench() as bench:
        if compulsory:
            assert bench.ask_checked("SYST:CHEC ON") == "OK"
        damaged = seal(b"RUN:SEED 5", 3).replace(b"SEED 5", b"SEED 6")
        assert refusal(bench, damaged).startswith('!-361,"Parity error in program message')
        assert bench.ask_checked("RUN:SEED?;:SYST:ERR?") == f"0;{NO_ERROR}"


def test_where_checked_lines_are_compulsory_no_other_is_carried_out_but_two() -> None:
    with Bench() as bench:
        assert bench.ask("SYST:CHEC?") == "0"
        assert bench.ask_checked("SYST:CHEC ON;CHEC?") == "1"
        for line in (b"RUN:SEED 5\n", b"*IDN?\n", b"ABOR;*CLS\n", b"SYST:CHEC OFF\n", LOAD + b"\n"):
            assert refusal(bench, line).startswith("!-361,")
        assert bench.send(b"ABORt\n:abor\r\n") == b""
        assert bench.ask_checked("RUN:SEED?;:SYST:ERR?;:PROG:CRC?") == f"0;{NO_ERROR};#H00000000"
        assert bench.send(b"*cls\n") == b""
        assert bench.ask("SYST:CHEC?") == "0"
        assert bench.ask("SYST:CHEC ON") == ""
        assert bench.ask_checked("SYST:CHEC OFF") == "OK"
        assert bench.ask("SYST:CHEC?") == "0"


DROPPED = {
    "too long": b"A" * (LIMITS.line_bytes + 1) + b"\n",
    "no block": b"PROG:DATA #0abc\n",
    "count hit": b"PROG:DATA #9999999999" + pack_program(PROGRAM) + b" ~0112345678\n",
    "stopped": b"RUN:SEE",
}


@pytest.mark.parametrize("name", DROPPED)
def test_what_is_dropped_is_told_at_once_where_lines_are_checked(name: str) -> None:
    data = DROPPED[name]
    for compulsory in (False, True):
        with Bench() as bench:
            bench.ask_checked(f"SYST:CHEC {'ON' if compulsory else 'OFF'}")
            answer = bench.send(data)
            bench.now += LIMITS.quiet
            bench.session.tick(bench.now)
            answer += bench.answers()
            if compulsory:
                assert opened(answer, UNREADABLE).startswith("!-361,")
                assert bench.ask_checked("SYST:ERR?") == NO_ERROR
            else:
                assert answer == b""
                assert re.match(r"-(363|161|223),", bench.error())
                assert bench.error() == NO_ERROR


def test_a_checked_line_that_waits_is_answered_though_the_queue_is_cleared() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        bench.loaded().done("INIT")
        assert bench.send(seal(b"*OPC?", 8)) == b""
        assert bench.ask("*OPC?") == ""
        assert bench.ask_checked("RUN:PROG?", 9).startswith("1,RUNNING,")
        bench.done("*CLS")
        device.gate.set()
        until(lambda: not bench.instrument.running)
        assert opened(bench.answers(), 8) == "1"


def test_a_client_that_sends_without_reading_is_held_back_not_forgotten() -> None:
    with Bench() as bench:
        for _ in range(1024):
            assert bench.session.hungry
            bench.session.receive(b"RUN:SEED?\n", 0.0)
        assert not bench.session.hungry
        assert bench.answers() == b"0\n" * 1024
        assert bench.session.hungry
        bench.session.receive(b"UPL:DATA 0," + block(bytes(LIMITS.block_bytes)) + b"\n", 0.0)
        assert not bench.session.hungry


def mutated(rng: random.Random, lines: list[bytes]) -> bytes:
    stream = bytearray(b"".join(rng.choices(lines, k=rng.randrange(1, 6))))
    for _ in range(rng.randrange(4)):
        at = rng.randrange(len(stream))
        stream[at : at + rng.randrange(4)] = rng.randbytes(rng.randrange(4))
    return bytes(stream)


def test_ten_thousand_streams_leave_an_instrument_that_serves() -> None:
    rng = random.Random(5)
    plain = (b"RUN:SEED 5;SAMP 2", b"INIT;*OPC?", b"FETC? 0,1", LOAD, b"*RST", b"SYST:ERR?", b"ABOR", b"*IDN?;:RUN:DT?")
    plain += (b"RUN:TIM?", b"PROG:CRC?", b"SYST:CAP?", b"UPL:DATA 0," + block(bytes(8)), b"PROG:LOAD 8,#H0", b"*OPC")
    plain += (b"SYST:CHEC ON", b"RUN:KEEP TRAJ;DUR 0.1;DT 0.05", b"PROG:BIAS " + block(bytes(24)), b"*STB?;*ESR?")
    lines = [line + b"\n" for line in plain] + [seal(line, 3) for line in plain]
    device = HeldDevice()
    device.gate.set()
    with Bench(device, LIMITS.model_copy(update={"samples": 4})) as bench:
        for _ in range(10_000):
            bench.send(mutated(rng, lines) if rng.random() < 0.8 else rng.randbytes(rng.randrange(1, 100)))
            bench.now += 1.0
            bench.session.tick(bench.now)
            bench.answers()
            assert bench.session.hungry
            assert bench.send(b"*CLS\n") == b""
            assert bench.send(b"*TST?\n") == b"0\n"
        assert bench.ask("SYST:ERR?") == NO_ERROR
