# SPDX-License-Identifier: Apache-2.0
"""Boards that hold codes only and measure no heat: what they are given, and what is computed for them."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from memory_board import MemoryBoard
from serial_examples import PLAN, PROGRAM, inertial, opened

from thermohw import (
    CouplingTable,
    Program,
    SimulatedDevice,
    Topology,
)
from thermohw.backends.serial_table import finest_table, is_exact
from thermohw.device import ThermodynamicDevice
from thermohw.errors import DeviceLimitError


def simple_board(**settings: Any) -> MemoryBoard:
    return MemoryBoard(programs=("table",), heat=False, **settings)


def test_a_program_of_few_digits_is_held_exactly() -> None:
    simple = replace(PROGRAM, biases=np.array([0.5, -1, 0, 2, 3.25]), couplings=np.arange(-3, 4) / 4)
    board = simple_board()
    with opened(board) as device:
        device.program(simple)
        assert device.held is simple
        assert np.array_equal(board.device.held.couplings, simple.couplings)
        assert device.run(PLAN).provenance["program"] == simple.digest


def test_another_program_is_rounded_to_what_is_held() -> None:
    board = simple_board()
    with opened(board) as device:
        device.program(PROGRAM)
        held = device.held
        assert held is not PROGRAM
        assert board.device.held.digest == held.digest == device.run(PLAN).provenance["program"]
        np.testing.assert_allclose(held.couplings, PROGRAM.couplings, rtol=0, atol=0.7 * 2.0**-15)
        assert (held.couplings != PROGRAM.couplings).any()


@pytest.mark.parametrize("bits", [2, 3, 8, 12, 16])
def test_a_table_goes_to_the_board_as_it_is(bits: int) -> None:
    random = np.random.default_rng(bits)
    program = Program(
        Topology.layered(9, 7), np.array(1.0), np.array(1.0), random.normal(size=16), random.normal(size=84)
    )
    table = CouplingTable.quantize(program, bits)
    board = simple_board()
    with opened(board) as device:
        device.program(table)
        assert device.held.digest == table.program.digest
        assert bytes(board.area) == table.to_bytes()
        device.program(table.program)  # its energies alone are as good: their common energy is found
        assert device.held.digest == table.program.digest


def test_the_finest_table_errs_by_half_a_code_at_most() -> None:
    random = np.random.default_rng(0)
    for size in (1e-300, 1e-3, 1.0, 1e300):
        values = random.normal(size=10) * size
        program = Program(Topology.complete(5), np.array(1.0), np.array(1.0), np.zeros(5), values)
        table = finest_table(program)
        largest = np.abs(values).max()
        assert np.abs(table.program.couplings - values).max() <= largest / 2**15
        assert np.abs(table.codes).max() > 16_000
        assert not is_exact(table, program)


def test_a_program_that_codes_make_unstable_is_refused() -> None:
    pairs = Topology.from_pairs(4, 0, [(0, 1), (2, 3)])
    soft = Program(pairs, np.array(0.5), np.array(0.0), np.zeros(4), np.array([1 - 1e-9, 0.5772156649]))
    with (
        opened(simple_board()) as device,
        pytest.raises(DeviceLimitError, match=r"16 bits cannot run: .*bounded below"),
    ):
        device.program(soft)


@pytest.mark.parametrize("keep", ["none", "final", "both", "trajectory"])
@pytest.mark.parametrize("make", [SimulatedDevice, inertial])
def test_the_heat_of_a_board_that_measures_none_is_computed(keep: Any, make: Callable[[], ThermodynamicDevice]) -> None:
    simple = Program(Topology.complete(2), np.array(1.0), np.array(1.0), np.array([0.5, 0]), np.array([0.25]))
    plan = replace(PLAN, keep=keep, dt=None)
    with opened(MemoryBoard(make(), heat=False)) as device, make() as emulator:
        device.program(simple)
        emulator.program(simple)
        found, expected = device.run(plan), emulator.run(plan)
    np.testing.assert_allclose(found.heat, expected.heat, rtol=1e-4, atol=1e-4)
    assert np.array_equal(found.work, np.zeros(12))
    for name in ("states", "initial_states", "velocities"):
        assert np.array_equal(getattr(found, name), getattr(expected, name))
