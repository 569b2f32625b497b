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


def blocks(
    group: Group, raw: dict[str, Floats], clean: dict[str, Floats], matrix: Any, expected: dict[str, Floats]
) -> tuple[Block, Block, Block]:
    """Get the products of the group's features: of states at one time, Δ apart, and of readings at one time.

    Args:
        group: The units.
        raw: Means of readings.
        clean: Means of states.
        matrix: Sparse symmetric matrix of the couplings that are expected.
        expected: `J2`, `J4` and `biases` (units,) likewise.
    """
    ones = np.zeros((len(group.units), 4))
    ones[:, 0], ones[:, 1] = 2 * expected["J2"][group.units], 4 * expected["J4"][group.units]
    ones[:, 2], ones[:, FORCE] = expected["biases"][group.units], 1.0
    couplings = matrix[group.units][:, group.common].toarray()
    features = raw | {name: clean[name] for name in ("c", "cb")}  # of readings, x³ is the Hermite polynomial too
    s2 = np.diag(raw["xx"]) - np.diag(clean["xx"])
    features["cx"] = raw["cx"] - 3 * s2 * raw["xx"]
    features["x6"] = raw["x6"] - 6 * s2 * np.diag(raw["cx"]) + 9 * s2**2 * np.diag(raw["xx"])
    found = (_now(group, clean), _later(group, clean), _now(group, features))
    now, later, noisy = (block.with_combination(couplings, ones, FORCE) for block in found)
    return now, later, noisy


def _now(group: Group, means: dict[str, Floats]) -> Block:
    unit, common = group.units, group.common
    right = np.empty((len(unit), len(common), 4))
    right[:, :, 0], right[:, :, 1] = means["xx"][np.ix_(common, unit)].T, means["cx"][np.ix_(unit, common)]
    right[:, :, 2], right[:, :, 3] = means["x"][common], means["xb"][np.ix_(common, unit)].T
    xx, cx, xb = (np.diag(means[name]) for name in ("xx", "cx", "xb"))
    own = [
        [xx, cx, means["x"], xb],
        [cx, means["x6"], means["c"], means["cb"]],
        [means["x"], means["c"], means["one"], means["b"]],
        [xb, means["cb"], means["b"], means["bb"]],
    ]
    return Block(means["xx"][np.ix_(common, common)], right, right.transpose(0, 2, 1), _own(own, unit))


def _later(group: Group, means: dict[str, Floats]) -> Block:
    unit, common = group.units, group.common
    at, other = np.ix_(common, unit), np.ix_(unit, common)
    right = np.empty((len(unit), len(common), 4))
    right[:, :, 0], right[:, :, 1] = means["xx_next"][at].T, means["xc_next"][at].T
    right[:, :, 2], right[:, :, 3] = means["x"][common], means["xb"][at].T
    left = np.empty((len(unit), 4, len(common)))
    left[:, 0], left[:, 1] = means["xx_next"][other], means["cx_next"][other]
    left[:, 2], left[:, 3] = means["x_next"][common], means["xb_next"][at].T
    xx, xc, cx, xb, xb_next = (np.diag(means[name]) for name in ("xx_next", "xc_next", "cx_next", "xb", "xb_next"))
    own = [
        [xx, xc, means["x"], xb],
        [cx, means["cc_next"], means["c"], means["cb"]],
        [means["x_next"], means["c_next"], means["one"], means["b"]],
        [xb_next, means["cb_next"], means["b"], means["bb"]],
    ]
    return Block(means["xx_next"][np.ix_(common, common)], right, left, _own(own, unit))


def _own(rows: list[list[Floats]], units: NDArray[np.int64]) -> Floats:
    return np.array(rows)[:, :, units].transpose(2, 0, 1)
