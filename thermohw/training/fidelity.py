# SPDX-License-Identifier: Apache-2.0
"""How well generated samples match the images that a computer was trained on."""

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from thermohw.errors import TrainingError

Floats = NDArray[np.float64]
RECOGNISED = 0.6
"""A sample is recognised where it correlates at least this much, in absolute value, with one reference."""


@dataclass(frozen=True)
class Fidelity:
    """Scores of samples against reference images, by Pearson correlation over the pixels.

    Thermal noise on the pixels caps the correlation of a perfect sample well below 1.

    Attributes:
        samples: Number of samples.
        recognised: Share with |correlation| ≥ 0.6 with some reference.
        upright: Share whose strongest correlation is positive.
        entropy: Entropy of the classes of the strongest correlations, over its maximum ln(classes).
        correlation: Mean strongest |correlation|.
        purity: Mean difference of the strongest and the second strongest |correlation|.
        classes: Class labels.
        upright_counts: Upright samples of each class.
        inverted_counts: Inverted samples of each class.
        requested: Share nearest, by signed correlation, to a reference of the class asked for; None if none was.
    """

    samples: int
    recognised: float
    upright: float
    entropy: float
    correlation: float
    purity: float
    classes: tuple[int, ...]
    upright_counts: tuple[int, ...]
    inverted_counts: tuple[int, ...]
    requested: float | None = None

    def as_dict(self) -> dict[str, Any]:
        """Get the scores for JSON."""
        return asdict(self)


def correlations(states: ArrayLike, references: ArrayLike) -> Floats:
    """Get Pearson correlations (samples, references); a uniform state correlates with nothing: zero.

    Args:
        states: (samples, visible).
        references: (references, visible).
    """
    normalised: list[Floats] = []
    for values in (states, references):
        array = np.asarray(values, np.float64)
        centred = array - array.mean(axis=1, keepdims=True)
        centred[np.ptp(array, axis=1) == 0] = 0.0  # not the rounding error of its mean
        norms = np.linalg.norm(centred, axis=1, keepdims=True)
        normalised.append(centred / np.where(norms > 0, norms, 1.0))
    return normalised[0] @ normalised[1].T


def score(states: ArrayLike, references: ArrayLike, labels: ArrayLike, requested: int | None = None) -> Fidelity:
    """Score visible states (samples, visible) against references (references, visible) of classes labels (references,).

    Args:
        states: Final visible states.
        references: Pixels of the training images, any scale.
        labels: Their classes.
        requested: Class that was asked for, if one was.

    Raises:
        TrainingError: No sample, shapes that do not fit, a number that is not finite, or an unknown class asked for.
    """
    reference_labels: NDArray[np.int64] = np.asarray(labels)
    _check(np.asarray(states), np.asarray(references), reference_labels, requested)
    signed = correlations(states, references)
    strength = np.abs(signed)
    nearest = strength.argmax(axis=1)
    rows = np.arange(len(signed))
    upright = signed[rows, nearest] > 0
    classes: NDArray[np.int64] = np.unique(reference_labels)
    found = reference_labels[nearest]
    counts = np.array([[np.sum((found == label) & sign) for label in classes] for sign in (upright, ~upright)])
    shares = counts.sum(axis=0) / len(signed)
    shares = shares[shares > 0]
    ranked: Floats = np.sort(strength, axis=1)
    asked = None if requested is None else float(np.mean(np.equal(reference_labels[signed.argmax(axis=1)], requested)))
    return Fidelity(
        len(signed),
        float(np.mean(ranked[:, -1] >= RECOGNISED)),
        float(np.mean(upright)),
        abs(float((shares * np.log(shares)).sum())) / float(np.log(max(2, len(classes)))),
        float(ranked[:, -1].mean()),
        float((ranked[:, -1] - ranked[:, -2]).mean()) if ranked.shape[1] > 1 else float("nan"),
        tuple(classes.tolist()),
        tuple(counts[0].tolist()),
        tuple(counts[1].tolist()),
        asked,
    )


def _check(states: NDArray[Any], references: NDArray[Any], labels: NDArray[Any], requested: int | None) -> None:
    if references.ndim != 2 or not len(references) or labels.shape != references.shape[:1]:
        raise TrainingError(
            f"references must have shape (references, visible) and as many labels, got {references.shape} and "
            f"{labels.shape}"
        )
    if states.ndim != 2 or not len(states) or states.shape[1] != references.shape[1]:
        raise TrainingError(f"states must have shape (samples, {references.shape[1]}), got {states.shape}")
    if not np.isfinite(references).all():
        worst = int(np.argmin(np.isfinite(references).all(axis=1)))
        raise TrainingError(f"reference {worst} has a pixel that is not finite")
    if not np.isfinite(states).all():
        raise TrainingError(f"sample {int(np.argmin(np.isfinite(states).all(axis=1)))} has a state that is not finite")
    if requested is not None and requested not in labels:
        raise TrainingError(f"class {requested} has no reference; there are {', '.join(map(str, np.unique(labels)))}")
