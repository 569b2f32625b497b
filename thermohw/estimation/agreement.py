# SPDX-License-Identifier: Apache-2.0
"""Whether numbers agree within their standard errors, all together."""

from collections.abc import Sequence

import numpy as np
from pydantic import BaseModel, ConfigDict, Field
from scipy.stats import chi2 as chi_squared
from scipy.stats import norm
from scipy.stats import t as students_t

from thermohw.estimation.basis import Floats


class Agreement(BaseModel):
    """How well numbers agree with what they should be, as if they were independent."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    chi2: float = Field(description="sum of squares of the normal scores")
    count: int = Field(ge=1, description="of numbers")
    p: float = Field(ge=0, le=1, description="probability of such a χ² or more, if all agree")
    worst: str = Field(description="which of them deviates most")
    deviation: float = Field(description="by how many standard errors")


def agreement(deviations: Floats, errors: Floats, freedom: float, names: Sequence[str]) -> Agreement | None:
    """Judge deviations by their standard errors; None where none of them is known.

    A deviation of t standard errors, which themselves have `freedom` degrees of freedom, counts as the normal score
    z = Φ⁻¹[T(t)] with Student's T: few groups make large t likely, and χ² must not take them for disagreement.

    Args:
        deviations: (n,) from what they should be.
        errors: (n,) standard errors.
        freedom: Degrees of freedom of a standard error.
        names: (n,) what each is called.
    """
    known = np.flatnonzero(np.isfinite(deviations) & (errors > 0))
    if not known.size:
        return None
    ratios = deviations[known] / errors[known]
    scores = normal_scores(ratios, freedom)
    worst = int(np.argmax(np.abs(ratios)))
    total = float((scores**2).sum())
    p = float(chi_squared.sf(total, known.size))
    return Agreement(chi2=total, count=known.size, p=p, worst=names[int(known[worst])], deviation=float(ratios[worst]))


def normal_scores(ratios: Floats, freedom: float) -> Floats:
    """Get the normal scores of ratios to standard errors with so many degrees of freedom."""
    tail = np.maximum(students_t.sf(np.abs(ratios), freedom), np.finfo(float).tiny)
    return np.asarray(np.sign(ratios) * norm.isf(tail))
