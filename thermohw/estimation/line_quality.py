# SPDX-License-Identifier: Apache-2.0
"""Whether a fit line by line can be believed: white residuals, the right temperature, features that varied."""

import numpy as np

from thermohw.estimation.agreement import agreement
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.interpolation import transition
from thermohw.estimation.lines import REGRESSORS, LineMeans, LineMoments
from thermohw.estimation.quality import Quality


def judge_lines(moments: LineMoments, estimates: Estimates, kT: float) -> Quality:
    """Judge a fit by lines; couplings one by one are not asked about.

    Args:
        moments: Of the readings.
        estimates: Made of them.
        kT: Thermal energy that the device states.
    """
    topology, thermal = estimates.topology, estimates.values["kT"]
    here = moments.means().without_noise(float(estimates.values["noise"][0]) ** 2).products[0]
    conditions = np.zeros(topology.units)
    for unit, products in enumerate(here):
        used = REGRESSORS[np.diag(products)[REGRESSORS] > 0]
        scale = np.sqrt(np.diag(products)[used])
        conditions[unit] = np.linalg.cond(products[np.ix_(used, used)] / np.outer(scale, scale))
    correlations, errors = residual_autocorrelations(moments, estimates)
    units = [f"unit {unit}" for unit in range(topology.units)]
    return Quality(
        whiteness=agreement(correlations, errors, estimates.groups - 1, units),
        autocorrelation=float(max(correlations, key=abs)),
        reciprocity=None,
        temperature=agreement(thermal - kT, estimates.standard_error("kT"), estimates.groups - 1, units),
        temperature_ratio=float(thermal.mean() / kT) if np.isfinite(thermal).all() else None,
        condition=float(conditions.max()),
        condition_unit=int(np.argmax(conditions)),
        unresolved=len(topology.pairs),
        pairs=len(topology.pairs),
        least_known=(),
    )


def residual_autocorrelations(moments: LineMoments, estimates: Estimates) -> tuple[Floats, Floats]:
    """Get the autocorrelations of each unit's residuals at lag one, (units,), with jackknife standard errors.

    As for pairs, each unit predicted from its own features: what other units do meanwhile is noise.
    """
    noise = estimates.replicates["noise"][:, 0]
    whole = _autocorrelation(moments.means().without_noise(float(estimates.values["noise"][0]) ** 2))
    parts = [
        _autocorrelation(moments.means(group).without_noise(float(noise[group]) ** 2))
        for group in range(moments.groups)
    ]
    replicates = np.stack(parts)
    deviations = replicates - replicates.mean(axis=0)
    return whole, np.asarray(np.sqrt((moments.groups - 1) / moments.groups * (deviations**2).sum(axis=0)))


def _autocorrelation(means: LineMeans) -> Floats:
    now, next_, after = means.products
    power = transition(now, next_)
    back = power.transpose(0, 2, 1)
    later = -(back @ (after - next_ @ power))
    residual = now - back @ now @ power
    return np.asarray(later[:, 0, 0] / residual[:, 0, 0])
