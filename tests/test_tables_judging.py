# SPDX-License-Identifier: Apache-2.0
"""Modes that grow in a table and not in its program: found, told, and warned of."""

import warnings

import numpy as np
import pytest

from thermohw import Program, Topology
from thermohw.tables.judging import SpuriousModesWarning
from thermohw.training.quantized import quantize_program

UNITS = 40


def uniform_program(coupling: float, outlier: float) -> Program:
    """Couple all units alike, but one pair: the leading mode of −J has about the eigenvalue −39 · coupling."""
    topology = Topology.complete(UNITS)
    couplings = np.full(len(topology.pairs), coupling)
    couplings[5] = outlier
    return Program(topology, np.array(10.0), np.array(10.0), np.zeros(UNITS), couplings)


def test_a_spurious_mode_is_warned_of() -> None:
    program = uniform_program(-0.4, -0.7)  # the mode at 15.6 is rounded to 27.3, over the line at 24.5
    with pytest.warns(SpuriousModesWarning, match=r"1 modes of −J grow in the table, 0 in the program .*24\.46 k_BT"):
        quantized = quantize_program(program, 2, "nearest")
    assert quantized.modes.spurious == 1
    assert quantized.distortion is None
    told = quantized.table.provenance
    assert (told["modes.growing.program"], told["modes.growing.table"]) == ("0", "1")
    exact = np.sort(np.linalg.eigvalsh(-quantized.table.program.matrix.toarray()))[::-1]
    assert told["modes.leading.table"] == ", ".join(f"{value:.4g}" for value in exact[:5])
    assert exact[0] == pytest.approx(0.7 * (UNITS - 1))
    assert float(told["modes.growth-line"]) == pytest.approx(quantized.modes.program.growth_line, rel=1e-5)


def test_lost_modes_are_counted() -> None:
    program = uniform_program(-0.7, -1.5)  # rounded to zero, but for one pair
    modes = quantize_program(program, 2, "nearest").modes
    assert (modes.spurious, modes.lost, modes.program.growing, modes.table.growing) == (0, 1, 1, 0)


@pytest.mark.parametrize(("coupling", "outlier", "method"), [(-0.4, -0.7, "mse"), (-0.8, -0.8, "nearest")])
def test_no_warning_where_the_same_modes_grow(coupling: float, outlier: float, method: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quantized = quantize_program(uniform_program(coupling, outlier), 2, method)  # pyright: ignore[reportArgumentType]
    assert quantized.modes.spurious == 0
    assert quantized.modes.table.growing == quantized.modes.program.growing == int(coupling < -0.7)
