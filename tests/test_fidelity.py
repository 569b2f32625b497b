# SPDX-License-Identifier: Apache-2.0
"""Scores of samples made by hand, whose scores are known."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermohw.errors import TrainingError
from thermohw.training import Fidelity, score
from thermohw.training.fidelity import RECOGNISED, correlations

Floats = NDArray[np.float64]
ROW_PATTERNS = np.array([[1, 1, -1, -1], [1, -1, 1, -1], [1, -1, -1, 1]], np.float64)
"""Three patterns of 16 pixels that do not correlate with each other, nor with a uniform one."""
REFERENCES: Floats = np.repeat(ROW_PATTERNS, 4, axis=1)
LABELS = np.array([3, 5, 8])
FOURTH: Floats = np.tile([1.0, -1.0, -1.0, 1.0], 4)
"""A pattern that correlates with none of them."""


def sample(*weights: float, noise: float = 0.0) -> Floats:
    """Mix the references and the fourth pattern; the correlations are the weights over their norm."""
    return np.asarray(weights, np.float64) @ REFERENCES + noise * FOURTH


def assert_equal_scores(first: Fidelity, second: Fidelity) -> None:
    assert replace(first, correlation=0.0, purity=0.0, entropy=0.0) == replace(
        second, correlation=0.0, purity=0.0, entropy=0.0
    )
    assert (first.correlation, first.purity, first.entropy) == pytest.approx(
        (second.correlation, second.purity, second.entropy), abs=1e-9
    )


def test_perfect_upright_samples() -> None:
    fidelity = score(REFERENCES, REFERENCES, LABELS)
    assert fidelity == Fidelity(3, 1.0, 1.0, fidelity.entropy, 1.0, 1.0, (3, 5, 8), (1, 1, 1), (0, 0, 0), None)
    assert fidelity.entropy == pytest.approx(1.0, abs=1e-12)


def test_perfect_inverted_samples() -> None:
    fidelity = score(-REFERENCES[[0, 0, 2]], REFERENCES, LABELS)
    assert (fidelity.recognised, fidelity.upright) == (1.0, 0.0)
    assert (fidelity.upright_counts, fidelity.inverted_counts) == ((0, 0, 0), (2, 0, 1))
    assert (fidelity.correlation, fidelity.purity) == (1.0, 1.0)


def test_upright_is_a_share() -> None:
    fidelity = score([sample(1, 0, 0), sample(0, -1, 0), sample(0, 1, 0), sample(0, 0, 1)], REFERENCES, LABELS)
    assert fidelity.upright == 0.75
    assert (fidelity.upright_counts, fidelity.inverted_counts) == ((1, 1, 1), (0, 1, 0))


def test_one_class_alone_has_no_entropy() -> None:
    fidelity = score([sample(0, 1, 0), sample(0, -2, 0)], REFERENCES, LABELS)
    assert fidelity.entropy == 0.0
    assert math.copysign(1.0, fidelity.entropy) == 1.0


def test_equal_shares_have_the_largest_entropy() -> None:
    states = np.concatenate([REFERENCES, -REFERENCES, REFERENCES])
    assert score(states, REFERENCES, LABELS).entropy == pytest.approx(1.0, abs=1e-12)
    # two classes out of three
    assert score(REFERENCES[:2], REFERENCES, LABELS).entropy == pytest.approx(math.log(2) / math.log(3), abs=1e-12)


def test_a_known_mixture_has_the_entropy_of_its_shares() -> None:
    states = np.repeat(REFERENCES, [5, 3, 2], axis=0)
    states[0] *= -1  # inverted samples count for their class
    shares = np.array([0.5, 0.3, 0.2])
    expected = -(shares * np.log(shares)).sum() / np.log(3)
    assert score(states, REFERENCES, LABELS).entropy == pytest.approx(expected, abs=1e-12)


def test_purity_and_correlation_are_those_of_the_two_strongest() -> None:
    # (3, −2, 1) over √14; then (0.6, 0, 0) with noise 0.8
    fidelity = score([sample(3, -2, 1), sample(0.6, 0, 0, noise=0.8)], REFERENCES, LABELS)
    assert fidelity.correlation == pytest.approx((3 / math.sqrt(14) + 0.6) / 2, abs=1e-12)
    assert fidelity.purity == pytest.approx((1 / math.sqrt(14) + 0.6) / 2, abs=1e-12)


def test_recognition_has_a_threshold() -> None:
    below, above = RECOGNISED - 1e-6, RECOGNISED + 1e-6
    states = [sample(0, weight, 0, noise=math.sqrt(1 - weight**2)) for weight in (below, above, -below, -above, 0.1)]
    assert score(states, REFERENCES, LABELS).recognised == pytest.approx(2 / 5)


def test_requested_class_is_told_by_signed_correlation() -> None:
    states = [sample(1, 0, 0), sample(0, 1, 0), sample(0.5, -2, 0), sample(-2, 0, 0.5)]
    # the third looks most like an inverted 5, but among upright patterns most like a 3
    shares = {label: score(states, REFERENCES, LABELS, label).requested for label in (3, 5, 8)}
    assert shares == {3: 0.5, 5: 0.25, 8: 0.25}
    assert score(states, REFERENCES, LABELS).requested is None


def test_several_references_of_a_class_count_for_it() -> None:
    fidelity = score(REFERENCES, REFERENCES, [5, 3, 5], 5)
    assert (fidelity.classes, fidelity.upright_counts) == ((3, 5), (1, 2))
    assert fidelity.requested == pytest.approx(2 / 3)
    assert fidelity.entropy == pytest.approx(-(math.log(1 / 3) / 3 + 2 * math.log(2 / 3) / 3) / math.log(2), abs=1e-12)


def test_a_uniform_sample_matches_nothing() -> None:
    for level in (0.0, 0.1, -1e30, 1e-300):
        fidelity = score([np.full(16, level)], REFERENCES, LABELS)
        assert (fidelity.recognised, fidelity.upright, fidelity.correlation, fidelity.purity) == (0.0, 0.0, 0.0, 0.0)
        assert fidelity.entropy == 0.0
        assert correlations([np.full(16, level)], REFERENCES).tolist() == [[0.0, 0.0, 0.0]]
    # the mean of equal numbers is not always that number, and what rounding leaves is uniform too
    for pixels in range(2, 100):
        assert correlations([np.full(pixels, 0.1)], [np.full(pixels, 0.3)]).tolist() == [[0.0]]


def test_a_single_reference_has_all_but_a_purity() -> None:
    fidelity = score([REFERENCES[0], -REFERENCES[0], REFERENCES[1]], REFERENCES[:1], [3], 3)
    assert math.isnan(fidelity.purity)  # there is no second reference
    assert (fidelity.samples, fidelity.entropy, fidelity.requested) == (3, 0.0, 1.0)
    assert fidelity.recognised == pytest.approx(2 / 3)
    assert fidelity.correlation == pytest.approx(2 / 3)
    assert fidelity.upright_counts[0] + fidelity.inverted_counts[0] == 3


def test_correlations_are_those_of_numpy() -> None:
    rng = np.random.default_rng(1)
    states, references = rng.normal(size=(5, 16)), rng.normal(size=(4, 16))
    expected = np.corrcoef(states, references)[:5, 5:]
    np.testing.assert_allclose(correlations(states, references), expected, rtol=0, atol=1e-14)


@given(
    scale=st.floats(1e-6, 1e6),
    offset=st.floats(-1e3, 1e3),
    reference_scale=st.floats(1e-6, 1e6),
    reference_offset=st.floats(-1e3, 1e3),
)
def test_scale_and_offset_do_not_matter(
    scale: float, offset: float, reference_scale: float, reference_offset: float
) -> None:
    states = np.array([sample(3, -2, 1), sample(-1, 0.5, 0, noise=1), sample(0.2, 0.1, 0.7, noise=0.3)])
    moved = score(scale * (states + offset), reference_scale * (REFERENCES + reference_offset), LABELS, requested=8)
    assert_equal_scores(moved, score(states, REFERENCES, LABELS, requested=8))


@given(st.integers(0, 2**32 - 1))
def test_inverting_the_samples_swaps_upright_and_inverted(seed: int) -> None:
    states = np.random.default_rng(seed).normal(size=(6, 16))
    fidelity, opposite = score(states, REFERENCES, LABELS), score(-states, REFERENCES, LABELS)
    assert opposite.upright == pytest.approx(1 - fidelity.upright)
    assert (opposite.upright_counts, opposite.inverted_counts) == (fidelity.inverted_counts, fidelity.upright_counts)
    assert (opposite.correlation, opposite.entropy) == pytest.approx((fidelity.correlation, fidelity.entropy))


@given(st.integers(0, 2**32 - 1), st.permutations(range(3)))
def test_scores_are_shares_and_do_not_depend_on_order(seed: int, order: list[int]) -> None:
    states = np.random.default_rng(seed).normal(size=(7, 16))
    fidelity = score(states, REFERENCES, LABELS, 5)
    assert_equal_scores(score(states[::-1], REFERENCES[order], LABELS[order], 5), fidelity)
    assert sum(fidelity.upright_counts) + sum(fidelity.inverted_counts) == fidelity.samples == 7
    for share in (fidelity.recognised, fidelity.upright, fidelity.entropy, fidelity.correlation, fidelity.purity):
        assert 0 <= share <= 1 + 1e-12


def test_scores_can_be_written_as_json() -> None:
    told = json.loads(json.dumps(score(REFERENCES, REFERENCES, LABELS, 3).as_dict()))
    assert told["classes"] == [3, 5, 8]
    assert told["requested"] == pytest.approx(1 / 3)


def test_what_cannot_be_scored_is_refused() -> None:
    infinite, missing = REFERENCES.copy(), REFERENCES.copy()
    infinite[1, 3], missing[2, 0] = np.inf, np.nan
    with pytest.raises(TrainingError, match="sample 1 has a state that is not finite"):
        score(infinite, REFERENCES, LABELS)
    with pytest.raises(TrainingError, match="sample 2 has a state that is not finite"):
        score(missing, REFERENCES, LABELS)
    with pytest.raises(TrainingError, match="reference 2 has a pixel that is not finite"):
        score(REFERENCES, missing, LABELS)
    with pytest.raises(TrainingError, match=r"class 4 has no reference; there are 3, 5, 8"):
        score(REFERENCES, REFERENCES, LABELS, 4)
    for states in (REFERENCES[:0], REFERENCES[0], REFERENCES[:, :15], REFERENCES[None]):
        with pytest.raises(TrainingError, match=r"states must have shape \(samples, 16\)"):
            score(states, REFERENCES, LABELS)
    for references, labels in ((REFERENCES, LABELS[:2]), (REFERENCES[:0], LABELS[:0]), (REFERENCES[0], LABELS)):
        with pytest.raises(TrainingError, match="references must have shape"):
            score(REFERENCES, references, labels)
