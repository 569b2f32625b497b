# SPDX-License-Identifier: Apache-2.0
"""Assertions on random quantities that state their error."""

from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from thermohw.statistics import effective_sample_size

LEAST_SAMPLES = 10
"""Effective samples below which a standard error says too little."""


def assert_mean(
    samples: ArrayLike, truth: ArrayLike, sigmas: float = 5.0, *, along: Literal["chains", "steps"] = "chains"
) -> None:
    """Assert that the mean of samples agrees with the truth within their statistical error.

    |mean − truth| / s.e. is held, on both sides, against the quantile of Student's t for the effective number of
    samples whose tail probability is that of `sigmas` standard deviations of a normal distribution, divided by the
    number of components (Bonferroni): the chance of a false alarm is that of one `sigmas` event, 6e-7 at 5, however
    many components there are.

    Args:
        samples: (chains, …) or (steps, …); further axes are components, each compared with its own truth.
        truth: The true mean, of the shape of the components, or a scalar for all.
        sigmas: Two-sided threshold for a single component, in standard errors.
        along: What the first axis is: independent "chains", whose standard error is s.d./√n; or the successive
            "steps" of one stationary series, where the effective sample size of each component replaces n.

    Raises:
        AssertionError: The mean is off (the message gives value, truth, standard error and their number), or the
            samples are too few, not finite, or without spread, so that no standard error exists.
    """
    values = np.asarray(samples, np.float64)
    if not np.isfinite(values).all():
        raise AssertionError(f"{int((~np.isfinite(values)).sum())} of {values.size} samples are not finite")
    series = values.reshape(len(values), -1)
    expected = np.broadcast_to(np.asarray(truth, np.float64), values.shape[1:]).ravel()
    effective = _effective_sizes(series, along)
    if effective.min() < LEAST_SAMPLES:
        raise AssertionError(f"{effective.min():.3g} effective samples; at least {LEAST_SAMPLES} are needed")
    mean, deviation = series.mean(axis=0), series.std(axis=0, ddof=1)
    error = deviation / np.sqrt(effective)
    flat = error <= 1e-12 * np.abs(mean)
    if (flat & (np.abs(mean - expected) > 1e-12 * np.abs(expected))).any():
        raise AssertionError("the samples have no spread, so that their mean has no standard error")
    number = np.abs(mean - expected) / np.where(flat, 1.0, error)
    tail = stats.norm.sf(sigmas) / len(expected)
    allowed = np.asarray(stats.t.isf(tail, effective - 1), np.float64)
    worst = int(np.argmax(number / allowed))
    if number[worst] > allowed[worst]:
        at = tuple(int(index) for index in np.unravel_index(worst, values.shape[1:]))
        raise AssertionError(
            f"mean{list(at) if at else ''} = {mean[worst]:.6g} but the truth is {expected[worst]:.6g}: "
            f"{number[worst]:.1f} standard errors of {error[worst]:.2g} apart, {allowed[worst]:.2f} allowed "
            f"({len(values)} {along}, effectively {effective[worst]:.4g}; {len(expected)} components)"
        )


def _effective_sizes(series: NDArray[np.float64], along: Literal["chains", "steps"]) -> NDArray[np.float64]:
    count = len(series)
    if along == "chains" or count < LEAST_SAMPLES:
        return np.full(len(series.T), float(count))
    # never more than the samples there are: an alternating series is not trusted to be better than independent
    sizes = [min(float(count), effective_sample_size(series[:, column])) for column in range(series.shape[1])]
    return np.array(sizes, np.float64)
