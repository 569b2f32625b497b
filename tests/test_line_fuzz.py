# SPDX-License-Identifier: Apache-2.0
"""An instrument under random and damaged streams: it never raises, holds no more than it may, and serves after each."""

import gc
import tracemalloc

import pytest
from line_streams import LIMITS, Attacked

MET = {
    *(-101, -102, -104, -108, -109, -113, -131, -161, -168),
    *(-200, -213, -221, -222, -223, -224, -230, -350, -361, -363),
}
"""Errors that streams must have met, or they did not reach far."""

ANSWERS = 20 * 5 * LIMITS.fetch_bytes
"""Longest answers to one stream, bytes: so many lines of so many commands."""


@pytest.mark.parametrize("seed", [1, 2])
def test_ten_thousand_streams_are_survived(seed: int) -> None:
    """`benchmarks/line_fuzz.py` does the same with more."""
    attacked = Attacked(seed)
    for _ in range(5000):
        attacked.attack()
    assert attacked.errors.keys() >= MET, MET - attacked.errors.keys()
    assert attacked.states.keys() == {"IDLE", "READY", "RUNNING", "DONE", "FAILED"}
    assert attacked.largest < ANSWERS


def test_streams_leave_nothing_in_memory() -> None:
    """Growth and peak stay far below what the streams bring; keeping them is noticed."""

    def growth(kept: list[bytes]) -> tuple[int, int]:
        gc.collect()
        before = tracemalloc.get_traced_memory()[0]
        tracemalloc.reset_peak()
        for _ in range(500):
            kept += [attacked.attack()] * (kept is not unkept)
        gc.collect()
        after, peak = tracemalloc.get_traced_memory()
        return after - before, peak - before

    unkept: list[bytes] = []
    attacked = Attacked(3)
    tracemalloc.start(1)
    try:
        growth(unkept)  # caches fill
        grown, peak = growth(unkept)
        assert grown < 100_000
        assert peak < 4_000_000
        grown, _ = growth([])
        assert grown > 100_000
    finally:
        tracemalloc.stop()


def test_a_stream_that_breaks_the_service_is_caught(monkeypatch: pytest.MonkeyPatch) -> None:
    attacked = Attacked(4)
    monkeypatch.setattr(attacked.bench.instrument.status, "clear", lambda: None)  # *CLS that clears no errors
    with pytest.raises(AssertionError):
        for _ in range(500):
            attacked.attack()
