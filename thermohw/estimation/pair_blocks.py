# SPDX-License-Identifier: Apache-2.0
"""Units that share their partners, and the products of their features."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.estimation.basis import Floats
from thermohw.estimation.bordered import Block
from thermohw.topology import Topology

FORCE = 3
"""Among a unit's own features x, x³, 1, F: the whole force as expected, F = B + b + 2 J2 x + 4 J4 x³ + Σ_j J_ij x_j."""


@dataclass(frozen=True, eq=False)
class Group:
    """Units whose forces have the same partners' states among their features.

    Attributes:
        units: (units,) which.
        common: (s,) the partners; with the unit itself where all of a group are each other's partners.
        position: (units,) where each unit stands in `common`; −1: nowhere.
    """

    units: NDArray[np.int64]
    common: NDArray[np.int64]
    position: NDArray[np.int64]


def groups_of(topology: Topology) -> list[Group]:
    """Get the groups of all units."""
    partners = topology.partners
    closed: dict[bytes, list[int]] = {}
    for unit, found in enumerate(partners):
        closed.setdefault(np.union1d(found, [unit]).tobytes(), []).append(unit)
    groups: list[Group] = []
    left: dict[bytes, list[int]] = {}
    for members in closed.values():
        if len(members) > 1:  # each other's partners: the set with themselves serves all
            units, common = np.array(members, np.int64), np.union1d(partners[members[0]], members[:1])
            groups.append(Group(units, common, np.searchsorted(common, units)))
        else:
            left.setdefault(partners[members[0]].tobytes(), []).append(members[0])
    for members in left.values():
        units = np.array(members, np.int64)
        groups.append(Group(units, partners[members[0]], np.full(len(units), -1)))
    return groups


def products(group: Group, means: dict[str, Floats], lag: int, matrix: Any, expected: dict[str, Floats]) -> Block:
    """Get the products of the group's features, the second so many intervals after the first.

    Args:
        group: The units.
        means: As `PairMoments` has them.
        lag: In intervals.
        matrix: Sparse symmetric matrix of the couplings that are expected.
        expected: `J2`, `J4` and `biases` (units,) likewise.
    """
    unit, common = group.units, group.common
    xx, cx, xc, xb, xb_now = (means["xx"][lag], means["cx"][lag], means["xc"][lag], means["xb"][lag], means["xb"][0])
    inner, outer = np.ix_(unit, common), np.ix_(common, unit)
    ones = np.ones((len(unit), len(common)))
    now, later = means["x"][0], means["x"][lag]
    right = np.stack([xx[outer].T, xc[outer].T, ones * now[common], xb_now[outer].T], axis=2)
    left = np.stack([xx[inner], cx[inner], ones * later[common], xb[outer].T], axis=1)
    own = np.array(
        [
            [np.diag(xx), np.diag(xc), now, np.diag(xb_now)],
            [np.diag(cx), means["cc"][lag], means["c"][0], means["cb"][0]],
            [later, means["c"][lag], means["one"], means["b"]],
            [np.diag(xb), means["cb"][lag], means["b"], means["bb"]],
        ]
    )[:, :, unit].transpose(2, 0, 1)
    force = np.ones((len(unit), 4))
    force[:, 0], force[:, 1] = 2 * expected["J2"][unit], 4 * expected["J4"][unit]
    force[:, 2] = expected["biases"][unit]
    couplings = matrix[unit][:, common].toarray()
    return Block(xx[np.ix_(common, common)], right, left, own).with_combination(couplings, force, FORCE)
