# SPDX-License-Identifier: Apache-2.0
"""Many estimates of one kind: pooled errors, their mean, and each shrunk towards it by what is known of it."""

import numpy as np

from thermohw.estimation.basis import Floats

PLAUSIBLE = 0.3
"""Standard deviation of the relative errors that a device is held to be capable of, on the whole and of its parts.

It counts where the readings tell less: an estimate of 0.1 ± 1 must not be compensated for.
"""


def pooled(errors: Floats) -> Floats:
    """Get the r.m.s. error of a kind for each: weights from single jackknife errors would be as noisy as these are."""
    known = np.isfinite(errors)
    typical = float(np.sqrt((errors[known] ** 2).mean())) if known.any() else np.nan
    return np.where(known, typical, np.nan)


def shrunk(values: Floats, errors: Floats, centre: float = 1.0, width: float = PLAUSIBLE) -> Floats:
    """Shrink estimates towards their mean, by the scatter that their errors do not explain (DerSimonian and Laird).

    The mean is shrunk towards what the spec says, by its own error; scatter counts up to the width.

    Args:
        values: (n,) estimates; what is not finite gets the mean.
        errors: (n,) their standard errors.
        centre: What they should be.
        width: Standard deviation of what is plausible, of the mean and about it.
    """
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return np.full(values.shape, centre)
    value, variance = values[known], errors[known] ** 2
    measured, error = weighted_mean(value, errors[known])
    mean, total = towards(centre, measured, error, width), error**-2
    spread = 0.0
    if len(value) > 1:
        scatter = ((value - measured) ** 2 / variance).sum() - (len(value) - 1)
        spread = min(max(float(scatter / (total - (1 / variance**2).sum() / total)), 0.0), width**2)
    found = np.full(values.shape, mean)
    found[known] += (value - measured) * spread / (spread + variance)
    return found


def towards(centre: float, value: float, error: float, width: float = PLAUSIBLE) -> float:
    """Shrink an estimate towards what it should be: the posterior mean for a Gaussian prior of this width."""
    return float(centre + (value - centre) * width**2 / (width**2 + error**2))


def weighted_mean(values: Floats, errors: Floats) -> tuple[float, float]:
    """Get the mean of what is known, by inverse squared errors, and its standard error; NaN where nothing is."""
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return float("nan"), float("nan")
    precision = 1 / errors[known] ** 2
    return float(np.average(values[known], weights=precision)), float(precision.sum() ** -0.5)
