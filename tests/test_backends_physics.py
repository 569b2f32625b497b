# SPDX-License-Identifier: Apache-2.0
"""Every analog card against its own physics in SI units: equilibrium, relaxation, and the overdamped limit."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from si_laws import ANALOG, PHI0, RINGING, Josephson, Law, Mechanical, QuarticJosephson, device_of, law_of, pair

from thermohw import Program, RunPlan, Topology
from thermohw.backends import open_device
from thermohw.langevin.engine import Dynamics, NoiseKey
from thermohw.langevin.overdamped import OverdampedEngine
from thermohw.langevin.underdamped import UnderdampedEngine
from thermohw.samples import PhysicalSamples
from thermohw.testing import assert_mean

Floats = NDArray[np.float64]
Observable = Callable[[Floats], Floats]

UNITS, CHAINS = 64, 128
HOTTER = 1.15
each_card = pytest.mark.parametrize("name", ANALOG)
JOSEPHSON = [name for name in ANALOG if name.startswith("josephson")]


def single(J2: float, J4: float, bias: float) -> Program:
    return Program.uncoupled(Topology.complete(1), J2, J4, bias)


PROGRAMS = {
    "paper": single(10.0, 10.0, 0.0),
    "bistable": single(-3.0, 4.0, 0.8),
    "pushed": single(10.0, 10.0, -50.0),
    "pair": pair(-5.5, (3.0, -1.0)),
    "bistable pair": pair(-1.5, (0.8, 0.2), -3.0, 4.0),
}


# Equilibrium


@cache
def copies(name: str, which: str) -> PhysicalSamples:
    """Run copies of a program side by side, from states far from the answer, until the start is forgotten."""
    one = PROGRAMS[which]
    count = UNITS // one.units
    places = one.units * np.arange(count)[:, None]
    topology = Topology.from_pairs(UNITS, 0, places + one.topology.pairs.ravel() if one.units > 1 else [])
    J2, J4, biases, couplings = (np.tile(values, count) for values in (one.J2, one.J4, one.biases, one.couplings))
    device = open_device(name)
    device.program(Program(topology, J2, J4, biases, couplings))
    mass = device.spec.mass
    duration, dt = (18 * mass, 0.02 * mass**0.5) if mass > 1 else (5.0, 0.0005)  # amplitudes fall as e^{−t/2m*}
    start = np.where(np.arange(CHAINS) % 2, 0.6, -0.9)[:, None] * np.ones(UNITS)
    steps = round(duration / dt)
    return device.run(RunPlan(steps * dt, CHAINS, dt, initial=start, seed=11)).physical()


def expectation(law: Law, program: Program, observable: Observable, heat: float = 1.0) -> Floats:
    """Get ⟨observable(z/x_u)⟩ at heat · T_eff by quadrature of the energy in joules."""
    axis = np.linspace(-2.2, 2.2, 4001 if program.units == 1 else 401)
    x = np.stack(np.meshgrid(*[axis] * program.units, indexing="ij"), axis=-1).reshape(-1, program.units)
    energy = law.total(law.components(program), program.topology.pairs, x * law.length)
    weight = np.exp(-(energy - energy.min()) / (heat * law.thermal))
    probability = weight / weight.sum()
    return np.asarray(np.tensordot(probability, observable(x), axes=1), np.float64)


def compare(law: Law, name: str, which: str, heat: float = 1.0) -> None:
    """Hold central moments and the true energy of the samples against what a law at heat · T_eff expects of them."""
    truth, program = law_of(name), PROGRAMS[which]
    parts, pairs, centre = truth.components(program), program.topology.pairs, expectation(truth, program, lambda x: x)

    def observed(x: Floats) -> Floats:
        y, energy = x - centre, truth.total(parts, pairs, x * truth.length) / truth.thermal
        return np.concatenate([y, y**2, y**4, y[..., :1] * y[..., -1:], energy[..., None]], axis=-1)

    x = copies(name, which).states.astype(np.float64).reshape(CHAINS, -1, program.units) / truth.length
    assert_mean(observed(x).mean(axis=1), expectation(law, program, observed, heat), sigmas=4)


@each_card
@pytest.mark.parametrize("which", PROGRAMS)
def test_states_are_boltzmann_distributed_in_the_true_potential(name: str, which: str) -> None:
    compare(law_of(name), name, which)
    for factor in (HOTTER, 1 / HOTTER):
        with pytest.raises(AssertionError, match="standard errors"):
            compare(law_of(name), name, which, factor)


@pytest.mark.parametrize("name", JOSEPHSON)
def test_the_cosine_is_not_its_expansion(name: str) -> None:
    """Where units are driven far out, the density of the quartic potential is refuted."""
    with pytest.raises(AssertionError, match="standard errors"):
        compare(QuarticJosephson(name), name, "pushed")
    if name == "josephson_flux":
        for which in ("bistable", "bistable pair"):
            with pytest.raises(AssertionError, match="standard errors"):
                compare(QuarticJosephson(name), name, which)


@each_card
def test_equipartition_in_joules(name: str) -> None:
    """⟨z ∂E/∂z⟩ = k_B T_eff, and ⟨m (dz/dt)²⟩ = k_B T_eff where there is inertia."""
    law, found = law_of(name), copies(name, "paper")
    parts = {key: values for key, values in law.components(PROGRAMS["paper"]).items() if values.ndim}
    z = found.states.astype(np.float64)
    virial = (z * law.slope(parts, z)).mean(axis=1)
    assert_mean(virial / law.thermal, 1.0, sigmas=4)
    for factor in (HOTTER, 1 / HOTTER):
        with pytest.raises(AssertionError, match="standard errors"):
            assert_mean(virial / law.thermal, factor, sigmas=4)
    if found.velocities is not None:
        mass = law.inertia * law.thermal / law.diffusion
        kinetic = (mass * found.velocities.astype(np.float64) ** 2).mean(axis=1)
        assert_mean(kinetic / law.thermal, 1.0, sigmas=4)
        with pytest.raises(AssertionError, match="standard errors"):
            assert_mean(kinetic / law.thermal, HOTTER, sigmas=4)


# Relaxation without noise


def quiet(name: str, program: Program, start: float, step: float, steps: int, every: int) -> tuple[Floats, Floats]:
    """Follow one chain without noise from rest at x = start, with a step in s; returns times, s, and z."""
    device, law = device_of(name), law_of(name)
    device.program(program)
    assert device.as_built is not None
    built = replace(device.as_built, kT=np.array(0.0))
    dynamics = Dynamics(built, step / law.time, dtype=np.float64)
    states, record = np.full((1, built.units), start), np.empty((steps // every, 1, built.units))
    arguments = (states, NoiseKey(1), steps, np.zeros(1), record)
    if built.inertial:
        UnderdampedEngine(dynamics).advance(*arguments, np.zeros((1, built.units)))
    else:
        OverdampedEngine(dynamics).advance(*arguments)
    return every * step * np.arange(1, steps // every + 1, dtype=np.float64), record[:, 0] * law.length


def root_by_hand(name: str) -> complex:
    """Get the slow root s, 1/s, of a small disturbance e^{st} at J2 = J4 = 10 from the numbers in the card's file."""
    law = law_of(name)
    if isinstance(law, Mechanical):
        square = (2 * np.pi * law.parts["resonance_frequency"]) ** 2
        damping = 2 * np.pi * law.parts["resonance_frequency"] / law.parts["quality_factor"]
    elif isinstance(law, Josephson):
        L, R, C = (law.parts[key] for key in ("inductance", "resistance", "capacitance"))
        current = 240 * law.thermal / law.length**4 / PHI0
        square, damping = (1 / L - current / PHI0) / C, 1 / (R * C)
    else:
        return complex(-law.parts["conductance"] / law.parts["capacitance"])
    discriminant = np.sqrt(complex(damping**2 / 4 - square))
    return complex(-square / (damping / 2 + discriminant))


@each_card
def test_a_small_disturbance_decays_and_rings_as_the_components_say(name: str) -> None:
    root = root_by_hand(name)
    assert (abs(root.imag) > 0) == (name in RINGING)
    period = 1 / abs(root)
    step = period / (200 if name in RINGING else 4000)
    every = round(0.4 * period / step)
    law_time, z = quiet(name, PROGRAMS["paper"], 1e-3, step, every * 400 if name in RINGING else every * 20, every)
    interval = law_time[1] - law_time[0]
    series = z[5:, 0] / z[0, 0]
    if name in RINGING:  # z_{n+1} = 2 Re(e^{sτ}) z_n − |e^{sτ}|² z_{n−1}
        series = series[np.abs(series) > 1e-9]
        table = np.stack([series[1:-1], series[:-2]], axis=1)
        fit: Floats = np.asarray(np.linalg.lstsq(table, series[2:])[0], np.float64)
        twice, square = fit.tolist()
        angle = np.arccos(twice / 2 / np.sqrt(-square)) / interval
        assert angle == pytest.approx(abs(root.imag), rel=1e-3)
        assert np.log(-square) / 2 / interval == pytest.approx(root.real, rel=1e-3)
    else:
        assert np.log(series[-1] / series[0]) / (interval * (len(series) - 1)) == pytest.approx(root.real, rel=1e-3)


def test_the_numbers_that_the_ringing_cards_are_known_by() -> None:
    """1090 Hz and Q = 7, and the plasma frequency of a SQUID softened by its junction, that rings for R C_J."""
    root = root_by_hand("mechanical_cantilever")
    assert abs(root) / (2 * np.pi) == pytest.approx(1090, rel=1e-12)
    assert abs(root) / (-2 * root.real) == pytest.approx(7, rel=1e-12)
    root = root_by_hand("josephson_flux")
    assert -1 / (2 * root.real) == pytest.approx(371 * 4e-9, rel=1e-9)
    assert abs(root) / (2 * np.pi) == pytest.approx(40.1e6, rel=0.01)


@each_card
def test_the_response_to_a_small_bias_is_that_of_the_coupled_components(name: str) -> None:
    """K z = −f in SI units, with K the stiffness, conductance or inverse inductance matrix of two coupled units."""
    law, program, root = law_of(name), pair(-4.0, (0.01, -0.003)), root_by_hand(name)
    parts = law.components(program)
    softened, bias, coupling = _linear(law, parts)
    expected = np.linalg.solve(np.diag(softened) + coupling * np.array([[0, 1], [1, 0]]), -bias)
    step = 0.05 / abs(root)
    steps = int(np.ceil(20 / abs(root.real) / step))
    z = quiet(name, program, 0.0, step, steps, steps)[1][-1]
    assert np.abs(z / law.length).max() < 1e-3  # the cubic term is 2 x² of the linear one
    np.testing.assert_allclose(z, expected, rtol=1e-3)


def _linear(law: Law, parts: dict[str, Floats]) -> tuple[Floats, Floats, Floats]:
    """Get what a unit resists a small displacement with, what pushes it, and the coupling, in one unit."""
    if isinstance(law, Josephson):
        inverse = 1 / parts["inductance"]
        softened = inverse - parts["critical_current"] / PHI0
        return softened, -parts["external_phase"] * inverse, parts["inverse_inductance"]
    if isinstance(law, Mechanical):
        return parts["stiffness"], parts["force"], parts["coupling_stiffness"]
    return parts["linear_conductance"], parts["bias_current"], parts["coupling_conductance"]


# The overdamped limit


def relaxation(name: str, overdamped: bool, seed: int) -> Floats:
    """Get x and x² of coupled, biased units that relax from x = 0.4, (chains, times, 4), averaged over the copies."""
    device = open_device(name, overdamped=overdamped)
    copied = 32
    topology = Topology.from_pairs(2 * copied, 0, 2 * np.arange(copied)[:, None] + [[0, 1]])
    biases = np.tile([2.0, -3.0], copied)
    device.program(Program(topology, np.array(10.0), np.array(10.0), biases, np.full(copied, -5.0)))
    start = np.full((CHAINS, 2 * copied), 0.4)
    plan = RunPlan(0.3, CHAINS, 0.0005, initial=start, record_every=20, keep="trajectory", seed=seed)
    path = device.run(plan).trajectory
    assert path is not None
    x = path[:, 1:].astype(np.float64).reshape(CHAINS, -1, copied, 2)
    return np.concatenate([x, x**2], axis=-1).mean(axis=2)


@pytest.mark.parametrize("name", ["mechanical_overdamped", "josephson_overdamped"])
def test_light_units_relax_as_those_without_inertia(name: str) -> None:
    """Same-time means and squares agree within errors, with independent noise; inertia delays them by m* ≤ 5e-4 t0."""
    light, limit = relaxation(name, False, 1), relaxation(name, True, 2)
    assert_mean(light - limit, 0.0, sigmas=4)
    with pytest.raises(AssertionError, match="standard errors"):  # the control: a delay of 0.01 t0
        assert_mean(light[:, 1:] - limit[:, :-1], 0.0, sigmas=4)


def test_heavy_units_do_not() -> None:
    heavy, limit = relaxation("mechanical_cantilever", False, 1), relaxation("mechanical_overdamped", True, 2)
    with pytest.raises(AssertionError, match="standard errors"):
        assert_mean(heavy - limit, 0.0, sigmas=4)
