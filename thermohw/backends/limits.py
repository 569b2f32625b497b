# SPDX-License-Identifier: Apache-2.0
"""Whether a program fits the ranges of an analog device, and what saturation makes of one that does not."""

from dataclasses import asdict, dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thermohw.cards import Range
from thermohw.errors import CardError, DeviceLimitError, ProgramError
from thermohw.program import Program

Floats = NDArray[np.float64]
WORST = 3
"""Offenders that an error names."""
ROUNDING = 1e-12
"""Relative excess that is forgiven: that of the conversion to k_BT and of a scale as printed."""


@dataclass(frozen=True)
class Clipping:
    """What saturation did to a program.

    Attributes:
        couplings: Number of couplings that were clipped.
        biases: Number of biases that were clipped.
        coupling_change: Root-mean-square change over all couplings, k_BT.
        bias_change: Likewise over all biases, k_BT.
        largest_coupling_change: k_BT.
        largest_bias_change: k_BT.
    """

    couplings: int
    biases: int
    coupling_change: float
    bias_change: float
    largest_coupling_change: float
    largest_bias_change: float

    @staticmethod
    def between(wanted: Program, held: Program) -> "Clipping":
        """Compare a program with what a device holds of it."""
        couplings, biases = held.couplings - wanted.couplings, held.biases - wanted.biases
        return Clipping(
            int(np.count_nonzero(couplings)),
            int(np.count_nonzero(biases)),
            _rms(couplings),
            _rms(biases),
            float(np.abs(couplings).max(initial=0)),
            float(np.abs(biases).max(initial=0)),
        )

    def __str__(self) -> str:
        return (
            f"clipped: {self.couplings} couplings (rms change over all {self.coupling_change:.3g} k_BT, largest "
            f"{self.largest_coupling_change:.3g}) and {self.biases} biases (rms {self.bias_change:.3g}, largest "
            f"{self.largest_bias_change:.3g})"
        )

    def as_dict(self) -> dict[str, float]:
        """Get the numbers for JSON."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Limits:
    """The ranges of a device's couplings and biases, and what they are in k_BT.

    Attributes:
        couplings: The range of a coupling, in the card's unit.
        biases: The range of a bias, in the card's unit.
        coupling_unit: The coupling, in the card's unit, that is J = 1 k_BT.
        bias_units: (units,) or (1,) the bias, in the card's unit, that is b = 1 k_BT; may be negative.

    Raises:
        CardError: A range without zero: the device could not be programmed with uncoupled, unbiased units.
    """

    couplings: Range
    biases: Range
    coupling_unit: float
    bias_units: Floats

    def __post_init__(self) -> None:
        for name, allowed in (("couplings", self.couplings), ("biases", self.biases)):
            if not allowed.min <= 0 <= allowed.max:
                raise CardError(
                    f"{name}: the range {allowed.min:.4g} … {allowed.max:.4g} {allowed.unit} must include zero"
                )

    @property
    def coupling_ends(self) -> tuple[float, float]:
        """Get the lowest and the highest coupling, k_BT."""
        return self.couplings.min / self.coupling_unit, self.couplings.max / self.coupling_unit

    @property
    def bias_ends(self) -> tuple[Floats, Floats]:
        """Get the lowest and the highest bias of each unit, k_BT, (units,) or (1,)."""
        ends = np.stack([self.biases.min / self.bias_units, self.biases.max / self.bias_units])
        return ends.min(axis=0), ends.max(axis=0)

    def clipped(self, program: Program) -> Program:
        """Get the program that a device holds whose couplings and biases saturate.

        Raises:
            DeviceLimitError: What is left is not bounded below, as may happen to linear units.
        """
        try:
            return replace(
                program,
                couplings=np.clip(program.couplings, *self.coupling_ends),
                biases=np.clip(program.biases, *self.bias_ends),
            )
        except ProgramError as error:
            raise DeviceLimitError(f"the clipped program cannot run: {error}") from error

    def check(self, program: Program, device: str) -> None:
        """Refuse a program that does not fit.

        Raises:
            DeviceLimitError: Names the worst pairs and units, how many there are, and the scale at which all fit.
        """
        low, high = (np.full(program.couplings.shape, end) for end in self.coupling_ends)
        coupling_excess = _excess(program.couplings, low, high)
        low, high = (np.broadcast_to(end, program.biases.shape) for end in self.bias_ends)
        bias_excess = _excess(program.biases, low, high)
        largest = max(float(coupling_excess.max(initial=0)), float(bias_excess.max(initial=0)))
        if largest <= 1:
            return
        pairs = [f"the pair {tuple(pair)}" for pair in program.topology.pairs[_worst(coupling_excess)].tolist()]
        units = [f"unit {unit}" for unit in _worst(bias_excess)]
        faults = [
            _fault("couplings", program.couplings, coupling_excess, pairs, self.couplings),
            _fault("biases", program.biases, bias_excess, units, self.biases),
        ]
        raise DeviceLimitError(
            f"{device}: {'; '.join(fault for fault in faults if fault)}. Couplings and biases fit when scaled by "
            f"{_rounded_down(1 / largest):.4g}; they saturate with clip=True (--clip)"
        )


def symmetric(lowest: float, highest: float) -> float:
    """Get the largest magnitude that is allowed with either sign."""
    return max(min(-lowest, highest), float(np.finfo(float).tiny))


def _rms(values: Floats) -> float:
    return float(np.sqrt(np.mean(values**2))) if values.size else 0.0


def _excess(values: Floats, lowest: Floats, highest: Floats) -> Floats:
    """Get by which factor each value exceeds its range: at most 1 inside; inf where no scale helps."""
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio: Floats = np.where(values > 0, values / np.maximum(highest, 0), values / np.minimum(lowest, 0))
    return np.where(values == 0, 0.0, ratio / (1 + ROUNDING))


def _worst(excess: Floats) -> list[int]:
    outside = int((excess > 1).sum())
    return np.argsort(-excess)[: min(WORST, outside)].tolist()


def _fault(what: str, values: Floats, excess: Floats, places: list[str], allowed: Range) -> str:
    if not places:
        return ""
    worst = ", ".join(f"{values[k]:.4g} k_BT at {place}" for k, place in zip(_worst(excess), places, strict=True))
    count = f"{int((excess > 1).sum())} of {len(values)} {what}"
    return f"{count} are outside {allowed.min:.4g} … {allowed.max:.4g} {allowed.unit}, the worst {worst}"


def _rounded_down(scale: float) -> float:
    """Round to four digits towards zero, so that the printed scale fits."""
    if scale == 0:
        return 0.0
    digits = 3 - int(np.floor(np.log10(scale)))
    return float(np.floor(scale * 10.0**digits) / 10.0**digits)
