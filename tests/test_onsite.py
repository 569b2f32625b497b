# SPDX-License-Identifier: Apache-2.0
"""The energy of one unit on its own: slopes, wells, bounds, thermal averages and exact samples."""

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from laws import kolmogorov_smirnov
from numpy.typing import NDArray
from scipy import integrate

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import NoiseKey
from thermohw.langevin.equilibrium import UncoupledEquilibrium
from thermohw.langevin.onsite import OnSite
from thermohw.langevin.stability import largest_stable_step, relaxation_rates
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]

UNITS = {  # J2, J4, c, w
    "paper": (10.0, 10.0, 0.0, 0.0),
    "linear": (4.0, 0.0, 0.0, 0.0),
    "double well": (-20.0, 10.0, 0.0, 0.0),
    "Josephson": (39.25, 0.0, 14.26, 2.0255),
    "Josephson, two wells": (7.7, 0.0, 5.7, 2.0255),
    "Josephson, many wells": (0.3, 0.0, 6.0, 3.0),
    "many wells, narrow": (1.0, 0.0, 4.0, 20.0),
    "cosine in a quartic": (-1.0, 0.5, 3.0, 4.0),
    "cosine upside down": (2.0, 0.1, -3.0, 5.0),
}
each_unit = pytest.mark.parametrize("name", UNITS)


def unit_of(*parameters: float) -> OnSite:
    return OnSite(*np.array(parameters)[:, None])


def energy(name: str, x: Floats, bias: float = 0.0) -> Floats:
    J2, J4, c, w = UNITS[name]
    return J2 * x**2 + J4 * x**4 + c * np.cos(w * x) + bias * x


def slope(name: str, x: Floats) -> Floats:
    J2, J4, c, w = UNITS[name]
    return 2 * J2 * x + 4 * J4 * x**3 - c * w * np.sin(w * x)


def built(*rows: tuple[float, ...], bias: float = 0.0, kT: float = 1.0) -> AsBuilt:
    J2, J4, c, w = np.array(rows).T
    units = len(J2)
    quartic = AsBuilt(units, J2, J4, np.array(bias), np.zeros((units, units)), np.array(1.0), np.array(kT))
    return replace(quartic, cosine=c, wavenumber=w)


@each_unit
def test_energy_and_slope_are_those_written_out_and_of_one_another(name: str) -> None:
    unit, x, h = unit_of(*UNITS[name]), np.linspace(-3, 3, 301)[:, None], 1e-5
    np.testing.assert_allclose(unit.energy(x), energy(name, x), rtol=1e-12, atol=1e-12)
    finite = (energy(name, x + h) - energy(name, x - h)) / (2 * h)
    np.testing.assert_allclose(unit.slope(x), finite, rtol=1e-6, atol=1e-6)


@each_unit
def test_stiffness_bounds_the_curvature_on_the_way(name: str) -> None:
    """It is the curvature itself up to half a period of the cosine, and never too small beyond."""
    unit, w, h = unit_of(*UNITS[name]), UNITS[name][3], 1e-4
    x = np.linspace(0, 3, 601)[:, None]
    curvature = (slope(name, x + h) - slope(name, x - h)) / (2 * h)
    stiffness = unit.stiffness(x**2)
    assert (stiffness >= np.maximum.accumulate(curvature, axis=0) - 1e-4 * np.abs(curvature).max()).all()
    if UNITS[name][2] >= 0:
        near = w * x <= np.pi
        np.testing.assert_allclose(stiffness[near], curvature[near], rtol=1e-5, atol=1e-5 * np.abs(curvature).max())


def test_units_can_be_taken_out() -> None:
    every = OnSite(*np.array(list(UNITS.values())).T)
    some, x = every.take([5, 2]), np.array([[0.7, -0.4]])
    assert some.energy(x)[0] == pytest.approx(every.energy(np.array([[0.0, 0, -0.4, 0, 0, 0.7, 0, 0, 0]]))[0][[5, 2]])


@each_unit
@pytest.mark.parametrize("pull", [0.0, 0.3, 5.0, 40.0])
def test_wells_are_the_outermost_rests_of_a_grid(name: str, pull: float) -> None:
    """Outermost change of sign of V' − pull among a million points, as far as |c w| can make one."""
    J2, J4, c, w = UNITS[name]
    roots = np.roots([4 * J4, 0, 2 * J2, -(pull + abs(c * w))] if J4 else [2 * J2, -(pull + abs(c * w))])
    far = 1.01 * float(roots[np.isreal(roots)].real.max()) + 0.01
    x = np.linspace(0, far, 1_000_001)
    rising = slope(name, x) >= pull
    last = int(np.flatnonzero(~rising).max(initial=0))
    found = float(unit_of(*UNITS[name]).wells(np.array([pull]))[0])
    periods = 1.0 if name == "many wells, narrow" else 0.0  # its outermost wells are shallower than the search resolves
    assert found == pytest.approx(x[last], abs=1.1 * x[1] + periods * 2 * np.pi / max(w, 1.0))


def test_wells_of_many_units_are_those_of_each() -> None:
    every, pulls = OnSite(*np.array(list(UNITS.values())).T), np.linspace(0, 9, len(UNITS))
    alone = [unit_of(*row).wells(np.array([pull]))[0] for row, pull in zip(UNITS.values(), pulls, strict=True)]
    assert every.wells(pulls) == pytest.approx(np.array(alone), rel=1e-9, abs=1e-12)


@st.composite
def shapes(draw: st.DrawFn) -> tuple[float, float, float, float]:
    """On-site energies that are bounded below."""
    J4 = draw(st.one_of(st.just(0.0), st.floats(1e-3, 30)))
    J2 = draw(st.floats(-30, 30) if J4 else st.floats(1e-3, 60))
    return J2, J4, draw(st.floats(-30, 30)), draw(st.floats(0, 6))


@given(shape=shapes(), above=st.floats(0, 50), bias=st.floats(-60, 60))
def test_reach_is_a_bound(shape: tuple[float, float, float, float], above: float, bias: float) -> None:
    """Beyond it, V1 − |bias| |x| exceeds its minimum by more than was asked for; and it is not absurdly far."""
    unit = unit_of(*shape)
    reach = float(unit.reach(np.array([above]), np.array([bias]))[0])
    assert np.isfinite(reach) and reach >= 0
    x = np.concatenate([np.linspace(0, reach, 5001), reach * np.geomspace(1, 100, 2001) + 1e-9])[:, None]
    excess = unit.energy(x)[:, 0] - abs(bias) * x[:, 0]
    excess -= excess.min()
    assert (excess[5001:] >= above * (1 - 1e-9) - 1e-9 * np.abs(excess[5001:])).all()


@given(shape=shapes(), pull=st.floats(0, 60))
def test_a_well_is_a_rest_with_nothing_but_walls_beyond(shape: tuple[float, float, float, float], pull: float) -> None:
    unit = unit_of(*shape)
    well = float(unit.wells(np.array([pull]))[0])
    curvature = abs(2 * shape[0]) + 12 * shape[1] * well**2 + abs(shape[2]) * shape[3] ** 2
    if well > 0:
        assert unit.slope(np.array([[well]]))[0, 0] == pytest.approx(pull, abs=1e-6 * (1 + curvature * (1 + well)))
    step = 1e-2 * max(1.0, well)  # what lies closer together than the grid of the search may be missed
    beyond = (well + step + np.linspace(0, 50, 20_001))[:, None]
    forces = unit.slope(beyond)[:, 0] - pull
    assert (forces > -1e-2 * curvature * step).all()


@each_unit
@pytest.mark.parametrize("kT", [0.1, 1.0, 7.0])
def test_thermal_variance_is_that_of_an_adaptive_quadrature(name: str, kT: float) -> None:
    lowest = float(energy(name, np.linspace(-9, 9, 200_001)).min())

    def moment(power: int) -> float:
        def integrand(x: float) -> float:
            return x**power * float(np.exp(-(energy(name, np.array(x)) - lowest) / kT))

        pieces = itertools.pairwise(np.linspace(0, 24, 193))
        return sum(float(integrate.quad(integrand, a, b, epsabs=1e-30, epsrel=1e-9)[0]) for a, b in pieces)

    found = built(UNITS[name], kT=kT).thermal_variance
    assert found == pytest.approx(moment(2) / moment(0), rel=1e-6)


def test_without_temperature_the_variance_is_the_square_of_the_well() -> None:
    assert built(UNITS["double well"], kT=0.0).thermal_variance == pytest.approx(1.0)
    assert built(UNITS["paper"], kT=0.0).thermal_variance == pytest.approx(0.0, abs=1e-12)


# Exact samples


@pytest.mark.parametrize("bias", [0.0, 1.5, -20.0])
@pytest.mark.parametrize("kT", [0.3, 1.0])
def test_samples_of_cosine_units_are_boltzmann_distributed(bias: float, kT: float) -> None:
    """Moments and the cumulative density against quadrature on a fine grid, several wells included."""
    rows = {name: row for name, row in UNITS.items() if row[2]}
    x = UncoupledEquilibrium.of(built(*rows.values(), bias=bias, kT=kT)).sample(NoiseKey(5), 100_000, np.float64)
    grid = np.linspace(-45, 45, 360_001)
    for column, name in enumerate(rows):
        levels = energy(name, grid, bias)
        weight = np.exp(-(levels - levels.min()) / kT)
        weight /= weight.sum()
        mean = float(weight @ grid)
        truth = np.array([mean, weight @ (grid - mean) ** 2, weight @ levels])
        observed = np.stack([x[:, column], (x[:, column] - mean) ** 2, energy(name, x[:, column], bias)], axis=1)
        assert_mean(observed, truth, sigmas=4)
        hotter = np.exp(-(levels - levels.min()) / (1.1 * kT))
        with pytest.raises(AssertionError, match="standard errors"):
            assert_mean(observed[:, 2], float(hotter @ levels / hotter.sum()), sigmas=4)
        cumulative = np.cumsum(weight)
        assert (
            kolmogorov_smirnov(x[:, column], lambda at, cumulative=cumulative: np.interp(at, grid, cumulative)) > 1e-4
        )


def test_all_wells_are_visited() -> None:
    """The share of each well of a many-welled unit is that of its weight."""
    name = "Josephson, many wells"
    x = UncoupledEquilibrium.of(built(UNITS[name])).sample(NoiseKey(6), 200_000, np.float64)[:, 0]
    tops = 2 * np.pi / UNITS[name][3] * (np.arange(-4, 4) + 0.5) + np.pi / UNITS[name][3]
    grid = np.linspace(-12, 12, 240_001)
    weight = np.exp(-energy(name, grid))
    truth = np.histogram(grid, tops, weights=weight / weight.sum())[0]
    assert (truth > 1e-3).sum() >= 4
    inside = (x[:, None] >= tops[:-1]) & (x[:, None] < tops[1:])
    assert_mean(inside[:, truth > 1e-3], truth[truth > 1e-3], sigmas=4)


# Time steps


def test_a_hot_shallow_cosine_keeps_a_stable_step() -> None:
    """Its thermal amplitude may lie where the cosine pulls, yet on the way there it pushes."""
    computer = replace(built((0.052, 0.0, 0.026, 2.0)), mass=np.array(7000.0))
    x = np.linspace(-6, 6, 6001)
    stiffest = float(np.max(2 * 0.052 - 0.026 * 4 * np.cos(2 * x)))
    assert relaxation_rates(computer, np.zeros(1))[0] >= 0.9 * stiffest
    assert largest_stable_step(computer) <= 2.1 * np.sqrt(7000 / stiffest)
