# SPDX-License-Identifier: Apache-2.0
"""Programs: Eq. 2 and Eq. 12 term by term, energies that are not bounded below, and files that come back exactly."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from thermohw import Program, Topology
from thermohw.errors import FileFormatError, ProgramError, StorageError, ThermoHWError
from thermohw.storage import save_arrays

finite = st.floats(-1e3, 1e3)


def plain_energy(program: Program, x: NDArray[np.float64]) -> float:
    """Eq. 2, term by term."""
    total = 0.0
    for i in range(len(x)):
        total += program.J2[i] * x[i] ** 2 + program.J4[i] * x[i] ** 4 + program.biases[i] * x[i]
    for (i, j), coupling in zip(program.topology.pairs, program.couplings, strict=True):
        total += coupling * x[i] * x[j]
    return float(total)


def plain_gradient(program: Program, x: NDArray[np.float64]) -> NDArray[np.float64]:
    """Eq. 12, term by term."""
    slope = np.array(
        [2 * program.J2[i] * x[i] + 4 * program.J4[i] * x[i] ** 3 + program.biases[i] for i in range(len(x))]
    )
    for (i, j), coupling in zip(program.topology.pairs, program.couplings, strict=True):
        slope[i] += coupling * x[j]
        slope[j] += coupling * x[i]
    return slope


@st.composite
def programs(draw: st.DrawFn) -> Program:
    visible, hidden = draw(st.integers(0, 4)), draw(st.integers(1, 3))
    units = visible + hidden
    topology = Topology.random_regular(visible, hidden, draw(st.integers(0, units - 1)), draw(st.integers(0, 9)))
    numbers = {
        "J2": draw(hnp.arrays(np.float64, units, elements=finite)),
        "J4": draw(hnp.arrays(np.float64, units, elements=st.floats(1e-3, 1e3))),
        "biases": draw(hnp.arrays(np.float64, units, elements=finite)),
        "couplings": draw(hnp.arrays(np.float64, len(topology.pairs), elements=finite)),
    }
    return Program(topology, **numbers)


def example(topology: Topology, seed: int = 0) -> Program:
    generator = np.random.default_rng(seed)
    J2, J4 = generator.normal(size=topology.units), generator.uniform(0.5, 2, topology.units)
    biases = generator.normal(size=topology.units)
    return Program(topology, J2, J4, biases, generator.normal(size=len(topology.pairs)))


SMALL = example(Topology.layered(3, 2))


def assert_same(first: Program, second: Program) -> None:
    assert first.topology.same_as(second.topology)
    for name in ("J2", "J4", "biases", "couplings"):
        assert getattr(first, name).tobytes() == getattr(second, name).tobytes()
    assert first.digest == second.digest


# Energy


@pytest.mark.parametrize(
    "topology",
    [Topology.complete(1), Topology.layered(4, 3), Topology.complete(6), Topology.grid(9, 9), Topology.layered(0, 4)],
    ids=["one unit", "layered", "complete", "sparse", "hidden"],
)
def test_energy_and_gradient_are_those_of_the_paper(topology: Topology) -> None:
    program = example(topology)
    x = np.random.default_rng(1).normal(size=(2, 3, topology.units))
    energy, gradient = program.energy(x), program.gradient(x)
    assert (energy.shape, gradient.shape) == ((2, 3), x.shape)
    for index in np.ndindex(2, 3):
        assert energy[index] == pytest.approx(plain_energy(program, x[index]), rel=1e-12)
        assert gradient[index] == pytest.approx(plain_gradient(program, x[index]), rel=1e-12, abs=1e-12)
        assert float(program.energy(x[index])) == pytest.approx(energy[index], rel=1e-12)
    step = 1e-5 * np.eye(topology.units)
    for state, slope in zip(x[0], gradient[0], strict=True):
        measured = (program.energy(state + step) - program.energy(state - step)) / 2e-5
        assert measured == pytest.approx(slope, rel=1e-6, abs=1e-6)


@given(program=programs(), seed=st.integers(0, 99))
def test_any_program_obeys_the_equations(program: Program, seed: int) -> None:
    x = np.random.default_rng(seed).normal(size=program.topology.units)
    assert float(program.energy(x)) == pytest.approx(plain_energy(program, x), rel=1e-9, abs=1e-9)
    assert program.gradient(x) == pytest.approx(plain_gradient(program, x), rel=1e-9, abs=1e-9)


@pytest.mark.parametrize("shape", [(), (4,), (5, 4), (0,)])
def test_states_of_another_size_are_refused(shape: tuple[int, ...]) -> None:
    for function in (SMALL.energy, SMALL.gradient):
        with pytest.raises(ProgramError, match=r"shape \(…, 5\), got"):
            function(np.zeros(shape))


# Bounded below


def two_units(J2: Any, J4: Any, coupling: float) -> Program:
    topology = Topology.complete(2)
    return Program(topology, np.asarray(J2), np.asarray(J4), np.zeros(2), np.array([coupling]))


@pytest.mark.parametrize(
    ("J2", "J4", "coupling", "words"),
    [
        ([1.0, 1.0], [1.0, -1e-300], 0.0, "J4 = -1e-300 < 0 at unit 1"),
        ([1.0, 0.0], [1.0, 0.0], 0.0, "unit 1 has J4 = 0 and J2 = 0"),
        ([-1e-9, 1.0], [0.0, 1.0], 0.0, "unit 0 has J4 = 0 and J2 = -1e-09"),
        ([1.0, 1.0], 0.0, 2.0, "stiffness matrix 2 J2 [+] J of the 2 linear units"),
        ([1.0, 1.0], 0.0, -2.0001, "stiffness matrix"),
        ([4.0, 0.25], 0.0, 2.0, "stiffness matrix"),
    ],
)
def test_an_energy_without_a_floor_is_refused(J2: Any, J4: Any, coupling: float, words: str) -> None:
    with pytest.raises(ProgramError, match=f"energy is not bounded below: .*{words}"):
        two_units(J2, J4, coupling)


@pytest.mark.parametrize(
    ("J2", "J4", "coupling"),
    [
        ([-50.0, 0.0], 1e-9, 1e6),
        ([1.0, 1e-9], [1.0, 0.0], 0.0),
        ([1.0, 1.0], 0.0, 1.9999),
        ([1.0, 1.0], 0.0, -1.9999),
        ([4.0, 0.25], 0.0, 1.9999),
        ([-1.0, 1.0], [1.0, 0.0], 1e3),  # a quartic unit holds whatever a linear one does to it
    ],
)
def test_an_energy_with_a_floor_is_accepted(J2: Any, J4: Any, coupling: float) -> None:
    program = two_units(J2, J4, coupling)
    for direction in np.random.default_rng(0).normal(size=(200, 2)):
        assert program.energy(1e10 * direction) > 0


def ring(units: int, coupling: float) -> Program:
    """Linear units on a ring at J2 = 1: the lowest eigenvalue of the stiffness is 2 − 2 |coupling| at even units."""
    topology = Topology.grid(1, units, periodic=True)
    return Program(topology, np.array(1.0), np.array(0.0), np.zeros(units), np.full(units, coupling))


@pytest.mark.parametrize("units", [200, 3200])
@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_large_sparse_linear_computer_is_judged(units: int, sign: float) -> None:
    ring(units, 0.999 * sign)
    with pytest.raises(ProgramError, match=f"stiffness matrix .* of the {units} linear units"):
        ring(units, 1.02 * sign)


def test_only_the_linear_units_must_be_stiff() -> None:
    units = 3200
    topology = Topology.grid(1, units, periodic=True)
    J4 = np.zeros(units)
    J4[::2] = 1e-3
    program = Program(topology, np.array(1.0), J4, np.zeros(units), np.full(units, 1.02))
    assert program.energy(np.full(units, 100.0)) > 0


# Values


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("J2", np.full(5, np.nan), r"J2\[0\] is nan"),
        ("J4", np.array([1, 1, np.inf, 1, 1]), r"J4\[2\] is inf"),
        ("biases", np.array([0, 0, 0, 0, -np.inf]), r"biases\[4\] is -inf"),
        ("couplings", np.array([0.0] * 6 + [np.nan]), r"couplings\[6\] is nan"),
        ("biases", np.zeros(4), r"biases must have shape \(5,\), got \(4,\)"),
        ("couplings", np.zeros((7, 1)), r"couplings must have shape \(7,\), got \(7, 1\)"),
        ("J2", np.full(5, 1j), "J2 must be real numbers: complex"),
        ("J4", np.array(["a"] * 5), "J4 must be real numbers"),
    ],
)
def test_wrong_values_are_refused_by_name(name: str, value: NDArray[Any], words: str) -> None:
    numbers = {"J2": SMALL.J2, "J4": SMALL.J4, "biases": SMALL.biases, "couplings": SMALL.couplings[:7]}
    assert len(SMALL.couplings) == 7
    with pytest.raises(ProgramError, match=words):
        Program(SMALL.topology, **{**numbers, name: value})


def test_a_program_is_its_own_and_scalars_spread() -> None:
    couplings = np.zeros(7)
    program = Program(SMALL.topology, np.array(2.0), np.array(3.0), np.array(0.5), couplings)
    couplings[0] = 1
    assert program.couplings[0] == 0
    assert (program.J2.tolist(), program.J4.tolist(), program.biases.tolist()) == ([2] * 5, [3] * 5, [0.5] * 5)
    with pytest.raises(ValueError, match="read-only"):
        program.couplings[0] = 1
    assert_same(program, Program.uncoupled(SMALL.topology, 2, 3, 0.5))


def test_with_biases_changes_nothing_else() -> None:
    biases = np.arange(5.0)
    other = SMALL.with_biases(biases)
    assert np.array_equal(other.biases, biases)
    assert_same(other.with_biases(SMALL.biases), SMALL)
    assert other.digest != SMALL.digest
    with pytest.raises(ProgramError, match=r"biases must have shape \(5,\), got \(6,\)"):
        SMALL.with_biases(np.zeros(6))


def test_the_digest_tells_any_change() -> None:
    variants = [SMALL, replace(SMALL, topology=Topology(2, 3, SMALL.topology.pairs))]
    other_pairs = Topology.from_pairs(3, 2, [*SMALL.topology.pairs[1:].tolist(), (0, 1)])
    variants.append(replace(SMALL, topology=other_pairs))
    for name in ("J2", "J4", "biases", "couplings"):
        for index in range(len(getattr(SMALL, name))):
            values = getattr(SMALL, name).copy()
            values[index] = np.nextafter(values[index], np.inf)
            variants.append(replace(SMALL, **{name: values}))
    assert len({program.digest for program in variants}) == len(variants) == 25
    assert replace(SMALL).digest == SMALL.digest


# Files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("programs")


@given(program=programs())
def test_a_program_comes_back_exactly(folder: Path, program: Program) -> None:
    assert_same(Program.load(program.save(folder / "program.npz")), program)


@settings(max_examples=300)
@given(
    at=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["flip", "delete", "insert", "cut off"]),
    content=st.binary(min_size=1, max_size=9),
)
def test_a_damaged_program_is_refused_or_equal(folder: Path, at: float, kind: str, content: bytes) -> None:
    path = SMALL.save(folder / "damaged.npz")
    data = path.read_bytes()
    place = int(at * len(data))
    changed = {
        "flip": data[:place] + bytes([data[place] ^ (content[0] or 1)]) + data[place + 1 :],
        "delete": data[:place] + data[place + len(content) :],
        "insert": data[:place] + content + data[place:],
        "cut off": data[:place],
    }[kind]
    path.write_bytes(changed)
    try:
        found = Program.load(path)
    except ThermoHWError as error:
        assert "damaged.npz" in str(error)
    else:
        assert_same(found, SMALL)


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("pairs", SMALL.topology.pairs.astype(np.int64), "pairs must be int32"),
        ("pairs", SMALL.topology.pairs[::-1].copy(), "out of order"),
        ("pairs", np.zeros((7, 3), np.int32), "pairs must be int32 of shape"),
        ("visible", np.array(1), "outside 0 … 2"),
        ("visible", np.array([1, 2]), "visible must be a whole number"),
        ("visible", np.array("many"), "visible must be a whole number"),
        ("hidden", np.array(2.5), "hidden must be a whole number"),
        ("J4", -SMALL.J4, "not bounded below"),
        ("biases", np.full(5, np.nan), r"biases\[0\] is nan"),
        ("couplings", np.zeros(3), r"couplings must have shape \(7,\)"),
    ],
)
def test_a_well_sealed_file_of_no_program_is_refused(
    tmp_path: Path, name: str, value: NDArray[Any], words: str
) -> None:
    arrays = {"visible": np.array(3), "hidden": np.array(2), "pairs": SMALL.topology.pairs}
    arrays |= {what: getattr(SMALL, what) for what in ("J2", "J4", "biases", "couplings")}
    assert_same(Program.load(save_arrays(tmp_path / "good.npz", "thermohw-program/1", arrays)), SMALL)
    path = save_arrays(tmp_path / "bad.npz", "thermohw-program/1", {**arrays, name: value})
    with pytest.raises(FileFormatError, match=r"bad\.npz: .*" + words):
        Program.load(path)
    del arrays[name]
    path = save_arrays(tmp_path / "less.npz", "thermohw-program/1", arrays)
    with pytest.raises(FileFormatError, match=f"arrays missing: {name}"):
        Program.load(path)


def test_other_files_are_refused(tmp_path: Path) -> None:
    path = save_arrays(tmp_path / "later.npz", "thermohw-program/2", {})
    with pytest.raises(FileFormatError, match="schema is 'thermohw-program/2', expected 'thermohw-program/1'"):
        Program.load(path)
    with pytest.raises(StorageError, match=r"absent\.npz"):
        Program.load(tmp_path / "absent.npz")
