# SPDX-License-Identifier: Apache-2.0
"""Faults of a line, reproducible by a seed: bytes that are hit, lost or doubled; delays, stalls and disconnects."""

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermohw.errors import TransportError

Buffer = bytes | bytearray | memoryview

_MAX_RATE = 0.3
_DELAY = (0.01, 0.1)
"""Shortest and longest delay, s: below what ends a line."""
_STALL = (0.3, 1.0)
"""Shortest and longest stall, s: above it."""

Interval = float | None


class FaultRates(BaseModel):
    """How often a line fails: bytes by their probability, the others by the mean time between two."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    flips: float = Field(default=0.0, ge=0, le=_MAX_RATE, description="probability that a bit of a byte is flipped")
    drops: float = Field(default=0.0, ge=0, le=_MAX_RATE, description="probability that a byte is lost")
    duplicates: float = Field(default=0.0, ge=0, le=_MAX_RATE, description="probability that a byte comes twice")
    delays: Interval = Field(default=None, gt=0, description="mean time between delays of 0.01 to 0.1 s, s")
    stalls: Interval = Field(default=None, gt=0, description="mean time between stalls of 0.3 to 1 s, s")
    disconnects: Interval = Field(default=None, gt=0, description="mean time between disconnects, s")

    @property
    def byte_rate(self) -> float:
        """Get the probability that something happens to a byte."""
        return self.flips + self.drops + self.duplicates

    @staticmethod
    def parse(text: str) -> "FaultRates":
        """Read `flips=1e-5,disconnects=5`.

        Raises:
            TransportError: An unknown fault, one that stands twice, or a number out of range.
        """
        known = ", ".join(FaultRates.model_fields)
        values: dict[str, str] = {}
        for part in text.split(","):
            name, equals, value = (piece.strip() for piece in part.partition("="))
            if not equals or name in values or name not in FaultRates.model_fields:
                raise TransportError(f"faults read NAME=NUMBER,… each of {known}; got {part.strip()!r}")
            values[name] = value
        try:
            return FaultRates.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            raise TransportError(f"faults: {first['loc'][0]}: {first['msg']}, got {first['input']!r}") from error


class ByteFaults:
    """Faults of the bytes of one direction. Which bytes they hit depends on the seed alone, not on how bytes come.

    Args:
        rates: How often.
        seed: Of the faults.

    Attributes:
        hits: Faults so far.
    """

    def __init__(self, rates: FaultRates, seed: tuple[int, ...]) -> None:
        self._rates = rates
        self._rng = np.random.default_rng(seed)
        self._sound = self._gap()  # bytes up to the next fault
        self.hits = 0

    def apply(self, data: Buffer) -> Buffer:
        """Pass bytes through the line; those between two faults are untouched."""
        if self._sound >= len(data):
            self._sound -= len(data)
            return data
        passed = bytearray()
        at, hit = 0, self._sound
        while hit < len(data):
            passed += data[at:hit]
            passed += self._hit(data[hit])
            at = hit + 1
            hit = at + self._gap()
        passed += data[at:]
        self._sound = hit - len(data)
        return passed

    def _gap(self) -> int:
        rate = self._rates.byte_rate
        return int(self._rng.geometric(rate)) - 1 if rate else 2**62

    def _hit(self, byte: int) -> bytes:
        self.hits += 1
        kind = self._rng.random() * self._rates.byte_rate
        if kind < self._rates.flips:
            return bytes([byte ^ 1 << int(self._rng.integers(8))])
        return b"" if kind < self._rates.flips + self._rates.drops else bytes([byte, byte])


class LineFaults:
    """All faults of a line, in both directions and in time.

    Args:
        rates: How often.
        seed: Of the faults.
        now: Time at which the line begins, s.

    Attributes:
        inward: Faults of the bytes to the instrument.
        outward: Faults of the bytes from it.
    """

    def __init__(self, rates: FaultRates, seed: int, now: float) -> None:
        self.inward = ByteFaults(rates, (seed, 0))
        self.outward = ByteFaults(rates, (seed, 1))
        self._rng = np.random.default_rng((seed, 2))
        means = {"delays": rates.delays, "stalls": rates.stalls, "disconnects": rates.disconnects}
        self._means = {name: mean for name, mean in means.items() if mean is not None}
        self._due = {name: now + self._rng.exponential(mean) for name, mean in self._means.items()}
        self._frozen_until = now

    def frozen(self, now: float) -> float | None:
        """Get until when nothing passes, s; None if bytes pass now."""
        for name, (shortest, longest) in (("delays", _DELAY), ("stalls", _STALL)):
            if self._happens(name, now):
                self._frozen_until = max(self._frozen_until, now + self._rng.uniform(shortest, longest))
        return self._frozen_until if now < self._frozen_until else None

    def disconnects(self, now: float) -> bool:
        """Get whether the line breaks now."""
        return self._happens("disconnects", now)

    def next_event(self) -> float | None:
        """Get when something happens next, s."""
        return min(self._due.values(), default=None)

    def _happens(self, name: str, now: float) -> bool:
        due = self._due.get(name)
        if due is None or now < due:
            return False
        self._due[name] = now + self._rng.exponential(self._means[name])
        return True
