# SPDX-License-Identifier: Apache-2.0
"""Noising protocols, and statistics sampled from them on devices of any temperature and mobility."""

import warnings
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from training_examples import SMALL, Floats, noising_paths, patterns, small_protocol

from thermohw import Images, PathStatistics, Program, RunPlan, SimulatedDevice, Topology, TrainingRun, train
from thermohw.errors import TrainingError
from thermohw.testing import Boltzmann, assert_mean
from thermohw.training import TrainingConfig, load_config
from thermohw.training.checkpoint import Checkpoint
from thermohw.training.expected import expected_moments
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.moments import DenseMoments, PathMoments
from thermohw.training.noising import NoisingProtocol, class_fields, hidden_codes
from thermohw.training.quadratic import PathQuadratic
from thermohw.training.sampled import ShortStatisticsWarning, sampled_moments


def hot_device() -> SimulatedDevice:
    return SimulatedDevice(mobility=0.3, kT=2.5)


def configured(overrides: dict[str, Any]) -> TrainingConfig:
    return load_config("contrast", {**SMALL, "statistics": "sampled", **overrides})


def sample(protocol: NoisingProtocol, trajectories: int, device: SimulatedDevice | None = None) -> PathMoments:
    config = configured({"trajectories": trajectories})
    return sampled_moments(protocol, config, device or SimulatedDevice(), Checkpoint(None, ""))


# The protocol


def test_fields_impose_the_pixels_and_a_crop_of_them() -> None:
    images = patterns()
    protocol = small_protocol({"pixels": "standardized", "amplitude": 2.0, "hidden_amplitude": 3.0, "crop_start": 13})
    pixels = images.pixels.reshape(3, 16)
    standardized = (pixels - pixels.mean(axis=1, keepdims=True)) / pixels.std(axis=1, keepdims=True)
    np.testing.assert_allclose(protocol.fields[:, :16], -2 * standardized, rtol=1e-12)
    np.testing.assert_allclose(protocol.fields[:, 16:], -3 * standardized[:, [13, 14, 15, 0, 1, 2]], rtol=1e-12)
    signs = small_protocol({"threshold": -0.2, "amplitude": 2.0}).fields[:, :16]
    np.testing.assert_array_equal(signs, np.where(standardized > -0.2, -2.0, 2.0))


def test_random_codes_are_those_of_the_class() -> None:
    labels = np.array([7, 3, 7, 7, 3])
    config = configured({"hidden_code": "random", "hidden": 64})
    codes = hidden_codes(np.zeros((5, 16)), labels, config)
    assert set(np.unique(codes)) == {-1.0, 1.0}
    np.testing.assert_array_equal(codes[0], codes[[2, 3]][0])
    np.testing.assert_array_equal(codes[1], codes[4])
    assert abs(float((codes[0] * codes[1]).mean())) < 0.5
    other = hidden_codes(np.zeros((5, 16)), labels, configured({"hidden_code": "random", "hidden": 64, "seed": 2}))
    assert not np.array_equal(other, codes)


def test_class_fields_are_means_over_the_images_of_each_class() -> None:
    protocol = small_protocol({"pixels": "standardized"}, patterns(4))
    classes, fields = class_fields(protocol, np.array([5, 2, 5, 5]))
    assert classes.tolist() == [2, 5]
    np.testing.assert_array_equal(fields[0], protocol.fields[1, 16:])
    np.testing.assert_allclose(fields[1], protocol.fields[[0, 2, 3], 16:].mean(axis=0), rtol=1e-12)


@pytest.mark.parametrize(
    ("ramp", "law"),
    [
        ("linear", 1 - np.arange(200) / 200),
        ("quadratic", (1 - np.arange(200) / 200) ** 2),
        ("cosine", np.cos(np.arange(200) / 200 * np.pi / 2)),
    ],
)
def test_ramp_falls_by_its_law(ramp: str, law: Floats) -> None:
    protocol = small_protocol({"ramp": ramp, "duration": 2.0, "dt": 0.01})
    assert (protocol.duration, protocol.steps) == (2.0, 200)
    assert (protocol.ramp[0], protocol.ramp_times[0], protocol.ramp_times[-1]) == (1.0, 0.0, 2.0)
    assert protocol.ramp[-1] == pytest.approx(0, abs=1e-15)
    # 32 straight pieces are within 1/8 · (1/32)² · |s''| of the curve
    np.testing.assert_allclose(protocol.ramp_at_steps(), law, rtol=0, atol=4e-4)


def test_images_on_one_side_of_the_threshold_are_refused() -> None:
    for threshold in (-9.0, 9.0):
        with pytest.raises(TrainingError, match=rf"image 0 has all .*threshold {threshold:g}; choose another"):
            small_protocol({"threshold": threshold})


# Noising on a device


def one_unit(J2: float, J4: float, bias: float) -> Program:
    return Program.uncoupled(Topology.complete(1, 0), J2, J4, bias)


@pytest.mark.parametrize("device", [SimulatedDevice(), hot_device()], ids=["reduced", "hot and slow"])
def test_noising_goes_from_the_image_to_the_free_computer(device: SimulatedDevice) -> None:
    protocol = replace(small_protocol({"duration": 1.0, "dt": 0.0025}), J2=5.0)
    path = noising_paths(protocol, 1, 600, device=device)
    assert path.shape == (401, 600, 22)
    imposed = [Boltzmann.of(one_unit(5.0, 10.0, bias)) for bias in protocol.fields[1]]
    assert_mean(path[0], [float(density.probability @ density.states[:, 0]) for density in imposed])
    free = Boltzmann.of(one_unit(5.0, 10.0, 0.0))
    assert_mean((path[-1] ** 2).mean(axis=1), 1.02 * float(free.probability @ free.states[:, 0] ** 2))
    with pytest.raises(AssertionError):  # image 2 was not imposed
        assert_mean(path[0], [float(d.probability @ d.states[:, 0]) for d in (imposed[5],) * 22])


def test_a_device_of_any_temperature_and_mobility_runs_the_same_noising() -> None:
    protocol = small_protocol()
    reduced, hot = (noising_paths(protocol, 0, 30, device=device) for device in (SimulatedDevice(), hot_device()))
    np.testing.assert_allclose(hot, reduced, rtol=0, atol=1e-4)
    assert np.abs(noising_paths(protocol, 0, 30, seed=2) - reduced).max() > 1


# Statistics


def test_sampled_statistics_are_those_of_all_trajectories() -> None:
    protocol = small_protocol()
    moments = sample(protocol, 200)  # 67 an image: a full batch and a short one
    assert moments.steps == 3 * 67 * protocol.steps
    statistics = PathStatistics(np.full(22, 10.0), np.full(22, 10.0))
    for image in range(3):
        statistics.add_steps(noising_paths(protocol, image, 67, seed=1), protocol.dt)
    truth = PathMoments.of(statistics)
    assert isinstance(moments.second, DenseMoments)
    assert isinstance(truth.second, DenseMoments)
    for found, expected in (
        (moments.mean, truth.mean), (moments.force, truth.force),
        (moments.second.S, truth.second.S), (moments.second.C, truth.second.C),
    ):  # fmt: skip
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-4 * np.abs(expected).max())
    assert moments.residual == pytest.approx(truth.residual, rel=1e-4)


def test_more_sampled_trajectories_come_closer_to_the_expected_program() -> None:
    protocol = small_protocol({"duration": 1.0})
    best = maximize_likelihood(PathQuadratic(expected_moments(protocol), protocol.topology, np.arange(0))).z
    errors: list[float] = []
    for trajectories in (90, 3000):
        quadratic = PathQuadratic(sample(protocol, trajectories), protocol.topology, np.arange(0))
        errors.append(float(np.linalg.norm(maximize_likelihood(quadratic).z - best) / np.linalg.norm(best)))
    assert errors[1] < 0.1
    assert errors[1] < 0.4 * errors[0]  # √(90/3000) = 0.18 of it


@pytest.mark.parametrize(("trajectories", "short"), [(3, True), (80, True), (140, False), (3000, False)])
def test_too_few_trajectories_are_warned_of(trajectories: int, short: bool) -> None:
    """A unit has 21 partners at most, so that 630 independent states are wanted; 5 of them fit into one trajectory."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sample(small_protocol(), trajectories)
    assert [warning.category for warning in caught] == [ShortStatisticsWarning] * short
    messages = [str(warning.message) for warning in caught]
    for message in messages:
        assert f"{-(-trajectories // 3) * 3} noising trajectories" in message
        assert "expected statistics" in message
        assert "ridge" in message
        assert "126 trajectories" in message or "127 trajectories" in message


def test_many_images_stay_within_the_noise_counter() -> None:
    protocol = small_protocol({"dt": 0.01}, patterns(300))
    assert sample(protocol, 300).steps == 300 * protocol.steps


# Training on a device in other units


@pytest.mark.parametrize(
    "overrides",
    [
        {"method": "likelihood", "trajectories": 150, "ridge": 0.1, "hidden_biases": True},
        {"method": "descent", "trajectories": 60, "learning_rate": 1e-3, "ridge": 0.1, "hidden_biases": True},
    ],
    ids=["likelihood", "descent"],
)
def test_a_device_in_other_units_trains_the_same_program(overrides: dict[str, Any]) -> None:
    def trained(images: Images, device: SimulatedDevice, seed: int = 1) -> TrainingRun:
        return train(images, overrides={**SMALL, "statistics": "sampled", **overrides, "seed": seed}, device=device)

    reduced, hot = trained(patterns(), SimulatedDevice()), trained(patterns(), hot_device())
    other = trained(patterns(), SimulatedDevice(), seed=2)

    def distance(first: Floats, second: Floats) -> float:
        return float(np.abs(first - second).max() / np.abs(second).max())

    for part in ("couplings", "biases"):
        assert distance(getattr(hot.program, part), getattr(reduced.program, part)) < 1e-3
        assert distance(getattr(other.program, part), getattr(reduced.program, part)) > 5e-3
    np.testing.assert_array_equal(hot.program.J2, reduced.program.J2)
    assert hot.metrics["gain_per_time"] == pytest.approx(reduced.metrics["gain_per_time"], rel=1e-3)
    np.testing.assert_allclose(hot.curve[-1], reduced.curve[-1], rtol=1e-3)


def test_the_noise_of_training_depends_on_its_seed_alone() -> None:
    overrides = {**SMALL, "statistics": "sampled", "trajectories": 150}
    digests = [train(patterns(), overrides=overrides).program.digest for _ in range(2)]
    assert digests[0] == digests[1]
    assert train(patterns(), overrides={**overrides, "seed": 2}).program.digest != digests[0]


def test_a_run_keeps_the_samples_records_and_seed_of_its_plan() -> None:
    protocol = small_protocol()
    samples = protocol.run(SimulatedDevice(), 2, RunPlan(9.0, 4, 9.0, record_every=10, keep="trajectory", seed=5))
    assert samples.trajectory is not None
    assert samples.trajectory.shape == (4, protocol.steps // 10 + 1, 22)
    assert samples.seed == 5
    assert samples.times is not None
    assert samples.times[-1] == pytest.approx(protocol.duration)
