# SPDX-License-Identifier: Apache-2.0
"""Samples: what a run brings back and says about itself, parts of an ensemble, and files that come back exactly."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.typing import NDArray

from thermohw import BiasSchedule, Program, RunPlan, Samples, SimulatedDevice, Topology, __version__
from thermohw.errors import FileFormatError, PlanError, StorageError, ThermoHWError
from thermohw.langevin.ensemble import Keep
from thermohw.storage import load_arrays, save_arrays

SCHEMA = "thermohw-samples/1"
ARRAYS = (
    "states",
    "initial_states",
    "heat",
    "work",
    "trajectory",
    "times",
    "velocities",
    "initial_velocities",
    "entropy",
)
TOPOLOGY = Topology.layered(3, 2)
PROGRAM = Program(TOPOLOGY, np.array(1.0), np.array(2.0), np.linspace(-1, 1, 5), np.linspace(-1, 1, 7))
PLAN = RunPlan(0.5, 40, dt=0.01, seed=2**63 + 5)


def ran(plan: RunPlan) -> Samples:
    with SimulatedDevice() as device:
        device.program(PROGRAM)
        return device.run(plan)


def assert_same(first: Samples, second: Samples) -> None:
    for name in ARRAYS:
        one, other = getattr(first, name), getattr(second, name)
        assert (one is None) == (other is None)
        if one is not None:
            assert (one.dtype, one.shape, one.tobytes()) == (other.dtype, other.shape, other.tobytes())
    for name in ("seed", "visible", "provenance", "dt"):
        assert getattr(first, name) == getattr(second, name)


# What comes back


@pytest.mark.parametrize(
    ("keep", "final", "initial", "stored"),
    [("none", 0, 0, False), ("final", 40, 0, False), ("both", 40, 40, False), ("trajectory", 40, 40, True)],
)
def test_what_is_kept_is_what_was_asked_for(keep: Keep, final: int, initial: int, stored: bool) -> None:
    samples, full = ran(replace(PLAN, keep=keep, record_every=7)), ran(PLAN)
    assert samples.states.shape == (final, 5)
    assert samples.visible_states.shape == (final, 3)
    assert samples.initial_states.shape == (initial, 5)
    assert np.array_equal(samples.states, full.states[:final])
    assert np.array_equal(samples.initial_states, full.initial_states[:initial])
    assert np.array_equal(samples.heat, full.heat)
    assert (samples.trajectory is not None, samples.times is not None) == (stored, stored)


def test_a_trajectory_joins_start_and_end() -> None:
    samples = ran(replace(PLAN, keep="trajectory", record_every=10))
    assert samples.trajectory is not None
    assert samples.times is not None
    assert samples.trajectory.shape == (40, 6, 5)
    assert samples.times == pytest.approx(np.linspace(0, 0.5, 6))
    assert np.array_equal(samples.trajectory[:, 0], samples.initial_states)
    assert np.array_equal(samples.trajectory[:, -1], samples.states)
    assert not np.array_equal(samples.trajectory[:, 1], samples.trajectory[:, 2])
    ragged = ran(replace(PLAN, keep="trajectory", record_every=12))
    assert ragged.trajectory is not None
    assert ragged.trajectory.shape == (40, 5, 5)
    assert not np.array_equal(ragged.trajectory[:, -1], ragged.states)
    assert np.array_equal(ragged.states, samples.states)


def test_provenance_tells_what_reproduces_the_run() -> None:
    schedule = BiasSchedule(np.array([0.0, 0.5]), np.stack([np.zeros(5), np.ones(5)]))
    plan = replace(PLAN, first_chain=9, record_every=5, bias_schedule=schedule, initial=np.ones((40, 5)))
    told = ran(plan).provenance
    assert told["program"] == PROGRAM.digest
    assert (told["seed"], told["version"]) == (2**63 + 5, __version__)
    assert told["device"]["kT"] == 1.0
    assert told["device"]["details"] == {
        "engine": "auto", "integrator": "euler-maruyama", "precision": "float32",
    }  # fmt: skip
    asked = told["plan"]
    assert [asked[name] for name in ("duration", "n_samples", "record_every", "keep", "first_chain", "dt")] == [
        0.5, 40, 5, "both", 9, 0.01,
    ]  # fmt: skip
    for name in ("initial", "bias_schedule"):
        assert len(bytes.fromhex(asked[name])) == 32
    other = ran(replace(plan, initial=np.full((40, 5), 2.0), bias_schedule=None)).provenance["plan"]
    assert other["initial"] != asked["initial"]
    assert other["bias_schedule"] is None
    assert json.loads(json.dumps(told)) == told


def test_a_step_and_a_seed_that_were_chosen_are_recorded() -> None:
    first = ran(RunPlan(0.5, 3))
    assert first.dt is not None
    assert first.dt == first.provenance["plan"]["dt"]
    assert first.seed == first.provenance["seed"]
    assert_same(ran(RunPlan(0.5, 3, dt=first.dt, seed=first.seed)), first)
    assert ran(RunPlan(0.5, 3)).seed != first.seed


# Parts


@pytest.mark.parametrize("size", [1, 7, 39, 40, 100])
def test_parts_are_the_whole(size: int) -> None:
    whole = replace(PLAN, first_chain=1000, initial=np.linspace(-1, 1, 200).reshape(40, 5), keep="trajectory")
    parts = [ran(part) for part in whole.split(size)]
    assert [len(part.states) for part in parts[:-1]] == [min(size, 40)] * (len(parts) - 1)
    together = ran(whole)
    for name in ("states", "initial_states", "heat", "work", "trajectory"):
        assert np.concatenate([getattr(part, name) for part in parts]) == pytest.approx(
            getattr(together, name), rel=1e-4, abs=1e-5
        )
    assert not np.allclose(ran(replace(whole, first_chain=0)).states, together.states, atol=1e-2)


def test_a_plan_that_cannot_be_split_says_so() -> None:
    with pytest.raises(PlanError, match="needs a seed to be split"):
        next(replace(PLAN, seed=None).split(5))
    with pytest.raises(PlanError, match="at least 1 sample, got 0"):
        next(PLAN.split(0))


# Files


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("samples")


@st.composite
def any_samples(draw: st.DrawFn) -> Samples:
    count, units, records = draw(st.integers(0, 3)), draw(st.integers(1, 3)), draw(st.integers(1, 3))

    def floats(dtype: str, *shape: int) -> NDArray[Any]:
        return draw(hnp.arrays(dtype, shape))

    notes = st.dictionaries(st.text(max_size=5), st.integers() | st.text(max_size=5), max_size=3)
    stored = draw(st.booleans())
    return Samples(
        floats("f4", count, units),
        floats("f4", count, units),
        floats("f8", count),
        floats("f8", count),
        draw(st.integers(0, 2**64 - 1)),
        draw(st.integers(0, units)),
        {**draw(notes), "plan": {"dt": draw(st.none() | st.floats(1e-9, 1))}},
        floats("f4", count, records, units) if stored else None,
        floats("f8", records) if stored else None,
        floats("f4", count, units) if stored else None,
        floats("f4", count, units) if stored else None,
        floats("f8", count) if draw(st.booleans()) else None,
    )


@given(samples=any_samples())
def test_samples_come_back_exactly(folder: Path, samples: Samples) -> None:
    assert_same(Samples.load(samples.save(folder / "samples.npz")), samples)


@pytest.mark.parametrize("keep", ["none", "final", "both", "trajectory"])
def test_what_a_run_brings_back_is_saved_whole(tmp_path: Path, keep: Keep) -> None:
    samples = ran(replace(PLAN, keep=keep))
    assert_same(Samples.load(samples.save(tmp_path / "samples.npz")), samples)


@settings(max_examples=200)
@given(
    at=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["flip", "delete", "insert", "cut off"]),
    content=st.binary(min_size=1, max_size=9),
)
def test_damaged_samples_are_refused_or_equal(folder: Path, at: float, kind: str, content: bytes) -> None:
    whole = folder / "whole.npz"
    if not whole.exists():
        ran(RunPlan(0.1, 2, dt=0.01, seed=1, keep="trajectory", record_every=5)).save(whole)
    data = whole.read_bytes()
    place = int(at * len(data))
    changed = {
        "flip": data[:place] + bytes([data[place] ^ (content[0] or 1)]) + data[place + 1 :],
        "delete": data[:place] + data[place + len(content) :],
        "insert": data[:place] + content + data[place:],
        "cut off": data[:place],
    }[kind]
    path = folder / "damaged.npz"
    path.write_bytes(changed)
    try:
        found = Samples.load(path)
    except ThermoHWError as error:
        assert "damaged.npz" in str(error)
    else:
        assert_same(found, Samples.load(whole))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("provenance", np.array("{")),
        ("provenance", np.array("[1]")),
        ("seed", np.array("many")),
        ("seed", np.array([1, 2])),
        ("visible", np.array(1.5)),
    ],
)
def test_a_well_sealed_file_of_no_samples_is_refused(tmp_path: Path, name: str, value: NDArray[Any]) -> None:
    samples = ran(replace(PLAN, n_samples=2))
    good = samples.save(tmp_path / "good.npz")
    arrays = load_arrays(good, SCHEMA)
    assert_same(Samples.load(save_arrays(tmp_path / "copy.npz", SCHEMA, arrays)), samples)
    with pytest.raises(FileFormatError, match=r"bad\.npz"):
        Samples.load(save_arrays(tmp_path / "bad.npz", SCHEMA, {**arrays, name: value}))
    del arrays[name]
    with pytest.raises(FileFormatError, match=f"arrays missing: {name}"):
        Samples.load(save_arrays(tmp_path / "less.npz", SCHEMA, arrays))


def test_other_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="expected 'thermohw-samples/1'"):
        Samples.load(PROGRAM.save(tmp_path / "program.npz"))
    with pytest.raises(StorageError, match=r"absent\.npz"):
        Samples.load(tmp_path / "absent.npz")
