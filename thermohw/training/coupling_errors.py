# SPDX-License-Identifier: Apache-2.0
"""What a device is expected to make of the couplings that it is given, so that training can reckon with it."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field

from thermohw.errors import TrainingError
from thermohw.nonideal.coupling_drift import CouplingDrift
from thermohw.nonideal.coupling_mismatch import CouplingMismatch
from thermohw.nonideal.crosstalk import Crosstalk
from thermohw.nonideal.effect import Effect
from thermohw.nonideal.line_gain_mismatch import LineGainMismatch
from thermohw.nonideal.programming_noise import ProgrammingNoise
from thermohw.nonideal.quantization import Quantization
from thermohw.nonideal.stuck_couplings import StuckCouplings

QUADRATURE = 64
"""Nodes of the average over drift exponents."""


class CouplingErrors(BaseModel):
    """J'_ij = g (1 + c) (1 + e_i) (1 + e_j) (1 + d_ij) K_ij + a_ij, K = J + x (N J + J N), with independent errors.

    N couples neighbouring lines, as in `Crosstalk`. All errors have the mean zero: c one of all couplings, e_i one a
    line, d_ij and a_ij one a coupling.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    gain: float = Field(default=1.0, gt=0, le=100, description="g, mean factor of all couplings, such as drift's")
    common: float = Field(default=0.0, ge=0, le=10, description="standard deviation of c, coherent over all couplings")
    line: float = Field(default=0.0, ge=0, le=10, description="standard deviation of e, coherent along a line")
    pair: float = Field(default=0.0, ge=0, le=100, description="standard deviation of d, incoherent")
    additive: float = Field(default=0.0, ge=0, description="standard deviation of a, k_BT; it moves no optimum")
    crosstalk: float = Field(default=0.0, ge=-0.25, le=0.25, description="x, share of neighbouring lines")
    limit: float | None = Field(
        default=None, gt=0, description="largest |J| that the device holds, k_BT; None: no limit"
    )

    @property
    def present(self) -> bool:
        """Get whether the device changes anything."""
        return self != CouplingErrors()

    @property
    def second_order(self) -> float:
        """Get A = g² (1 + ⟨c²⟩) (1 + ⟨e²⟩), the factor of the terms J_ij J_ik, j ≠ k, in the mean."""
        return self.gain**2 * (1 + self.common**2) * (1 + self.line**2)

    @property
    def incoherence(self) -> float:
        """Get (1 + ⟨e²⟩)(1 + ⟨d²⟩) − 1, by which the terms J_ij² outgrow the others in the mean."""
        return (1 + self.line**2) * (1 + self.pair**2) - 1

    def at(self, kT: float) -> "CouplingErrors":
        """Get the same errors in the unit of a device's kT."""
        limit = None if self.limit is None else self.limit * kT
        return self.model_copy(update={"limit": limit, "additive": self.additive * kT})

    @staticmethod
    def of(effects: Sequence[Effect], limit: float | None = None) -> "CouplingErrors":
        """Get the errors that effects make on average, over devices and runs.

        Additive errors are left out, since they move no optimum; so are biases, units, dynamics and readout.

        Args:
            effects: Of a profile.
            limit: Largest |J| that the device holds, k_BT.

        Raises:
            TrainingError: Couplings stuck at one end of the range, whose mean is not zero.
        """
        gain, pair, limits = 1.0, 1.0, [] if limit is None else [limit]
        common = line = crosstalk = 0.0
        for effect in effects:
            match effect:
                case Quantization():
                    limits += [] if effect.coupling_range is None else [effect.coupling_range]
                case ProgrammingNoise(proportional=True):
                    pair *= 1 + effect.prog_noise_std**2
                case CouplingMismatch():
                    pair *= 1 + effect.std**2
                case StuckCouplings(stuck_prob=share) if share:
                    if effect.stuck_at in ("min", "max") or share == 1:
                        raise TrainingError(
                            "training reckons with couplings stuck at zero, or anywhere, but not at one end"
                        )
                    gain *= 1 - share
                    pair /= 1 - share
                case CouplingDrift():
                    mean, square = _drift_moments(effect)
                    gain *= mean
                    pair *= square / mean**2
                case LineGainMismatch():
                    gain *= 1 + effect.common
                    common, line = effect.common_std, effect.std
                case Crosstalk():
                    crosstalk = effect.coupling
                case _:
                    pass
        return CouplingErrors(
            gain=gain,
            common=common,
            line=line,
            pair=float(np.sqrt(max(pair - 1, 0.0))),
            crosstalk=crosstalk,
            limit=min(limits, default=None),
        )


def _drift_moments(drift: CouplingDrift) -> tuple[float, float]:
    """Get the mean and the mean square of a coupling's drift factor."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(QUADRATURE)
    factors = (1 + drift.elapsed / drift.t0) ** -np.abs(drift.nu + drift.nu_std * nodes)
    share = weights / weights.sum()
    return float(share @ factors), float(share @ factors**2)
