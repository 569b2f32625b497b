# SPDX-License-Identifier: Apache-2.0
"""Whether a fit line by line can be believed: white residuals, the right temperature, features that varied."""

import numpy as np

from thermohw.estimation.agreement import agreement
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.lines import REGRESSORS, LineMoments
from thermohw.estimation.pairs import PairEstimates
from thermohw.estimation.quality import NAMED, Quality, named_pairs, residual_autocorrelations
from thermohw.estimation.regression import scaled_condition


def judge_lines(moments: LineMoments, estimates: Estimates, kT: float, pairs: PairEstimates | None = None) -> Quality:
    """Judge a fit by lines, and what is known of couplings one by one.

    Args:
        moments: Of the readings.
        estimates: Made of them.
        kT: Thermal energy that the device states.
        pairs: Of couplings one by one; None: nothing is known of them.
    """
    topology, thermal = estimates.topology, estimates.values["kT"]
    here = moments.means().without_noise(float(estimates.values["noise"][0]) ** 2).products[0]
    conditions = np.zeros(topology.units)
    for unit, products in enumerate(here):
        used = REGRESSORS[np.diag(products)[REGRESSORS] > 0]
        conditions[unit] = scaled_condition(products[np.ix_(used, used)])
    correlations, errors = residual_autocorrelations(moments, estimates)
    units = [f"unit {unit}" for unit in range(topology.units)]
    unresolved, least, learnt = np.arange(len(topology.pairs)), (), None
    if pairs is not None:
        unresolved = pairs.unresolved()
        least, learnt = named_pairs(pairs, unresolved[:NAMED]), float(pairs.learnt.mean())
    return Quality(
        whiteness=agreement(correlations, errors, estimates.groups - 1, units),
        autocorrelation=float(max(correlations, key=abs)),
        reciprocity=None,
        temperature=agreement(thermal - kT, estimates.standard_error("kT"), estimates.groups - 1, units),
        temperature_ratio=float(thermal.mean() / kT) if np.isfinite(thermal).all() else None,
        condition=float(conditions.max()),
        condition_unit=int(np.argmax(conditions)),
        unresolved=len(unresolved),
        pairs=len(topology.pairs),
        least_known=least,
        learnt=learnt,
    )
