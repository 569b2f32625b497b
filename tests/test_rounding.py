# SPDX-License-Identifier: Apache-2.0
"""Rounding at little loss of likelihood: against the Hessian written out, brute force, and what must not be as good."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from training_examples import TOPOLOGIES, Floats, small_protocol

from thermohw import CouplingTable, Images, Program, Topology, datasets, train
from thermohw.errors import TableError, TrainingError
from thermohw.tables.grids import Grid, GridName
from thermohw.tables.quantize import choose_scale
from thermohw.testing import assert_mean
from thermohw.training.expected import expected_moments
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.moments import DenseMoments, LowRankMoments, PathMoments
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.quantized import RoundingMethod, quantize_program
from thermohw.training.reduction import reduce_moments
from thermohw.training.rounding import RoundingProblem, distortion, full_quadratic, round_to_likelihood
from thermohw.training.trained import TrainingRun

GRIDS: list[tuple[int, GridName]] = [(2, "ternary"), (3, "uniform"), (3, "power-of-two"), (5, "uniform")]
CASES = [(name, *grid) for name in TOPOLOGIES for grid in GRIDS]
BIAS_BITS = 3


def trained(topology: Topology) -> tuple[Program, PathMoments]:
    """Train on three patterns in closed form; biases are learned and offset, so that rounding them matters."""
    protocol = small_protocol({"hidden_biases": True}, topology=topology)
    moments = expected_moments(protocol)
    units = topology.units
    quadratic = PathQuadratic(moments, topology, np.arange(units))
    couplings, biases = quadratic.unpack(maximize_likelihood(quadratic).z)
    biases = biases + np.random.default_rng(4).normal(scale=2.0, size=units)
    return Program(topology, np.full(units, 10.0), np.full(units, 10.0), biases, couplings), moments


def make_problem(name: str, bits: int, grid: GridName, uneven: bool = False) -> RoundingProblem:
    program, moments = trained(TOPOLOGIES[name])
    scale = choose_scale(program.biases, BIAS_BITS)
    shift = Grid(BIAS_BITS).nearest(program.biases, scale) * scale - program.biases
    gains = uneven_gains(program) if uneven else None
    return RoundingProblem(program, moments, Grid(bits, grid), shift, reduce_moments(moments.second, 0.0), 1, gains)


def uneven_gains(program: Program) -> Floats:
    """Get gains of couplings that units share, and one that has the wrong sign."""
    lines = np.exp(np.random.default_rng(5).normal(scale=0.3, size=program.units))
    gains: Floats = lines[program.topology.pairs].prod(axis=1)
    gains[-1] *= -1
    return gains


def dense_hessian(quadratic: PathQuadratic) -> Floats:
    return np.stack([quadratic.hessian_product(row) for row in np.eye(quadratic.size)])


def single_changes(problem: RoundingProblem, hessian: Floats, index: NDArray[np.int32], scales: Floats) -> Floats:
    """Get the change of δ, (pairs, levels), of moving one coupling to each level, from the Hessian written out."""
    error = problem.error(index, scales)
    d = np.concatenate([error, problem.shift])
    pairs = len(error)
    slope, curvature = (hessian @ d)[:pairs, None], np.diag(hessian)[:pairs, None]
    codes = problem.grid.codes
    gains = np.ones(pairs) if problem.gains is None else problem.gains
    move = (codes[None, :] - codes[index][:, None]) * (gains * scales[problem.block_of])[:, None]
    return slope * move + 0.5 * curvature * move**2


# The distortion


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_distortion_is_the_second_order_of_the_likelihood(name: str) -> None:
    program, moments = trained(TOPOLOGIES[name])
    table = CouplingTable.quantize(program, 3)
    quadratic = full_quadratic(program, moments)
    z = quadratic.pack(program.couplings, program.biases)
    d = quadratic.pack(table.program.couplings, table.program.biases) - z
    loss = quadratic.value(z + d) - quadratic.value(z)
    found = distortion(program, table.program, moments)
    assert found == pytest.approx(loss - quadratic.gradient(z) @ d, rel=1e-9)
    assert found == pytest.approx(0.5 * d @ dense_hessian(quadratic) @ d, rel=1e-9)
    assert distortion(program, program, moments) == 0
    problem = make_problem(name, 3, "uniform")
    assert problem.measure(np.zeros(len(program.couplings))) > 0  # the rounded biases alone


# The descent


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize(("name", "bits", "grid"), CASES)
def test_descent_never_rises_and_ends_where_no_single_change_helps(
    name: str, bits: int, grid: GridName, uneven: bool
) -> None:
    problem = make_problem(name, bits, grid, uneven)
    hessian = dense_hessian(problem.quadratic)
    scales = problem.scales(np.full(len(problem.blocks), 0.8))
    index = problem.dithered(scales)
    tiny = 1e-7 * problem.measure(problem.error(index, scales))
    assert single_changes(problem, hessian, index, scales).min() < -tiny  # a random rounding is not a minimum
    found = [problem.measure(problem.error(index, scales))]
    moved = -1
    while moved and len(found) < 200:
        state = problem.descended(index, scales, 1)
        index, moved = state.index, state.moved
        found.append(state.distortion)
    assert moved == 0
    assert np.diff(found).max() <= tiny
    assert single_changes(problem, hessian, index, scales).min() >= -tiny
    at_once = problem.descended(problem.dithered(scales), scales, 200)
    assert np.array_equal(at_once.index, index)


def test_descent_finds_the_least_distortion_of_all_tables() -> None:
    topology = Topology.from_pairs(3, 2, [[0, 3], [1, 3], [1, 4], [2, 4], [3, 4]])
    program, moments = trained(topology)
    shift = np.array([0.3, -0.2, 0.1, 0.0, 0.4])
    problem = RoundingProblem(program, moments, Grid(2), shift, reduce_moments(moments.second, 0.0), 1)
    scales = problem.scales(np.full(2, 0.7))
    states = [np.array(state, np.int32) for state in product(range(3), repeat=5)]
    distortions = np.array([problem.measure(problem.error(state, scales)) for state in states])
    ends = [problem.descended(state, scales, 50) for state in states]
    assert min(end.distortion for end in ends) == pytest.approx(distortions.min(), rel=1e-9)
    hessian = dense_hessian(problem.quadratic)
    for state, before, end in zip(states, distortions, ends, strict=True):
        assert end.distortion <= before * (1 + 1e-12)
        assert (end.moved == 0) and single_changes(problem, hessian, end.index, scales).min() >= -1e-9
        fixed = np.array_equal(end.index, state)
        assert fixed == (single_changes(problem, hessian, state, scales).min() >= -1e-9)
    assert problem.descended(problem.dithered(scales), scales, 50).distortion <= np.quantile(distortions, 0.05)


def sequential_in_full(problem: RoundingProblem, scales: Floats) -> NDArray[np.int32]:
    """Round row by row with the Hessian written out: solve for the open couplings of the row after each rounding."""
    pairs, exact = problem.program.topology.pairs, problem.program.couplings
    gains = np.ones(len(pairs)) if problem.gains is None else problem.gains
    hessian = dense_hessian(problem.quadratic)
    d = np.concatenate([np.zeros(len(pairs)), problem.shift])
    index = np.zeros(len(pairs), np.int32)
    for i in range(problem.program.topology.units):
        row = np.flatnonzero(pairs[:, 0] == i)
        for number, p in enumerate(row):
            still = row[number:]
            d[still] = 0
            d[still] = -np.linalg.solve(hessian[np.ix_(still, still)], (hessian @ d)[still])
            levels = problem.grid.codes * scales[problem.block_of[p]]
            index[p] = np.argmin(np.abs(exact[p] + d[p] / gains[p] - levels))
            d[p] = gains[p] * (levels[index[p]] - exact[p])
    return index


@pytest.mark.parametrize("uneven", [False, True])
@pytest.mark.parametrize(("name", "bits", "grid"), CASES)
def test_sequential_rounding_is_that_of_the_hessian(name: str, bits: int, grid: GridName, uneven: bool) -> None:
    problem = make_problem(name, bits, grid, uneven)
    scales = problem.scales(np.full(len(problem.blocks), 0.8))
    plain = problem.sequential(scales, 0.0)
    assert np.array_equal(plain, sequential_in_full(problem, scales))
    if len(plain) > 50:  # enough for chance not to decide
        random = problem.measure(problem.error(problem.dithered(scales), scales))
        assert problem.measure(problem.error(plain, scales)) < random
        assert not np.array_equal(problem.sequential(scales), plain)


def test_couplings_make_good_for_rounded_biases() -> None:
    problem = make_problem("layered", 4, "uniform")
    blind = replace(problem, shift=np.zeros(22))
    scales = problem.scales(np.ones(2))
    start = problem.dithered(scales)
    ignorant = blind.descended(start, scales, 200)
    assert ignorant.distortion < blind.measure(blind.error(start, scales))
    seen = problem.descended(start, scales, 200).distortion
    assert seen < 0.9 * problem.measure(problem.error(ignorant.index, scales))


# Random rounding


@pytest.mark.parametrize(("bits", "grid"), GRIDS)
def test_random_rounding_is_unbiased_and_nearest_is_not(bits: int, grid: GridName) -> None:
    levels = Grid(bits, grid)
    values = np.linspace(-1, 1, 9) * 0.93 * levels.largest
    generator = np.random.default_rng(8)
    draws = np.stack([levels.dithered(values, 1.0, generator) for _ in range(4000)])
    assert set(draws.ravel().tolist()) <= set(levels.codes.tolist())
    assert_mean(draws, values)
    nearest = np.stack([levels.nearest(values + 1e-9 * number, 1.0) for number in range(20)])
    with pytest.raises(AssertionError):
        assert_mean(nearest, values)
    beyond = levels.dithered(np.array([-1e9, 1e9, 0.0]), 1.0, generator)
    assert beyond.tolist() == [-levels.largest, levels.largest, 0]


# Whole tables


def small_run() -> TrainingRun:
    """Train on three small glyphs."""
    glyphs = Images(datasets.glyphs("012", size=8).pixels, np.arange(3), "small glyphs")
    return train(glyphs, overrides={"hidden": 32, "dt": 5e-3})


@pytest.mark.parametrize(("name", "bits", "grid"), CASES)
def test_tables_beat_nearest_rounding_and_are_reproducible(name: str, bits: int, grid: GridName) -> None:
    program, moments = trained(TOPOLOGIES[name])
    table = round_to_likelihood(program, moments, bits, bias_bits=BIAS_BITS, grid=grid, seed=2)
    levels = Grid(bits, grid)
    assert set(table.codes.tolist()) <= set(levels.codes.tolist())
    assert set(table.bits.values()) == {levels.stored_bits, BIAS_BITS}
    assert table.provenance["grid"] == grid
    assert (table.method, table.provenance["seed"], table.provenance["bits"]) == ("likelihood", "2", str(bits))
    found = distortion(program, table.program, moments)
    for rule in ("max", "mse"):
        rounded = CouplingTable.quantize(program, bits, bias_bits=BIAS_BITS, scale=rule, grid=grid)
        assert found <= distortion(program, replace(rounded.program, biases=table.program.biases), moments)
    assert round_to_likelihood(program, moments, bits, bias_bits=BIAS_BITS, grid=grid, seed=2).digest == table.digest


def test_modes_survive_where_nearest_rounding_bends_them() -> None:
    run = small_run()
    methods: tuple[RoundingMethod, ...] = ("nearest", "mse", "likelihood")
    found = {method: quantize_program(run.program, 3, method, moments=run.moments, seed=1) for method in methods}
    shifts = {
        method: np.abs(each.modes.table.eigenvalues[:3] - each.modes.program.eigenvalues[:3]).max()
        for method, each in found.items()
    }
    assert found["likelihood"].modes.table.growing == found["likelihood"].modes.program.growing == 3
    assert shifts["likelihood"] < 0.7
    assert min(shifts["nearest"], shifts["mse"]) > 3
    losses = {method: each.distortion or 0.0 for method, each in found.items()}
    assert 0 < losses["likelihood"] < 0.4 * min(losses["nearest"], losses["mse"])
    for each in found.values():
        assert each.table.provenance["distortion"] == f"{each.distortion:.6g}"
        assert each.table.provenance["program"] == run.program.digest


@pytest.mark.parametrize("bits", [3, 4])
def test_errors_are_those_of_the_device_that_the_table_is_for(bits: int) -> None:
    run = small_run()
    assert run.moments is not None
    gains = np.abs(uneven_gains(run.program))
    program = replace(run.program, couplings=run.program.couplings / gains)  # compensated
    aware = quantize_program(program, bits, moments=run.moments, seed=1, gains=gains)
    blind = quantize_program(program, bits, moments=run.moments, seed=1)
    on_the_device = [replace(program, couplings=each.table.program.couplings * gains) for each in (aware, blind)]
    wanted = replace(program, couplings=run.program.couplings)
    losses = [distortion(wanted, replace(each, biases=wanted.biases), run.moments) for each in on_the_device]
    assert aware.distortion == pytest.approx(losses[0], rel=0.05)  # the same, but for rounded biases
    assert losses[0] < 0.85 * losses[1]


def test_the_seed_is_chosen_and_recorded() -> None:
    program, moments = trained(TOPOLOGIES["layered"])
    table = round_to_likelihood(program, moments, 3)
    again = round_to_likelihood(program, moments, 3, seed=int(table.provenance["seed"]))
    other = round_to_likelihood(program, moments, 3, seed=int(table.provenance["seed"]) ^ 1)
    assert again.digest == table.digest
    assert not np.array_equal(other.codes, table.codes)
    assert table.bits["biases"] == 8


def test_full_moments_round_as_low_rank_ones() -> None:
    program, moments = trained(TOPOLOGIES["layered"])
    low_rank = moments.second
    assert isinstance(low_rank, LowRankMoments)
    S = low_rank.G @ low_rank.G.T
    np.fill_diagonal(S, low_rank.diagonal)
    C = low_rank.H @ low_rank.G.T
    dense = replace(moments, second=DenseMoments(S, C))
    tables = [round_to_likelihood(program, each, 3, seed=1) for each in (moments, dense)]
    first, second = (distortion(program, table.program, moments) for table in tables)
    assert second == pytest.approx(first, rel=0.05)
    nearest = CouplingTable.quantize(program, 3, bias_bits=8).program
    assert max(first, second) < 0.8 * distortion(program, nearest, moments)


def test_programs_without_couplings_and_wrong_input() -> None:
    program, moments = trained(TOPOLOGIES["layered"])
    alone = Program.uncoupled(Topology.from_pairs(16, 6, np.empty((0, 2), np.int32)))
    assert round_to_likelihood(alone, moments, 2, seed=1).codes.size == 0
    silent = replace(program, couplings=np.zeros_like(program.couplings), biases=np.zeros(22))
    assert not round_to_likelihood(silent, moments, 2, seed=1).codes.any()
    with pytest.raises(TrainingError, match="of 22 units, the program has 5"):
        round_to_likelihood(Program.uncoupled(Topology.complete(5)), moments, 3, seed=1)
    with pytest.raises(TableError, match="2 … 16"):
        round_to_likelihood(program, moments, 1, seed=1)


# The moments that the descent sees


@pytest.mark.parametrize("columns", [1, 3, 22])
@pytest.mark.parametrize("form", ["low rank", "full"])
def test_reduced_moments_state_their_error(columns: int, form: str) -> None:
    rng = np.random.default_rng(2)
    G = rng.normal(size=(22, 6)) * 0.5 ** np.arange(6)
    D = rng.uniform(0.1, 0.3, 22)
    S = np.diag(D) + G @ G.T
    second = LowRankMoments(D, G, G) if form == "low rank" else DenseMoments(S, S)
    reduced = reduce_moments(second, 0.0, columns)
    rebuilt = np.diag(reduced.D) + reduced.G @ reduced.G.T
    np.testing.assert_allclose(np.diag(rebuilt), np.diag(S), rtol=1e-12)
    off = ~np.eye(22, dtype=bool)
    error = np.linalg.norm((rebuilt - S)[off]) / np.linalg.norm(S[off])
    assert reduced.error == pytest.approx(error, rel=1e-6, abs=1e-12)
    assert reduced.G.shape[1] <= columns
    bound = {1: 0.6, 3: 0.2, 22: 1e-12 if form == "low rank" else 0.05}[columns]
    assert error <= bound
    loose = reduce_moments(second, 0.3, 22)
    assert loose.error <= 0.3
    assert loose.G.shape[1] < 6
