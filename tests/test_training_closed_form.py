# SPDX-License-Identifier: Apache-2.0
"""The closed form is Eq. 7: value, gradient, Hessian and solution against direct evaluation on explicit paths."""

from dataclasses import dataclass, replace

import numpy as np
import pytest
from training_examples import SMALL, TOPOLOGIES, Floats, noising_paths, patterns, small_protocol

from thermohw import PathStatistics, Program, Topology, datasets, train
from thermohw.errors import TrainingError
from thermohw.path import reverse_log_probability
from thermohw.training import likelihood
from thermohw.training.expected import expected_moments
from thermohw.training.likelihood import maximize_likelihood
from thermohw.training.moments import DenseMoments, LowRankMoments, PathMoments
from thermohw.training.quadratic import PathQuadratic

RNG_SEED = 3


@dataclass(frozen=True)
class Case:
    """Explicit paths of some computer, and the quadratic made of their statistics."""

    paths: Floats
    J2: Floats
    J4: Floats
    dt: float
    quadratic: PathQuadratic

    def direct(self, z: Floats) -> float:
        """Evaluate −ln P̃ of all paths by Eq. 7, per unit time, plus the ridge."""
        quadratic = self.quadratic
        mobility, kT = quadratic.moments.mobility, quadratic.moments.kT
        couplings, biases = quadratic.unpack(z)
        program = Program(quadratic.topology, self.J2, self.J4, biases, couplings)
        total = -reverse_log_probability(program, self.paths, self.dt, mobility, kT).sum()
        steps, chains, _ = self.paths.shape
        penalty = quadratic.ridge * mobility * float(couplings @ couplings) / (4 * kT)
        return float(total) / ((steps - 1) * chains * self.dt) + penalty


def make_case(name: str, biased: str, mobility: float, kT: float, ridge: float) -> Case:
    topology = TOPOLOGIES[name]
    protocol = small_protocol(topology=topology)
    paths = np.concatenate([noising_paths(protocol, image, 5) for image in range(3)], axis=1)
    rng = np.random.default_rng(RNG_SEED)
    J2, J4 = kT * rng.uniform(5, 15, topology.units), kT * rng.uniform(5, 15, topology.units)
    dt = protocol.dt / (mobility * kT)
    statistics = PathStatistics(J2, J4, "reverse", mobility, kT)
    statistics.add_steps(paths, dt)
    units = {"none": np.arange(0), "some": np.array([2, 9, 15]), "all": np.arange(topology.units)}[biased]
    quadratic = PathQuadratic(PathMoments.of(statistics), topology, units, ridge)
    return Case(paths, J2, J4, dt, quadratic)


CASES = [
    ("layered", "none", 1.0, 1.0, 0.0),
    ("layered", "all", 0.4, 2.5, 0.3),
    ("visible-hidden only", "some", 1.0, 1.0, 0.0),
    ("grid without hidden units", "none", 3.0, 0.2, 0.1),
    ("grid without hidden units", "all", 1.0, 1.0, 0.0),
    ("complete", "all", 1.0, 4.0, 0.0),
    ("listed pairs", "some", 0.5, 1.0, 0.7),
]


@pytest.fixture(params=CASES, ids=lambda case: f"{case[0]}-{case[1]}")
def case(request: pytest.FixtureRequest) -> Case:
    return make_case(*request.param)


def some_parameters(case: Case, seed: int) -> Floats:
    return np.random.default_rng(seed).normal(scale=case.quadratic.moments.kT, size=case.quadratic.size)


def test_value_is_that_of_equation_7(case: Case) -> None:
    for z in (np.zeros(case.quadratic.size), some_parameters(case, 1), 30 * some_parameters(case, 2)):
        assert case.quadratic.value(z) == pytest.approx(case.direct(z), rel=1e-10)


def test_a_wrong_parameter_shows_in_the_value(case: Case) -> None:
    z = some_parameters(case, 1)
    other = replace(case, J4=1.01 * case.J4)
    assert abs(case.quadratic.value(z) / other.direct(z) - 1) > 1e-7


def test_gradient_is_the_finite_difference_of_equation_7(case: Case) -> None:
    z = some_parameters(case, 1)
    step = 0.1 * case.quadratic.moments.kT  # the function is quadratic: central differences are exact at any step
    numeric = np.array([(case.direct(z + move) - case.direct(z - move)) / (2 * step) for move in step * np.eye(len(z))])
    gradient = case.quadratic.gradient(z)
    np.testing.assert_allclose(gradient, numeric, rtol=0, atol=1e-6 * np.abs(gradient).max())


def test_hessian_product_is_the_change_of_the_gradient(case: Case) -> None:
    z, move = some_parameters(case, 1), some_parameters(case, 2)
    second = case.direct(z + move) - 2 * case.direct(z) + case.direct(z - move)
    product = case.quadratic.hessian_product(move)
    assert float(move @ product) == pytest.approx(second, rel=1e-8)
    other = case.quadratic.hessian_product(z)
    assert float(z @ product) == pytest.approx(float(move @ other), rel=1e-10)  # symmetric
    np.testing.assert_allclose(case.quadratic.hessian_product(z + 2 * move), other + 2 * product, rtol=1e-10, atol=1e-9)


def dense_hessian(quadratic: PathQuadratic) -> Floats:
    return np.stack([quadratic.hessian_product(unit) for unit in np.eye(quadratic.size)])


def test_curvature_is_the_diagonal_of_the_hessian(case: Case) -> None:
    np.testing.assert_allclose(np.diagonal(dense_hessian(case.quadratic)), case.quadratic.curvature, rtol=1e-12)


def test_packing_and_unpacking_are_inverse(case: Case) -> None:
    z = some_parameters(case, 1)
    couplings, biases = case.quadratic.unpack(z)
    assert np.array_equal(case.quadratic.pack(couplings, biases), z)
    assert not biases[np.setdiff1d(np.arange(case.quadratic.topology.units), case.quadratic.biased)].any()


def test_solution_is_the_minimum_of_equation_7(case: Case) -> None:
    solution = maximize_likelihood(case.quadratic)
    at_zero = np.linalg.norm(case.quadratic.gradient(np.zeros(case.quadratic.size)))
    assert np.linalg.norm(case.quadratic.gradient(solution.z)) < 1e-6 * at_zero
    assert solution.gradient_norm < 1e-6
    exact = np.asarray(np.linalg.solve(dense_hessian(case.quadratic), -case.quadratic.linear), np.float64)
    np.testing.assert_allclose(solution.z, exact, rtol=0, atol=1e-4 * np.abs(exact).max())
    lowest = case.direct(solution.z)
    assert lowest == pytest.approx(case.direct(exact), rel=1e-9)
    for seed in range(5):
        assert case.direct(solution.z + 0.1 * some_parameters(case, seed)) > lowest


def test_curve_of_the_solution_falls_to_the_gain(case: Case) -> None:
    solution = maximize_likelihood(case.quadratic)
    assert solution.curve[0].tolist() == [0.0, 0.0]
    assert (np.diff(solution.curve[:, 1]) < 1e-10 * abs(solution.curve[-1, 1])).all()
    assert len(solution.curve) <= 1.5 * case.quadratic.size + 5
    assert solution.curve[-1, 1] == pytest.approx(case.quadratic.gain(solution.z), rel=1e-6)
    zero = case.direct(np.zeros(case.quadratic.size))
    assert case.quadratic.gain(solution.z) == pytest.approx(case.direct(solution.z) - zero, rel=1e-6)


def test_conjugate_gradients_that_do_not_converge_say_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(likelihood, "MAX_ITERATIONS", 2)
    with pytest.raises(TrainingError, match=r"did not converge in 2 iterations.*ridge above 0"):
        maximize_likelihood(make_case(*CASES[0]).quadratic)


# Dense and low-rank second moments


def random_low_rank(units: int, rank: int) -> tuple[LowRankMoments, DenseMoments]:
    rng = np.random.default_rng(RNG_SEED)
    D, G, H = rng.uniform(0.5, 1.5, units), rng.normal(size=(units, rank)), rng.normal(size=(units, rank))
    return LowRankMoments(D, G, H), DenseMoments(np.diag(D) + G @ G.T, H @ G.T)


@pytest.mark.parametrize("name", TOPOLOGIES)
def test_low_rank_moments_are_their_dense_equivalent(name: str) -> None:
    topology = TOPOLOGIES[name]
    low_rank, dense = random_low_rank(topology.units, 4)
    couplings = np.random.default_rng(1).normal(size=len(topology.pairs))
    J, (i, j) = topology.symmetric_matrix(couplings).toarray(), topology.pairs.T
    expected = (J @ dense.S + dense.S @ J)[i, j], (dense.C + dense.C.T)[i, j]
    for moments in (low_rank, dense):
        np.testing.assert_allclose(moments.anticommutator(topology, couplings), expected[0], rtol=0, atol=1e-12)
        np.testing.assert_allclose(moments.symmetric_cross(topology), expected[1], rtol=0, atol=1e-12)
        np.testing.assert_allclose(moments.diagonal, np.diagonal(dense.S), rtol=1e-13)


@pytest.mark.parametrize("biased", [np.arange(0), np.arange(16, 22)], ids=["without biases", "with biases"])
def test_dense_and_low_rank_moments_have_one_solution(biased: Floats) -> None:
    low_rank, dense = random_low_rank(22, 4)
    rng = np.random.default_rng(2)
    mean, force = 0.1 * rng.normal(size=22), rng.normal(size=22)
    solutions: list[Floats] = []
    for second in (low_rank, dense):
        moments = PathMoments(1.0, 1.0, mean, force, second, 100.0, 0.005, 10)
        quadratic = PathQuadratic(moments, TOPOLOGIES["layered"], biased.astype(np.int64), 0.1)
        solutions.append(maximize_likelihood(quadratic).z)
    np.testing.assert_allclose(solutions[0], solutions[1], rtol=0, atol=2e-6 * np.abs(solutions[0]).max())


# Restricted topologies at full size


def test_a_grid_of_28_by_28_units_is_trained_exactly() -> None:
    protocol = small_protocol({"hidden": 0, "duration": 0.5}, datasets.glyphs("012"), Topology.grid(28, 28))
    quadratic = PathQuadratic(expected_moments(protocol), protocol.topology, np.arange(0))
    assert quadratic.size == 2 * 27 * 28
    solution = maximize_likelihood(quadratic)
    assert solution.gradient_norm < 1e-6
    exact = np.linalg.solve(dense_hessian(quadratic), -quadratic.linear)
    np.testing.assert_allclose(solution.z, exact, rtol=0, atol=1e-5 * np.abs(exact).max())


def test_fewer_pairs_explain_less() -> None:
    gains: list[float] = []
    for name in ("listed pairs", "visible-hidden only", "layered", "complete"):
        protocol = small_protocol(images=patterns(), topology=TOPOLOGIES[name])
        quadratic = PathQuadratic(expected_moments(protocol), protocol.topology, np.arange(0))
        gains.append(quadratic.gain(maximize_likelihood(quadratic).z))
    assert 0 > gains[0] > gains[1] > gains[2] > gains[3]


def test_statistics_without_steps_are_refused() -> None:
    with pytest.raises(TrainingError, match="hold no steps"):
        PathMoments.of(PathStatistics(np.ones(3), np.ones(3)))


@pytest.mark.parametrize("method", ["likelihood", "descent"])
def test_what_leaves_nothing_to_train_is_refused(method: str) -> None:
    overrides = {**SMALL, "method": method}
    with pytest.raises(TrainingError, match="without hidden units a layered computer has no couplings; set hidden"):
        train(patterns(), overrides={**overrides, "hidden": 0})
    unseen = {**overrides, "hidden_amplitude": 0.0, "hidden_couplings": False}
    with pytest.raises(TrainingError, match="nothing to learn: the noising imposes no pattern"):
        train(patterns(), overrides=unseen)
    assert train(patterns(), overrides={**unseen, "hidden_amplitude": 1e-3}).metrics["gain_per_time"] < 0
