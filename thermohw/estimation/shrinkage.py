# SPDX-License-Identifier: Apache-2.0
"""Many estimates of one kind: pooled errors, their mean, and each shrunk towards it by what is known of it."""

import numpy as np

from thermohw.estimation.basis import Floats


def pooled(errors: Floats) -> Floats:
    """Get the r.m.s. error of a kind for each: weights from single jackknife errors would be as noisy as these are."""
    known = np.isfinite(errors)
    typical = float(np.sqrt((errors[known] ** 2).mean())) if known.any() else np.nan
    return np.where(known, typical, np.nan)


def shrunk(values: Floats, errors: Floats) -> Floats:
    """Shrink estimates towards their mean: by the scatter that their errors do not explain (DerSimonian and Laird)."""
    mean = weighted_mean(values, errors)
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return np.full(values.shape, mean if np.isfinite(mean) else 1.0)
    weights = 1 / errors[known] ** 2
    scatter = (weights * (values[known] - mean) ** 2).sum() - (known.sum() - 1)
    spread = max(float(scatter / (weights.sum() - (weights**2).sum() / weights.sum())), 0.0) if known.sum() > 1 else 0.0
    found = np.full(values.shape, mean)
    found[known] += (values[known] - mean) * spread / (spread + errors[known] ** 2)
    return found


def weighted_mean(values: Floats, errors: Floats) -> float:
    """Get the mean of what is known, by inverse squared errors; NaN where nothing is."""
    known = np.isfinite(values) & np.isfinite(errors) & (errors > 0)
    if not known.any():
        return float("nan")
    return float(np.average(values[known], weights=1 / errors[known] ** 2))
