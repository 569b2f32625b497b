# SPDX-License-Identifier: Apache-2.0
"""Gradient descent: the exact flow, the paper's updates over trajectories, and that the two agree."""

from dataclasses import replace

import numpy as np
import pytest
from training_examples import SMALL, TOPOLOGIES, Floats, noising_paths, patterns, small_protocol

from thermohw import Program, SimulatedDevice
from thermohw.errors import TrainingError
from thermohw.path import reverse_log_probability
from thermohw.training import TrainingConfig, descent, flow, load_config
from thermohw.training.checkpoint import Checkpoint
from thermohw.training.descent import descend_trajectories
from thermohw.training.expected import expected_moments
from thermohw.training.flow import descend_flow
from thermohw.training.likelihood import Solution, maximize_likelihood
from thermohw.training.noising import NoisingProtocol
from thermohw.training.quadratic import PathQuadratic

HIDDEN = np.arange(16, 22)


def quadratic_of(protocol: NoisingProtocol, ridge: float = 0.0) -> PathQuadratic:
    return PathQuadratic(expected_moments(protocol), protocol.topology, HIDDEN, ridge)


def exact_flow(quadratic: PathQuadratic, time: float) -> Floats:
    """Evaluate z(τ) = −(1 − e^{−2Hτ}) H⁻¹ ∂f(0) with the full Hessian."""
    hessian = np.stack([quadratic.hessian_product(unit) for unit in np.eye(quadratic.size)])
    rates, modes = np.linalg.eigh(hessian)
    return np.asarray(modes @ ((np.expm1(-2 * rates * time) / rates) * (modes.T @ quadratic.linear)))


# The flow


@pytest.mark.parametrize("time", [1e-4, 0.01, 0.3, 10.0, 1e3])
@pytest.mark.parametrize("directions", [48, 7])
def test_flow_is_the_exact_solution_of_its_equation(
    monkeypatch: pytest.MonkeyPatch, time: float, directions: int
) -> None:
    monkeypatch.setattr(flow, "DIRECTIONS", directions)  # few of them need more than one stretch
    quadratic = quadratic_of(small_protocol(), ridge=0.05)
    solution, exact = descend_flow(quadratic, time), exact_flow(quadratic, time)
    np.testing.assert_allclose(solution.z, exact, rtol=0, atol=1e-4 * np.abs(exact).max())
    assert solution.curve[-1] == pytest.approx([time, quadratic.gain(exact)], rel=1e-6)


def test_curve_of_the_flow_is_the_gain_along_it() -> None:
    quadratic = quadratic_of(small_protocol())
    curve = descend_flow(quadratic, 0.5).curve
    assert curve[0].tolist() == [0.0, 0.0]
    assert (np.diff(curve, axis=0) * (1, -1) > 0).all()  # time rises, −ln P̃ falls
    for time, gain in curve[1:]:
        assert gain == pytest.approx(quadratic.gain(exact_flow(quadratic, time)), rel=1e-6)


def test_flow_converges_to_the_solution_in_closed_form() -> None:
    quadratic = quadratic_of(small_protocol(), ridge=0.01)
    best = maximize_likelihood(quadratic)
    distances = [
        float(np.linalg.norm(descend_flow(quadratic, time).z - best.z)) / float(np.linalg.norm(best.z))
        for time in (0.01, 0.1, 1.0, 10.0, 100.0, 1000.0)
    ]
    assert (np.diff(distances) < 0).all()
    assert distances[0] > 0.5
    assert distances[-1] < 1e-4
    assert descend_flow(quadratic, 1000.0).gradient_norm < 1e-6


def test_flow_starts_along_the_gradient() -> None:
    quadratic = quadratic_of(small_protocol())
    np.testing.assert_allclose(descend_flow(quadratic, 1e-9).z, -2e-9 * quadratic.linear, rtol=1e-5)


def test_a_single_coupling_follows_its_exponential() -> None:
    topology = TOPOLOGIES["listed pairs"]
    protocol = small_protocol(topology=replace(topology, pairs=topology.pairs[:1]))
    quadratic = PathQuadratic(expected_moments(protocol), protocol.topology, np.arange(0))
    rate, slope = float(quadratic.curvature[0]), float(quadratic.linear[0])
    for time in (0.1, 1.0, 50.0):
        assert descend_flow(quadratic, time).z[0] == pytest.approx(slope * np.expm1(-2 * rate * time) / rate, rel=1e-9)


# Descent over trajectories


def descend(protocol: NoisingProtocol, config: TrainingConfig, device: SimulatedDevice | None = None) -> Solution:
    checkpoint = Checkpoint(None, "")
    return descend_trajectories(protocol, HIDDEN, config, device or SimulatedDevice(), checkpoint)


def configured(trajectories: int, learning_rate: float, ridge: float = 0.0) -> TrainingConfig:
    numbers = {"trajectories": trajectories, "learning_rate": learning_rate, "ridge": ridge}
    return load_config("contrast", {**SMALL, "method": "descent", "statistics": "sampled", **numbers})


def test_updates_are_those_of_equations_8_and_9() -> None:
    """Repeat five updates with the derivatives taken numerically from the path probability itself."""
    protocol, config = small_protocol(images=patterns(2)), configured(5, 1e-3, ridge=0.5)
    quadratic = quadratic_of(protocol)  # for its packing alone
    paths = [noising_paths(protocol, image, 3, config.seed) for image in range(2)]
    z = np.zeros(quadratic.size)
    gains: list[float] = []
    for number in range(5):
        path = paths[number % 2][:, number // 2]

        def log_probability(z: Floats, path: Floats = path) -> float:
            couplings, biases = quadratic.unpack(z)
            program = replace(Program.uncoupled(protocol.topology), biases=biases, couplings=couplings)
            return float(reverse_log_probability(program, path, protocol.dt))

        steps = np.eye(len(z))
        slopes = np.array([(log_probability(z + step) - log_probability(z - step)) / 2 for step in steps])
        gains.append((log_probability(np.zeros(len(z))) - log_probability(z)) / protocol.duration)
        couplings, _ = quadratic.unpack(z)
        decay = quadratic.pack(0.5 * protocol.duration / 2 * couplings, np.zeros(22))
        z = z + config.learning_rate * (slopes - decay)
    solution = descend(protocol, config)
    np.testing.assert_allclose(solution.z, z, rtol=0, atol=1e-4 * np.abs(z).max())
    np.testing.assert_allclose(solution.curve[:, 1], gains, rtol=1e-3, atol=1e-2)
    np.testing.assert_allclose(solution.curve[:, 0], config.descent_time * np.arange(1, 6) / 5, rtol=1e-12)


def correlation(first: Floats, second: Floats) -> float:
    pairs = len(TOPOLOGIES["layered"].pairs)
    return float(np.corrcoef(first[:pairs], second[:pairs])[0, 1])


@pytest.mark.parametrize("ridge", [0.0, 5.0])
def test_many_small_updates_follow_the_flow(ridge: float) -> None:
    config = configured(600, 1e-3, ridge)
    protocol = small_protocol()
    learned = descend(protocol, config).z
    followed = descend_flow(quadratic_of(protocol, ridge), config.descent_time).z
    assert correlation(learned, followed) > 0.98
    assert np.linalg.norm(learned) / np.linalg.norm(followed) == pytest.approx(1, abs=0.05)
    # neither another ridge, nor another time, nor other images would pass
    other_ridge = descend_flow(quadratic_of(protocol, 5.0 - ridge), config.descent_time).z
    other_time = descend_flow(quadratic_of(protocol, ridge), 0.5 * config.descent_time).z
    for other in (other_ridge, other_time):
        assert abs(np.linalg.norm(learned) / np.linalg.norm(other) - 1) > 0.1
    other_images = small_protocol(images=patterns(seed=1))
    assert abs(correlation(learned, descend_flow(quadratic_of(other_images, ridge), config.descent_time).z)) < 0.6


def test_descent_does_not_depend_on_how_many_trajectories_run_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    protocol, config = small_protocol(images=patterns(5)), configured(23, 1e-3)
    reference = descend(protocol, config)
    for at_once in (1, 3, 5, 12):
        monkeypatch.setattr(descent, "TRAJECTORIES_AT_ONCE", at_once)
        solution = descend(protocol, config)
        # to float32's rounding: a few chains are not propagated in the same order of operations as many
        np.testing.assert_allclose(solution.z, reference.z, rtol=0, atol=1e-5 * np.abs(reference.z).max())
        np.testing.assert_allclose(solution.curve, reference.curve, rtol=1e-3, atol=1e-2)
    monkeypatch.setattr(descent, "BYTES_AT_ONCE", 1)
    np.testing.assert_allclose(descend(protocol, config).z, reference.z, rtol=0, atol=1e-5 * np.abs(reference.z).max())


def test_more_images_than_trajectories_at_once_stay_within_the_noise_counter() -> None:
    protocol = small_protocol(images=patterns(300))
    chains = [protocol.chain(image, number) for image in range(300) for number in (0, 2**24 // 300)]
    assert len(set(chains)) == len(chains)
    assert sorted(chains) == chains
    assert chains[-1] < 2**32 - 2**24
    assert np.isfinite(descend(protocol, configured(310, 1e-3)).z).all()


def test_a_descent_that_diverges_says_so() -> None:
    for learning_rate in (30.0, 1e3):
        with pytest.raises(TrainingError, match=rf"diverged at trajectory \d+: learning_rate {learning_rate:g} is too"):
            descend(small_protocol(), configured(200, learning_rate))
