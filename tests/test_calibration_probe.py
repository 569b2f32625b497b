# SPDX-License-Identifier: Apache-2.0
"""Probing a device: every pattern once, kept whatever happens, and never mixed with those of something else."""

import csv
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from calibration_examples import TRIANGLE, Counted, Lesser, recipe
from numpy.typing import NDArray
from served import served

from thermohw import Program, SerialDevice, SimulatedDevice, Topology
from thermohw.device import DeviceWrapper, ThermodynamicDevice
from thermohw.errors import CalibrationError, DeviceLimitError, FileFormatError, PlanError
from thermohw.estimation import LaggedMoments
from thermohw.estimation.probing import Probe, probe
from thermohw.estimation.readings import Readings
from thermohw.estimation.recipes import Recipe
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.nonideal import NonidealDevice, ReadoutNoise

Opener = Callable[[], ThermodynamicDevice]


def probed(
    folder: Path, how: Recipe | None = None, opener: Opener = SimulatedDevice, seed: int = 1, **options: Any
) -> Probe:
    with opener() as device:
        return probe(device, TRIANGLE, how or recipe(), folder, seed, **options)


def assert_same_sums(one: Probe, other: Probe) -> None:
    for name, sums in one.moments.arrays().items():
        np.testing.assert_array_equal(other.moments.arrays()[name], sums)


@pytest.mark.parametrize("noise", [0.0, 0.05])
def test_the_sums_are_those_of_the_readings_kept(tmp_path: Path, noise: float) -> None:
    how = recipe()
    found = probed(tmp_path, how, lambda: NonidealDevice(SimulatedDevice(), [ReadoutNoise(std=noise)], 1))
    total = found.moments
    again, late = np.zeros_like(total.products), np.zeros_like(total.products)
    for number in range(how.patterns):
        kept = Readings.load(tmp_path, number, found.request)
        assert kept.trajectory is not None
        assert kept.trajectory.shape == (20, 12, 3)
        assert kept.seconds > 0
        again += products_of(kept.trajectory, kept.moments.applied, how, number)
        late += products_of(kept.trajectory[:, 1:], kept.moments.applied, how, number)
    np.testing.assert_allclose(again, total.products, rtol=1e-6, atol=1e-9)
    assert np.abs(late - total.products).max() > 0.01 * np.abs(total.products).max()


def products_of(readings: NDArray[np.float32], applied: NDArray[np.float64], how: Recipe, number: int) -> Any:
    """Get the sums over readings (chains, readings, units) of a pattern."""
    moments = LaggedMoments(applied, how.groups)
    dynamics = Dynamics(AsBuilt.from_program(TRIANGLE), 1e-3)
    moments.observe(TrajectoryPiece(readings.transpose(1, 0, 2), dynamics, number * how.chains, 0, 10))
    return moments.products


def test_an_interrupted_calibration_runs_no_pattern_twice(tmp_path: Path) -> None:
    whole = probed(tmp_path / "whole")
    first = Counted(SimulatedDevice(), breaks_at=2)
    with first, pytest.raises(KeyboardInterrupt):
        probe(first, TRIANGLE, recipe(), tmp_path / "parts", 1)
    assert sorted(path.name for path in (tmp_path / "parts").glob("pattern*")) == ["pattern-000.npz", "pattern-001.npz"]
    seen: list[tuple[int, int]] = []

    def watch(done: int, total: int) -> None:
        seen.append((done, total))

    with Counted(SimulatedDevice()) as second:
        parts = probe(second, TRIANGLE, recipe(), tmp_path / "parts", progress=watch)  # its seed
        assert (first.runs, second.runs, parts.measured) == (2, 2, 2)
    assert_same_sums(whole, parts)
    assert seen == sorted(seen) and seen[-1] == (80, 80)
    with Counted(SimulatedDevice()) as third:
        assert_same_sums(whole, probe(third, TRIANGLE, recipe(), tmp_path / "parts", 1))
        assert third.runs == 0


def test_nothing_else_goes_into_the_folder(tmp_path: Path) -> None:
    probed(tmp_path)
    before = sorted((path, path.read_bytes()) for path in tmp_path.iterdir())
    other = replace(TRIANGLE, couplings=TRIANGLE.couplings + 0.1)
    with pytest.raises(CalibrationError, match="another program"), SimulatedDevice() as device:
        probe(device, other, recipe(), tmp_path, 1)
    with pytest.raises(CalibrationError, match=r"another device: kT is 1.0 there, 1.1 now"):
        probed(tmp_path, opener=lambda: SimulatedDevice(kT=1.1))
    with pytest.raises(CalibrationError, match=r"details.effects.readout_noise.std is None there, 0.1 now"):
        probed(tmp_path, opener=lambda: NonidealDevice(SimulatedDevice(), [ReadoutNoise(std=0.1)], 1))
    with pytest.raises(CalibrationError, match="another recipe: readings is 12 there, 13 now"):
        probed(tmp_path, recipe(readings=13))
    with pytest.raises(CalibrationError, match="another seed: 1 there, 2 now"):
        probed(tmp_path, seed=2)
    assert sorted((path, path.read_bytes()) for path in tmp_path.iterdir()) == before


def test_readings_that_are_damaged_or_of_something_else_are_refused(tmp_path: Path) -> None:
    probed(tmp_path)
    first, second = tmp_path / "pattern-000.npz", tmp_path / "pattern-001.npz"
    sound = first.read_bytes()
    first.write_bytes(sound[: len(sound) // 2])
    with pytest.raises(FileFormatError, match="pattern-000"):
        probed(tmp_path)
    first.write_bytes(second.read_bytes())
    with pytest.raises(FileFormatError, match="another calibration or pattern"):
        probed(tmp_path)
    first.unlink()
    assert probed(tmp_path).measured == 1


def test_readings_of_another_device_are_refused(tmp_path: Path) -> None:
    """The same program, recipe and seed: the device alone differs."""
    probed(tmp_path / "one")
    probed(tmp_path / "other", opener=lambda: SimulatedDevice(mobility=2.0))
    (tmp_path / "one" / "pattern-002.npz").write_bytes((tmp_path / "other" / "pattern-002.npz").read_bytes())
    with pytest.raises(FileFormatError, match=r"pattern-002\.npz: holds readings of another calibration"):
        probed(tmp_path / "one")


def test_a_claim_without_readings_lapses(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        probed(tmp_path, recipe(interval=0.02), lambda: Counted(SimulatedDevice(), breaks_at=0))
    assert (tmp_path / "request.json").exists()
    assert probed(tmp_path).measured == 4


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_seeds_out_of_range_are_refused(tmp_path: Path, seed: int) -> None:
    with pytest.raises(PlanError, match="seed must lie in"):
        probed(tmp_path, seed=seed)


def test_readings_as_csv_are_the_same(tmp_path: Path) -> None:
    plain, text = probed(tmp_path / "npz"), probed(tmp_path / "csv", as_csv=True)
    assert_same_sums(plain, text)
    kept = Readings.load(tmp_path / "npz", 2, plain.request).trajectory
    assert kept is not None
    assert Readings.load(tmp_path / "csv", 2, text.request).trajectory is None
    kept_text = tmp_path / "csv" / "pattern-002.csv"
    with kept_text.open() as file:
        header, *rows = csv.reader(file)
    assert header == ["chain", "reading", "x0", "x1", "x2"]
    np.testing.assert_array_equal(np.array(rows)[:, 2:].astype(np.float32).reshape(kept.shape), kept)
    kept_text.write_text("\n".join([",".join(header), *(",".join(row) for row in rows[:-1])]))
    with pytest.raises(FileFormatError, match=r"pattern-002\.csv: not the readings that were measured"):
        probed(tmp_path / "csv", as_csv=True)
    with pytest.raises(CalibrationError, match="too many for CSV"):
        probed(tmp_path / "big", recipe(readings=100_000), as_csv=True)
    assert not (tmp_path / "big").exists()


# Devices that can do less


def test_without_trajectories_each_reading_is_a_run(tmp_path: Path) -> None:
    def opener() -> ThermodynamicDevice:
        return Lesser(SimulatedDevice(mobility=2.0), trajectories=False)

    how = recipe(chains=200, readings=20, settle=0.4, dt=0.002, interval=0.002)
    found = probed(tmp_path, how, opener)
    assert found.method == "snapshots"
    assert found.moments.counts.sum() == 4 * 200 * 20
    estimates = found.estimate()
    truth = {"J2": TRIANGLE.J2, "biases": TRIANGLE.biases, "couplings": TRIANGLE.couplings, "kT": 1.0}
    for name, value in truth.items():
        assert np.abs((estimates.values[name] - value) / estimates.standard_error(name)).max() < 4.5, name
        assert np.abs(value / estimates.standard_error(name)).max() > 5, name  # there is something to find
    assert np.isnan(estimates.values["mobility"]).all()
    with pytest.raises(CalibrationError, match="cannot read out states during a run"):
        probed(tmp_path / "no", recipe(method="trajectories"), opener)
    with pytest.raises(CalibrationError, match="settle must be the length"):
        probed(tmp_path / "no", recipe(settle=0.0), opener)
    assert not (tmp_path / "no").exists()


def test_no_bias_beyond_the_limit_is_asked_for(tmp_path: Path) -> None:
    found = probed(tmp_path, opener=lambda: Lesser(SimulatedDevice(), bias_limit=1.5))
    assert found.measured == 4
    with pytest.raises(
        DeviceLimitError, match=r"up to ±1\.5; 3 exceed it"
    ):  # the control: as it would be without the limit
        probed(tmp_path / "no", opener=lambda: _Hiding(Lesser(SimulatedDevice(), bias_limit=1.5)))


class _Hiding(DeviceWrapper):
    """A device that does not tell the limit of its biases."""

    def __init__(self, child: ThermodynamicDevice) -> None:
        super().__init__(child)
        self._spec = child.spec.model_copy(update={"bias_limit": None})


class _Coarse(DeviceWrapper):
    """A device that holds biases to whole numbers and says so."""

    def _accept(self, program: Program) -> Program:
        return program.with_biases(np.round(program.biases))


def test_what_is_applied_is_what_the_device_holds(tmp_path: Path) -> None:
    found = probed(tmp_path, recipe(amplitude=2.4), lambda: _Coarse(SimulatedDevice()))
    np.testing.assert_array_equal(found.program.biases, np.round(TRIANGLE.biases))
    applied = np.stack([Readings.load(tmp_path, n, found.request).moments.applied for n in range(4)])
    assert set(np.abs(applied).ravel()) == {2.0}
    assert found.request.asked == TRIANGLE.digest != found.request.program


def test_sums_too_large_to_hold_are_refused(tmp_path: Path) -> None:
    with pytest.raises(CalibrationError, match=r"2000 units in 10 groups take 19\.1 GiB"), SimulatedDevice() as device:
        probe(device, Program.uncoupled(Topology.from_pairs(2000, 0, [])), recipe(), tmp_path, 1)


def test_readings_too_large_to_hold_are_refused(tmp_path: Path) -> None:
    how = recipe(readings=10**7, chains=100)
    with pytest.raises(CalibrationError, match=r"take 11\.2 GiB; at most 2 GiB"):
        probed(tmp_path / "record", how)
    assert not (tmp_path / "record").exists()


def test_a_board_on_a_line_gives_the_same_readings(tmp_path: Path) -> None:
    direct = probed(tmp_path / "direct", recipe(dt=None))
    with served(SimulatedDevice()) as url:
        first = probed(tmp_path / "line", recipe(dt=None, readings=12), lambda: SerialDevice(url))
        for number in range(4):
            one, other = (Readings.load(place.folder, number, place.request) for place in (direct, first))
            assert one.trajectory is not None and other.trajectory is not None
            np.testing.assert_array_equal(one.trajectory, other.trajectory)
        np.testing.assert_allclose(first.moments.products, direct.moments.products, rtol=1e-9, atol=1e-9)
        assert "url" not in first.request.device.details
        assert "instrument" in first.request.device.details
    with served(SimulatedDevice()) as url:  # the same instrument elsewhere
        again = probed(tmp_path / "line", recipe(dt=None), lambda: SerialDevice(url))
    assert again.measured == 0
