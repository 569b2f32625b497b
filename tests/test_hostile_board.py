# SPDX-License-Identifier: Apache-2.0
"""A board that lies in whole, sealed answers: the client soon ends in an error or in samples, with little memory."""

import random
import struct
import time
import tracemalloc
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from memory_board import LIMITS, MemoryBoard
from serial_examples import PROGRAM, opened

from thermohw import PathStatistics, RunPlan
from thermohw.backends import serial_link
from thermohw.errors import ThermoHWError
from thermohw.protocol.sample_payload import HEADER
from thermohw.transport import block, with_checksum

PLAN = RunPlan(0.4, 12, 0.02, record_every=2, seed=3)
WORDS = (
    *(b"", b"OK", b"0", b"-1", b"1", b"3", b"nan", b"inf", b"1e308", b"-1e-300", b"0.02", b"9" * 4000, b"x" * 100_000),
    *(
        b"#H00000000",
        b"#HFFFFFFFF",
        b"0,IDLE,0,0",
        b"1,DONE,12,12",
        b"1,RUNNING,4294967295,1",
        b"\xff\xfe",
        b'"',
        b";;;",
    ),
    *(
        b'!-200,"x"',
        b'!-361,"x"',
        b"!",
        b'!-223,"Too much data"',
        b'!-161,"Invalid block data"',
        b"1,DONE," + b"9" * 30,
    ),
)
SIZES = (0, 1, 2, 7, 12, 255, 2**16, 2**31, 2**32 - 1)


class Liar(MemoryBoard):
    """A board that answers some questions with something else.

    Args:
        seed: Of its lies.
        rate: Share of answers that are none.
    """

    def __init__(self, seed: int, rate: float, **settings: Any) -> None:
        super().__init__(**settings)
        self.rng, self.rate = random.Random(seed), rate
        self.lies = 0

    def _carry_out(self, message: bytes) -> list[bytes]:
        replies = super()._carry_out(message)
        if message.startswith(b"SYST:CHEC") or self.rng.random() >= self.rate:
            return replies
        self.lies += 1
        at = self.rng.randrange(max(1, len(replies)))
        replies[at : at + 1] = [self._lie(replies[at] if replies else b"")]
        return replies

    def _lie(self, truth: bytes) -> bytes:
        rng = self.rng
        kind = rng.random()
        if truth.startswith(b"#") and truth[1:2].isdigit() and kind < 0.7:
            payload = bytearray(truth[2 + int(truth[1:2]) : -4])
            if kind < 0.4 and len(payload) >= HEADER.size:
                struct.pack_into("<I", payload, 4 * rng.randrange(HEADER.size // 4), rng.choice(SIZES))
            elif kind < 0.5:
                payload *= 20
            else:
                payload[rng.randrange(len(payload) + 1) :] = rng.randbytes(rng.randrange(40))
            return block(with_checksum(payload))
        if kind < 0.8:
            times = np.sort(np.array([rng.uniform(0, 0.4) for _ in range(rng.randrange(2000))]))
            return block(with_checksum(times.astype("<f8").tobytes()))
        return rng.choice(WORDS)


def told(seed: int, rate: float) -> tuple[Liar, bool, int]:
    """Work with a liar; returns it, whether samples came, and the memory that it took, bytes."""
    rng = random.Random(seed)
    plan = replace(PLAN, keep=rng.choice(("none", "both", "trajectory")), dt=rng.choice((0.02, None)))
    heat = rng.random() < 0.5
    limits = LIMITS.model_copy(update={"samples": 5, "stored_bytes": 2**50, "fetch_bytes": 2**40, "block_bytes": 2**40})
    board = Liar(seed, rate, limits=limits, heat=heat, programs=("table", "float64") if heat else ("table",))
    observers = [PathStatistics(PROGRAM.J2, PROGRAM.J4)] * rng.randrange(2)
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    came = False
    try:
        with opened(board, retries=6) as device:
            device.program(PROGRAM)
            samples = device.run(plan, observers)
            came = samples.heat.shape == (12,)
    except ThermoHWError as error:
        assert len(str(error)) < 2000
    return board, came, tracemalloc.get_traced_memory()[1] - before


def test_without_lies_there_are_samples() -> None:
    for seed in range(8):
        board, came, _ = told(seed, 0.0)
        assert came and board.lies == 0


def test_lies_end_soon_in_an_error_or_in_samples(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serial_link, "PATIENCE", 0.1)
    ends: dict[bool, int] = {True: 0, False: 0}
    lies = 0
    tracemalloc.start(1)
    try:
        for seed in range(70):
            started = time.monotonic()
            board, came, memory = told(seed, 0.03)
            assert time.monotonic() - started < 5, seed
            assert memory < 2**25, seed
            assert len(board.messages) < 1000, seed
            lies += board.lies
            ends[came] += 1
    finally:
        tracemalloc.stop()
    assert lies > 45
    assert min(ends.values()) > 10
