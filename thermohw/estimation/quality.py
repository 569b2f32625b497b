# SPDX-License-Identifier: Apache-2.0
"""Whether a fit can be believed: white residuals, reciprocal couplings, the right temperature, enough data."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from thermohw.estimation.agreement import Agreement, agreement
from thermohw.estimation.basis import Floats
from thermohw.estimation.estimates import Estimates, jackknife_errors
from thermohw.estimation.interpolation import transition
from thermohw.estimation.means import ReadingMeans
from thermohw.estimation.moments import LaggedMoments, Moments
from thermohw.estimation.pairs import PairEstimates
from thermohw.estimation.regression import Regressors, scaled_condition
from thermohw.estimation.sums import ReadingSums
from thermohw.topology import Topology

RESOLVED = 2.0
"""Standard errors that a coupling must differ from zero by."""

NAMED = 3
"""Pairs that are named."""


class Pair(BaseModel):
    """A coupling with its standard error, in the unit of the program's energies."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    units: tuple[int, int] = Field(description="i < j")
    coupling: float = Field(description="estimate")
    standard_error: float = Field(description="of it")


class Quality(BaseModel):
    """How good a fit is."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    whiteness: Agreement | None = Field(description="of residuals with the next ones: zero; None without motion")
    autocorrelation: float | None = Field(description="largest one of residuals at lag one, by its sign")
    reciprocity: Agreement | None = Field(description="of the two directions of couplings; None without pairs")
    temperature: Agreement | None = Field(description="of units' kT with the device's stated one")
    temperature_ratio: float | None = Field(description="mean kT over the stated one")
    condition: float = Field(description="largest condition number of a unit's regression, features scaled to one")
    condition_unit: int = Field(description="whose it is")
    unresolved: int = Field(
        ge=0,
        description=f"couplings that differ from zero by less than {RESOLVED:g} s.e.; with a prior, those of whose "
        "variance the readings removed less than half; by lines all",
    )
    pairs: int = Field(ge=0, description="couplings in all")
    least_known: tuple[Pair, ...] = Field(description="unresolved couplings of which least is known")
    learnt: float | None = Field(
        default=None, ge=0, le=1, description="mean share of the couplings' prior variance that the readings removed"
    )


def judge(moments: LaggedMoments, estimates: Estimates, kT: float) -> Quality:
    """Judge a fit by the moments that it was made of.

    Args:
        moments: Of the readings.
        estimates: Made of them.
        kT: Thermal energy that the device states.
    """
    topology, freedom = estimates.topology, estimates.groups - 1
    units = [f"unit {unit}" for unit in range(topology.units)]
    pairs = [f"pair ({i}, {j})" for i, j in topology.pairs.tolist()]
    whole = moments.means().without_noise(float(estimates.values["noise"][0]) ** 2)
    conditions = condition_numbers(whole, topology)
    white, largest = None, None
    if estimates.method != "snapshots":
        correlations, errors = residual_autocorrelations(moments, estimates)
        white, largest = agreement(correlations, errors, freedom, units), float(max(correlations, key=abs))
    thermal = estimates.values["kT"]
    unresolved, least = _unresolved(estimates)
    return Quality(
        whiteness=white,
        autocorrelation=largest,
        reciprocity=agreement(estimates.values["asymmetry"], estimates.standard_error("asymmetry"), freedom, pairs),
        temperature=agreement(thermal - kT, estimates.standard_error("kT"), freedom, units),
        temperature_ratio=float(thermal.mean() / kT) if np.isfinite(thermal).all() else None,
        condition=float(conditions.max()),
        condition_unit=int(np.argmax(conditions)),
        unresolved=unresolved,
        pairs=len(pairs),
        least_known=least,
    )


def residual_autocorrelations(sums: ReadingSums, estimates: Estimates) -> tuple[Floats, Floats]:
    """Get the autocorrelations of each unit's residuals at lag one, (units,), with jackknife standard errors.

    The best prediction of the next state that is linear in the features is F(t + Δ) ≈ Aᵀ F(t), A = ⟨F F⟩⁻¹ ⟨F F(Δ)⟩. If
    states are all that the motion remembers, residuals r are white but for what the features lack:

        ⟨r(t) r(t + Δ)ᵀ⟩ = −Aᵀ [⟨F F(2Δ)⟩ − ⟨F F(Δ)⟩ A],      ⟨r rᵀ⟩ = ⟨F(Δ) F(Δ)ᵀ⟩ − Aᵀ ⟨F F⟩ A

    Coloured noise, inertia and a slow readout show here. The noise of readings has been taken out. By lines each unit
    is predicted from its own features: what other units do meanwhile is noise.
    """
    noises = estimates.replicates["noise"][:, 0].tolist()
    whole = _autocorrelation(sums.means().without_noise(float(estimates.values["noise"][0]) ** 2))
    parts = [_autocorrelation(sums.means(group).without_noise(noise**2)) for group, noise in enumerate(noises)]
    return whole, jackknife_errors(np.stack(parts))


def condition_numbers(moments: Moments, topology: Topology) -> Floats:
    """Get the condition numbers (units,) of the units' regressions, with features scaled to one."""
    every = (regressors.columns for regressors in Regressors.of_all(topology, moments.basis))
    return np.array([scaled_condition(moments.products[0][np.ix_(columns, columns)]) for columns in every])


def _autocorrelation(means: ReadingMeans) -> Floats:
    now, next_, after, then = means.products
    power = transition(now, next_)
    back = np.swapaxes(power, -1, -2)
    later = -(back @ (after - next_ @ power))
    return np.asarray(means.own(later) / means.own(then - back @ now @ power))


def _unresolved(estimates: Estimates) -> tuple[int, tuple[Pair, ...]]:
    couplings, errors = estimates.values["couplings"], estimates.standard_error("couplings")
    weak = np.flatnonzero(~(np.abs(couplings) >= RESOLVED * errors))  # also those that are not known
    order = weak[np.argsort(-np.nan_to_num(errors[weak], nan=np.inf), kind="stable")][:NAMED]
    return len(weak), named_pairs(estimates, order[np.isfinite(errors[order])])


def named_pairs(estimates: Estimates | PairEstimates, which: NDArray[np.integer[Any]]) -> tuple[Pair, ...]:
    """Get couplings by their numbers, with units and errors."""
    couplings, errors = estimates.values["couplings"], estimates.standard_error("couplings")
    return tuple(
        Pair(
            units=(int(estimates.topology.pairs[pair, 0]), int(estimates.topology.pairs[pair, 1])),
            coupling=float(couplings[pair]),
            standard_error=float(errors[pair]),
        )
        for pair in which
    )
