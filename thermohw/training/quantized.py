# SPDX-License-Identifier: Apache-2.0
"""Quantization of a trained program by any method, judged by the likelihood and by the modes that grow."""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TableError, TrainingError
from thermohw.program import Program
from thermohw.tables import CouplingTable
from thermohw.tables.grids import Grid, GridName
from thermohw.tables.judging import ModeComparison
from thermohw.tables.quantize import ScaleRule
from thermohw.training.moments import PathMoments
from thermohw.training.rounding import MIN_BIAS_BITS, distortion, round_to_likelihood

RoundingMethod = Literal["nearest", "mse", "likelihood"]
"""`nearest`: to the nearest level, the largest value on the outermost. `mse`: likewise, at the scale of least squared
error. `likelihood`: at the least loss of likelihood (see `rounding`)."""

_RULES: dict[str, ScaleRule] = {"nearest": "max", "mse": "mse"}


@dataclass(frozen=True, eq=False)
class QuantizedProgram:
    """A table and what rounding did to its program.

    Attributes:
        table: The table; its provenance tells the rest as well.
        modes: The modes of program and table.
        distortion: δ = ½ dᵀ H d per unit time; None where the path moments are unknown.
    """

    table: CouplingTable
    modes: ModeComparison
    distortion: float | None


def quantize_program(
    program: Program,
    bits: int,
    method: RoundingMethod = "likelihood",
    *,
    grid: GridName = "uniform",
    bias_bits: int | None = None,
    seed: int | None = None,
    moments: PathMoments | None = None,
    gains: NDArray[np.float64] | None = None,
) -> QuantizedProgram:
    """Round a program, in k_BT, to a coupling table, and compare the two.

    Args:
        program: The trained program.
        bits: Bits a coupling.
        method: How codes and scales are found.
        grid: Levels of the couplings; those of the biases are uniform.
        bias_bits: Bits a bias; None: as `bits`, but no fewer than 8.
        seed: Of the random rounding of `likelihood`; None chooses one.
        moments: Path moments of the training.
        gains: (pairs,) what the device makes of a programmed coupling, over it; None: 1. The errors that count by
            `likelihood`, and in the distortion, are those of the device's couplings.

    Raises:
        TableError: Bits outside the grid's range, an unknown method or grid, or an energy no longer bounded below.
        TrainingError: `likelihood` without moments, or moments of another number of units.

    Warns:
        SpuriousModesWarning: More modes grow in the table than in the program.
    """
    if method not in get_args(RoundingMethod):
        raise TableError(f"unknown method {method!r}; there are: {', '.join(get_args(RoundingMethod))}")
    levels = Grid(bits, grid)
    if bias_bits is None:
        bias_bits = max(levels.bits, MIN_BIAS_BITS)
    if method != "likelihood":
        table = CouplingTable.quantize(program, bits, bias_bits=bias_bits, scale=_RULES[method], grid=grid)
    elif moments is None:
        raise TrainingError(
            "the method likelihood needs the path moments of the training (moments.npz of a run's folder), which are "
            "not there: train again, or take the method mse"
        )
    else:
        table = round_to_likelihood(program, moments, bits, bias_bits=bias_bits, grid=grid, seed=seed, gains=gains)
    modes = ModeComparison.of(program, table.program)
    found = None if moments is None else distortion(program, table.program, moments, gains)
    told = {} if found is None else {"distortion": f"{found:.6g}"}
    modes.warn("take more bits" if method == "likelihood" else "take the method likelihood, or more bits")
    return QuantizedProgram(table.with_provenance({**told, **modes.provenance()}), modes, found)
