# SPDX-License-Identifier: Apache-2.0
"""Grids of levels: which codes there are, and rounding to them."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tables_examples import assert_same, numbers, programs

from thermohw import CouplingTable, Program, Topology
from thermohw.errors import TableError
from thermohw.tables.grids import Grid, GridName
from thermohw.tables.quantize import choose_scale

POWER_BITS = st.integers(2, 5)


@pytest.mark.parametrize(
    ("bits", "name", "codes", "stored"),
    [
        (2, "uniform", [-1, 0, 1], 2),
        (2, "ternary", [-1, 0, 1], 2),
        (3, "uniform", [-3, -2, -1, 0, 1, 2, 3], 3),
        (2, "power-of-two", [-1, 0, 1], 2),
        (3, "power-of-two", [-4, -2, -1, 0, 1, 2, 4], 4),
        (4, "power-of-two", [-64, -32, -16, -8, -4, -2, -1, 0, 1, 2, 4, 8, 16, 32, 64], 8),
    ],
)
def test_the_codes_of_a_grid(bits: int, name: GridName, codes: list[int], stored: int) -> None:
    grid = Grid(bits, name)
    assert grid.codes.tolist() == codes
    assert (grid.largest, grid.stored_bits) == (codes[-1], stored)
    assert grid.largest <= 2 ** (stored - 1) - 1
    assert len(grid.codes) == 2**bits - 1
    assert Grid.of_table(stored, name).codes.tolist() == codes


def test_five_bits_of_powers_fill_a_table() -> None:
    assert (Grid(5, "power-of-two").largest, Grid(5, "power-of-two").stored_bits) == (2**14, 16)


@pytest.mark.parametrize(
    ("bits", "name", "words"),
    [
        (6, "power-of-two", "2 … 5 bits, got 6"),
        (3, "ternary", "2 bits, not 3"),
        (1, "power-of-two", "2 … 16"),
        (3, "log", "unknown grid 'log'; there are: uniform, power-of-two, ternary"),
    ],
)
def test_grids_that_do_not_exist_are_refused(bits: int, name: GridName, words: str) -> None:
    with pytest.raises(TableError, match=words):
        Grid(bits, name)


@given(numbers(6, st.floats(-50, 50)), POWER_BITS, st.floats(1e-3, 10))
def test_nearest_is_nearest(values: np.ndarray, bits: int, scale: float) -> None:
    grid = Grid(bits, "power-of-two")
    codes = grid.nearest(values, scale)
    assert set(codes.tolist()) <= set(grid.codes.tolist())
    least = np.abs(values[:, None] - grid.codes * scale).min(axis=1)
    np.testing.assert_allclose(np.abs(values - codes * scale), least, rtol=1e-12, atol=1e-12)


@given(numbers(5, st.floats(-100, 100)), POWER_BITS)
def test_mse_on_powers_is_at_least_as_good_as_any_scanned_scale(values: np.ndarray, bits: int) -> None:
    grid = Grid(bits, "power-of-two")

    def error(scale: float) -> float:
        return float(np.sum((values - grid.nearest(values, scale) * scale) ** 2))

    largest = float(np.abs(values).max())
    scan = [scale for scale in np.geomspace(1e-2, 1.2, 400) * largest if scale > 1e-300]
    plain = choose_scale(values, grid)
    assert error(choose_scale(values, grid, "mse")) <= min(map(error, [*scan, plain])) + 1e-12 * np.sum(values**2)


@given(programs(), POWER_BITS, st.sampled_from(["max", "mse"]))
def test_tables_of_powers(program: Program, bits: int, rule: str) -> None:
    grid = Grid(bits, "power-of-two")
    try:
        table = CouplingTable.quantize(program, bits, bias_bits=6, scale=rule, grid="power-of-two")  # pyright: ignore[reportArgumentType]
    except TableError as error:  # rounding may take the floor from under the energy
        assert "bounded" in str(error)
        return
    assert set(table.codes.tolist()) <= set(grid.codes.tolist())
    assert {table.bits[block] for block in program.topology.blocks} <= {grid.stored_bits}
    assert (table.bits["biases"], table.provenance["bits"]) == (6, str(bits))
    assert_same(CouplingTable.from_bytes(table.to_bytes()), table)


def test_the_report_counts_what_lies_beyond_the_largest_power() -> None:
    couplings = np.array([1.0, 0.55, 0.1, -0.9, -0.63, 0.26])
    program = Program(Topology.complete(4), np.array(5.0), np.array(1.0), np.zeros(4), couplings)
    table = CouplingTable.quantize(program, 3, grid="power-of-two", clip=0.5)
    assert table.codes.tolist() == [4, 4, 1, -4, -4, 2]
    assert table.report(program)["visible-visible"].clipped == 3  # the largest level is 0.5, half a step more 0.625
    assert CouplingTable.quantize(program, 3, grid="power-of-two").report(program)["visible-visible"].clipped == 0
