# SPDX-License-Identifier: Apache-2.0
"""Many least squares problems that share most regressors: one factorisation, bordered by what is each one's own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.estimation.basis import Floats

Complex = NDArray[np.complex128]

LEAST_EIGENVALUE = 1e-10
"""Of second moments, over the largest: combinations below it did not vary, and nothing is learnt from them."""


@dataclass(frozen=True, eq=False)
class Block:
    """Products of the features of a group of units: common ones s, and o own ones for each unit.

    Attributes:
        common: (s, s) of the common ones.
        right: (units, s, o) common times own.
        left: (units, o, s) own times common.
        own: (units, o, o) own times own.
    """

    common: Floats
    right: Floats
    left: Floats
    own: Floats

    def __add__(self, other: "Block") -> "Block":
        return Block(self.common + other.common, self.right + other.right, self.left + other.left, self.own + other.own)

    def __mul__(self, factor: float) -> "Block":
        return Block(factor * self.common, factor * self.right, factor * self.left, factor * self.own)

    def between(self, rows: "Rows") -> Floats:
        """Get R B Rᵀ (units, o, o) with so many rows R of each unit's own."""
        common = rows.common @ self.common + rows.own @ self.left
        own = rows.common @ self.right + rows.own @ self.own
        return common @ rows.common.transpose(0, 2, 1) + own @ rows.own.transpose(0, 2, 1)

    def with_combination(self, common: Floats, own: Floats, which: int) -> "Block":
        """Replace one own feature by a combination of features, (units, s) of common and (units, o) of own ones."""
        change = np.tile(np.eye(own.shape[1]), (len(own), 1, 1))
        change[:, which] = own
        back = change.transpose(0, 2, 1)
        right, left = self.right @ back, change @ self.left
        inner = change @ self.own @ back
        inner[:, which] += np.einsum("us,uso->uo", common, right)
        inner[:, :, which] += np.einsum("uos,us->uo", left, common)
        rows, columns = common @ self.common, common @ self.common.T
        inner[:, which, which] += np.einsum("us,us->u", rows, common)
        right[:, :, which] += columns
        left[:, which] += rows
        return Block(self.common, right, left, inner)


@dataclass(frozen=True, eq=False)
class Rows:
    """Rows of matrices over the features of a group of units: common (units, o, s) and own ones (units, o, o)."""

    common: Floats
    own: Floats


@dataclass(frozen=True, eq=False)
class Solution:
    """Posterior means and covariances of a group of units.

    Attributes:
        common: (units, s) coefficients of the common features.
        variances: (units, s) of these.
        own: (units, o) coefficients of the own ones.
        covariances: (units, o, o) of these.
        crossed: (units, s, o) covariances of common with own ones.
        rows: Of (k M + π)⁻¹, those of the own ones.
    """

    common: Floats
    variances: Floats
    own: Floats
    covariances: Floats
    crossed: Floats
    rows: Rows


@dataclass(frozen=True, eq=False)
class Modes:
    """A matrix of the common features' products as V λ V⁻¹, with an orthonormal part of V on which nothing varied.

    Attributes:
        values: (s,) λ; 0 where nothing varied, or chance made more of a decay than there was.
        vectors: (s, s) V.
        inverse: (s, s) V⁻¹.
    """

    values: Complex
    vectors: Complex
    inverse: Complex

    @staticmethod
    def of(matrix: Floats, second_moments: Floats) -> "Modes":
        """Get the modes of a matrix (s, s) of features with these second moments (s, s)."""
        variances, basis = np.linalg.eigh(second_moments)
        still = variances <= LEAST_EIGENVALUE * variances.max(initial=0.0)
        moving, rest = basis[:, ~still], basis[:, still]
        values: Complex
        own: Complex
        values, own = np.linalg.eig((moving.T @ matrix @ moving).astype(np.complex128))
        values = np.where(values.real > 0, values, 0.0)
        return Modes(
            np.concatenate([values, np.zeros(rest.shape[1])]).astype(np.complex128),
            np.hstack([moving @ own, rest]).astype(np.complex128),
            np.vstack([np.linalg.inv(own) @ moving.T, rest.T]).astype(np.complex128),
        )


def solve(
    moments: Block,
    modes: Modes,
    right: tuple[Floats, Floats],
    weights: Floats,
    precisions: tuple[Floats, Floats],
    pinned: NDArray[np.int64],
) -> Solution:
    """Solve (k_u M_u + π_u) β_u = k_u r_u for the coefficients β of each unit u, with covariances (k_u M_u + π_u)⁻¹.

    The common block of k M + π is diagonal in one basis for all units, whatever k and π. The rest is a border of few
    rows, eliminated by its Schur complement: the own coefficients, and a Lagrange multiplier that pins the unit's own
    entry among the common.

    Args:
        moments: M.
        modes: Of its common block.
        right: r of common (units, s) and own rows (units, o).
        weights: (units,) k.
        precisions: π of common (units,), one for all of them, and own coefficients (units, o).
        pinned: (units,) the common coefficient that is held at zero; −1: none.
    """
    k, own, held = weights[:, None], moments.own.shape[1], pinned >= 0
    vectors, back, varied = modes.vectors, modes.inverse, modes.values != 0
    inverse = 1 / (k * modes.values + precisions[0][:, None])
    columns = np.zeros((*moments.right.shape[:2], own + 1), np.complex128)
    rows = np.zeros((len(held), own + 1, len(back)), np.complex128)
    columns[:, :, :own] = k[:, :, None] * varied[:, None] * _each(back, moments.right)
    rows[:, :own] = k[:, :, None] * varied * (moments.left @ vectors)
    columns[held, :, own], rows[held, own] = back.T[pinned[held]], vectors[pinned[held]]
    corner = np.zeros((len(held), own + 1, own + 1), np.complex128)
    corner[:, :own, :own] = k[:, :, None] * moments.own + precisions[1][:, :, None] * np.eye(own)
    corner[~held, own, own] = 1.0
    target = np.concatenate([k * right[1], np.zeros_like(k)], axis=1)
    first = inverse * varied * (k * right[0] @ back.T)
    scaled = inverse[:, :, None] * columns
    schur: Complex = np.linalg.inv(corner - rows @ scaled).astype(np.complex128)
    edge = np.einsum("uab,ub->ua", schur, target - np.einsum("uas,us->ua", rows, first))
    common = (first - np.einsum("usa,ua->us", scaled, edge)) @ vectors.T
    outer, inner = _each(vectors, scaled), (rows * inverse[:, None, :]) @ back
    turned = outer @ schur
    variances = inverse @ (vectors * back.T).T + np.einsum("usa,uas->us", turned, inner)
    across = schur @ inner
    crossed = -(turned + across.transpose(0, 2, 1))[:, :, :own] / 2
    rows_of_own = Rows(-across[:, :own].real, schur[:, :own, :own].real)
    covariances = (schur + schur.transpose(0, 2, 1))[:, :own, :own] / 2
    return Solution(common.real, variances.real, edge[:, :own].real, covariances.real, crossed.real, rows_of_own)


def _each(matrix: Complex, stack: Floats | Complex) -> Complex:
    """Get the product of a matrix with each of a stack, as one product."""
    return np.tensordot(matrix, stack, axes=(1, 1)).transpose(1, 0, 2)
