# SPDX-License-Identifier: Apache-2.0
"""The analog devices: components in SI units, and what a run brings back."""

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import integrate
from si_laws import ANALOG, FOLDER, Josephson, device_of, law_of, pair

from thermohw import Program, RunPlan, Samples, Topology
from thermohw.backends import JosephsonJunction, open_device
from thermohw.cards import load_card
from thermohw.errors import DeviceLimitError

each_card = pytest.mark.parametrize("name", ANALOG)
few = settings(max_examples=30)


def values(shape: int, low: float, high: float) -> st.SearchStrategy[NDArray[np.float64]]:
    """Get arrays of numbers that are zero or not so small that joules underflow."""
    numbers = st.lists(st.floats(low, high), min_size=shape, max_size=shape)
    return numbers.map(lambda found: np.array([round(number, 6) for number in found]))


@st.composite
def programs(draw: st.DrawFn, name: str) -> Program:
    """Programs of up to six units, bistable ones too, that every card of the kind can build."""
    units = draw(st.integers(1, 6))
    every = [(i, j) for i in range(units) for j in range(i)]
    pairs = draw(st.lists(st.sampled_from(every), unique=True)) if every else []
    topology = Topology.from_pairs(units, 0, pairs)
    josephson = name.startswith("josephson")
    J2 = draw(values(units, 1.0 if josephson else -20.0, 20.0))
    J4 = draw(values(units, 4.0 if josephson else 0.5, 13.0))
    biases = draw(values(units, -20.0, 20.0) if josephson else values(units, -60.0, 60.0))
    return Program(topology, J2, J4, biases, draw(values(len(topology.pairs), -5, 5)))


# Components


@each_card
@few
@given(data=st.data())
def test_components_build_the_program_they_came_from(name: str, data: st.DataObject) -> None:
    program, device = data.draw(programs(name)), device_of(name)
    back = device.program_of(device.components(program), program.topology)
    for what in ("J2", "J4", "biases", "couplings"):
        wanted = getattr(program, what)
        # E_L − E_J is a difference of numbers up to ten times J2
        np.testing.assert_allclose(
            getattr(back, what), wanted, rtol=1e-12, atol=1e-12 * max(1, abs(wanted).max(initial=0))
        )


@each_card
@few
@given(data=st.data())
def test_components_energies_and_drifts_are_those_worked_out_by_hand(name: str, data: st.DataObject) -> None:
    program, device, law = data.draw(programs(name)), device_of(name), law_of(name)
    device.program(program)
    built, parts = device.as_built, device.components(program)
    assert built is not None
    by_hand = law.components(program)
    found = {key: np.asarray(getattr(parts, key)) for key in by_hand}
    for key, expected in by_hand.items():
        np.testing.assert_allclose(found[key], expected, rtol=1e-9, atol=0, err_msg=key)
    x = data.draw(values(3 * program.units, -3, 3)).reshape(3, -1)
    z, pairs = x * law.length, program.topology.pairs
    energy, reduced = law.total(found, pairs, z), built.energy(x)
    terms = 1e-9 * law.thermal * (1 + np.abs(reduced).max())
    np.testing.assert_allclose(energy - energy[0], (reduced - reduced[0]) * law.thermal, rtol=1e-8, atol=terms)
    drift = built.mobility * built.force(x)
    largest = np.abs(drift).max() + 1
    np.testing.assert_allclose(
        law.drift(found, pairs, z) * law.time / law.length, drift, rtol=1e-8, atol=1e-8 * largest
    )


@each_card
def test_scale_inertia_and_noise_are_those_worked_out_by_hand(name: str) -> None:
    device, law = device_of(name), law_of(name)
    device.program(pair())
    built, scale = device.as_built, device.spec.scale
    assert built is not None and scale is not None and scale == device.scale
    assert scale.energy == pytest.approx(law.thermal, rel=1e-12)
    assert scale.length == pytest.approx(law.length, rel=1e-9)
    assert scale.time == pytest.approx(law.time, rel=1e-9)
    assert built.mass * scale.time == pytest.approx(law.inertia, rel=1e-9)
    diffusion = built.mobility * built.kT * scale.length**2 / scale.time
    assert diffusion == pytest.approx(law.diffusion, rel=1e-9)
    assert (scale.coordinate, scale.unit) == {
        "rc": ("voltage", "V"),
        "mechanical": ("deflection", "m"),
        "josephson": ("phase", "rad"),
    }[name.split("_")[0]]


def test_fluxes_and_mutual_inductances_follow_from_phases() -> None:
    law, program = Josephson("josephson_flux"), pair(3.0, (4.0, -2.0), J2=np.array([10.0, 5.0]))
    parts = JosephsonJunction("josephson_flux").components(program)
    inverse = np.diag(1 / parts.inductance) + np.array([[0, 1], [1, 0]]) * parts.inverse_inductance
    exact = np.linalg.inv(inverse)[0, 1]
    assert parts.mutual_inductance == pytest.approx(exact, rel=0.02)  # first order in M/L, which is 5 %
    quantum = 2.067833848e-15  # Wb
    alone = law.components(program)["external_phase"] / parts.inductance
    np.testing.assert_allclose(
        inverse @ (parts.applied_flux * 2 * np.pi / quantum), alone, rtol=1e-9, atol=1e-9 * abs(alone).max()
    )


# What comes back


def integral(function: Callable[[float], float]) -> float:
    return float(integrate.quad(function, -2, 2)[0])


@each_card
def test_samples_in_si_units_obey_the_laws_of_the_card(name: str, tmp_path: Path) -> None:
    """The rms coordinate is that of a quadrature in SI units, and the heat is the energy lost, in joules."""
    device, law = device_of(name), law_of(name)
    one = Program.uncoupled(Topology.from_pairs(64, 0, []))
    device.program(one)
    dt = 0.001 * max(1.0, device.reduced_mass**0.5)
    samples = device.run(RunPlan(40 * dt, 256, dt, record_every=10, keep="trajectory", seed=7))
    path = samples.save(tmp_path / "samples.npz")
    found, again = samples.physical(), Samples.load(path).physical()
    parts = {key: values for key, values in law.components(one).items() if values.ndim}
    single = {key: values[:1] for key, values in parts.items()}

    def density(z: float) -> float:  # z in x_u
        lowest = law.energy(single, np.zeros(1))[0]
        return float(np.exp(-(law.energy(single, np.array([z * law.length]))[0] - lowest) / law.thermal))

    rms = law.length * np.sqrt(integral(lambda z: z * z * density(z)) / integral(density))
    count = found.initial_states.size
    assert np.sqrt(np.mean(found.initial_states.astype(float) ** 2)) == pytest.approx(rms, rel=4 / np.sqrt(2 * count))
    assert found.duration == pytest.approx(40 * dt * law.time, rel=1e-9)
    assert found.times == pytest.approx(np.arange(5) * 10 * dt * law.time, rel=1e-9)
    assert found.trajectory is not None and found.trajectory.shape == (256, 5, 64)
    assert np.array_equal(found.trajectory[:, -1], found.states)
    lost = [law.energy(parts, states.astype(np.float64)).sum(axis=1) for states in (found.initial_states, found.states)]
    drop = lost[0] - lost[1]
    if law.inertia:
        assert found.velocities is not None and found.initial_velocities is not None
        mass = law.inertia * law.thermal / law.diffusion
        squares = (found.initial_velocities.astype(np.float64) ** 2 - found.velocities.astype(np.float64) ** 2).sum(1)
        drop += 0.5 * mass * squares
        speed = np.sqrt(np.mean(found.initial_velocities.astype(float) ** 2))
        assert speed == pytest.approx(np.sqrt(law.diffusion / law.inertia), rel=4 / np.sqrt(2 * count))
    else:
        assert found.velocities is None and found.initial_velocities is None
    np.testing.assert_allclose(found.heat, drop, rtol=1e-4, atol=2e-4 * law.thermal)
    assert np.array_equal(found.work, np.zeros(256))
    for what in ("states", "initial_states", "heat", "times", "trajectory", "velocities", "initial_velocities"):
        np.testing.assert_array_equal(getattr(again, what), getattr(found, what))


def test_samples_of_the_ideal_device_have_no_si_units() -> None:
    with open_device("ideal") as device:
        device.program(pair())
        with pytest.raises(DeviceLimitError, match="dimensionless: run on a device that is built from a card"):
            device.run(RunPlan(0.1, 2, seed=1)).physical()


@pytest.mark.parametrize("name", ["ideal", *ANALOG])
def test_a_card_opens_by_name_by_path_and_by_itself(name: str, tmp_path: Path) -> None:
    copy = tmp_path / "another name.toml"
    shutil.copy(FOLDER / f"{name}.toml", copy)
    specs = [open_device(card).spec for card in (name, copy, str(copy), load_card(name))]
    assert all(spec == specs[0] for spec in specs) and specs[0].name == name
    assert type(open_device(copy)) is type(open_device(name))


@each_card
def test_a_run_records_its_seed_and_the_whole_card(name: str) -> None:
    device = device_of(name)
    device.program(pair(1.0))
    first = device.run(RunPlan(0.1, 3, 0.001))
    again = device.run(RunPlan(0.1, 3, 0.001, seed=first.seed))
    assert np.array_equal(first.states, again.states)
    assert first.provenance["seed"] == first.seed
    told = first.provenance["device"]
    assert type(device.card).model_validate_json(told["details"]["card"], strict=True) == load_card(name)
    assert told["scale"]["energy"] == pytest.approx(law_of(name).thermal)
    assert told["mass"] == device.reduced_mass
