# SPDX-License-Identifier: Apache-2.0
"""The noise of readings, told from the motion."""

from collections.abc import Callable

from scipy.optimize import brentq

from thermohw.errors import CalibrationError
from thermohw.estimation.basis import Floats
from thermohw.estimation.interpolation import transition

FIRST = 1e-6
"""Where the search for the noise begins, relative to the variance of the states."""


def noise_variance(without_noise: Callable[[float], Floats], excess: Callable[[Floats], float], limit: float) -> float:
    """Get the variance of the noise of readings, one for all units, from moments at lags 0, 1 and 2.

    Noise adds to ⟨x x⟩ at lag 0 alone. Its variance is that at which the transition from lag 0 to lag 1, with the
    noise taken out, leads from lag 1 to lag 2 as well. Good for intervals that are short against relaxation.

    Args:
        without_noise: Gives the moments (lags, …, features, features) of states, if the noise has a variance.
        excess: Sums what is predicted for lag 2 less what is found, over the units' ⟨x x⟩.
        limit: Variance of the readings; no noise is larger.

    Raises:
        CalibrationError: No variance does: the interval is too long to tell noise from motion.
    """

    def missing(variance: float) -> float:
        zero, one, two = without_noise(variance)
        return excess(one @ transition(zero, one) - two)

    if missing(0.0) >= 0:
        return 0.0
    high = FIRST * limit
    while missing(high) < 0:
        high *= 2
        if high > limit:
            raise CalibrationError(
                "the noise of readings cannot be told from the motion at this interval: take readings closer in time, "
                "or state the noise"
            )
    return float(brentq(missing, 0.0, high, xtol=1e-6 * high))
