# SPDX-License-Identifier: Apache-2.0
"""Goodness of fit."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import kolmogorov

Floats = NDArray[np.float64]


def kolmogorov_smirnov(samples: Floats, cumulative: Callable[[Floats], Floats]) -> float:
    """Get the p-value of independent samples (samples,) under a law given by its cumulative probability."""
    below = cumulative(np.sort(samples))
    ranks = np.arange(len(samples) + 1) / len(samples)
    distance = max(np.max(ranks[1:] - below), np.max(below - ranks[:-1]))
    tail: Any = kolmogorov
    return float(tail(np.sqrt(len(samples)) * float(distance)))
