# SPDX-License-Identifier: Apache-2.0
"""Many least squares problems that share most regressors: one factorisation, bordered by what is each one's own."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thermohw.estimation.basis import Floats

LEAST_EIGENVALUE = 1e-10
"""Of second moments, features scaled to one: combinations below it did not vary, and nothing is learnt from them."""


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

    @property
    def symmetric(self) -> "Block":
        """Get the mean of this and its transpose."""
        right = (self.right + self.left.transpose(0, 2, 1)) / 2
        own = (self.own + self.own.transpose(0, 2, 1)) / 2
        return Block((self.common + self.common.T) / 2, right, right.transpose(0, 2, 1), own)

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
class Solution:
    """Posterior means and covariances of a group of units.

    Attributes:
        common: (units, s) coefficients of the common features.
        variances: (units, s) of these.
        own: (units, o) coefficients of the own ones.
        covariances: (units, o, o) of these.
        crossed: (units, s, o) covariances of common with own ones.
        condition: Condition number of the common features' second moments, scaled to one.
    """

    common: Floats
    variances: Floats
    own: Floats
    covariances: Floats
    crossed: Floats
    condition: float


def solve(
    moments: Block,
    scores: Block,
    right: tuple[Floats, Floats],
    weights: Floats,
    precisions: tuple[Floats, Floats],
    pinned: NDArray[np.int64],
) -> Solution:
    """Solve for the coefficients β of each unit u, and their covariance.

    The data say M_u β = r_u with errors of covariance Ω_u/k_u, the prior that β is zero with precision π_u:

        (k M^T Ω⁻¹ M + π) β = k M^T Ω⁻¹ r

    The common block of k M^T Ω⁻¹ M + π is diagonal in one basis for all units, whatever k and π. The rest is a border
    of few rows, eliminated by its Schur complement: the own coefficients, the own rows of M once their errors are made
    independent of those of the common rows, and a Lagrange multiplier that pins the unit's own entry among the common.

    Args:
        moments: M.
        scores: Ω.
        right: r of common (units, s) and own rows (units, o).
        weights: (units,) k.
        precisions: π of common (units,), one for all of them, and own coefficients (units, o).
        pinned: (units,) the common coefficient that is held at zero; −1: none.
    """
    whitening = _whitening(scores.common)
    A = whitening @ moments.common
    values, vectors = np.linalg.eigh(A.T @ A)
    k = weights[:, None]
    inverse = 1 / (k * np.maximum(values, 0) + precisions[0][:, None])
    first = k * (right[0] @ whitening.T @ (A @ vectors))
    border, corner, target = _border(moments, scores, right, weights, precisions[1], whitening, vectors)
    held, own = pinned >= 0, moments.own.shape[1]
    border[held, :, -1] = vectors[pinned[held]]
    corner[~held, -1, -1] = 1.0
    scaled = inverse[:, :, None] * border
    schur: Floats = np.asarray(np.linalg.inv(corner - border.transpose(0, 2, 1) @ scaled), np.float64)
    edge = np.einsum("uab,ub->ua", schur, target - np.einsum("usw,us->uw", scaled, first))
    common = (inverse * first - np.einsum("usw,uw->us", scaled, edge)) @ vectors.T
    rows = _each(vectors, scaled)
    turned = rows @ schur
    variances = inverse @ (vectors**2).T + np.einsum("usa,usa->us", turned, rows)
    condition = _condition(scores.common)
    return Solution(common, variances, edge[:, :own], schur[:, :own, :own], -turned[:, :, :own], condition)


def _border(
    moments: Block,
    scores: Block,
    right: tuple[Floats, Floats],
    weights: Floats,
    precision: Floats,
    whitening: Floats,
    vectors: Floats,
) -> tuple[Floats, Floats, Floats]:
    """Get the border (units, s, 2 o + 1), its corner and its right side; the last row and column are left at zero."""
    units, size, own = moments.right.shape
    E, F = _each(whitening, scores.right), _each(whitening, moments.right)
    modes = whitening @ moments.common @ vectors
    r = (right[0] @ whitening.T)[:, :, None]
    E, back = E.transpose(0, 2, 1), F.transpose(0, 2, 1)
    apart = _whitening(scores.own - E @ E.transpose(0, 2, 1))
    k, root = weights[:, None, None], np.sqrt(weights)[:, None, None]
    border = np.zeros((units, size, 2 * own + 1))
    border[:, :, :own] = k * _each(modes.T, F)
    apart_modes = _each(vectors.T, moments.left.transpose(0, 2, 1)) - _each(modes.T, E.transpose(0, 2, 1))
    border[:, :, own:-1] = root * (apart_modes @ apart.transpose(0, 2, 1))
    corner = np.zeros((units, 2 * own + 1, 2 * own + 1))
    corner[:, :own, :own] = k * (back @ F) + precision[:, :, None] * np.eye(own)
    corner[:, own:-1, :own] = root * (apart @ (moments.own - E @ F))
    corner[:, :own, own:-1] = corner[:, own:-1, :own].transpose(0, 2, 1)
    corner[:, own:-1, own:-1] = -np.eye(own)
    target = np.zeros((units, 2 * own + 1))
    target[:, :own] = (k * (back @ r))[:, :, 0]
    target[:, own:-1] = (root * (apart @ (right[1][:, :, None] - E @ r)))[:, :, 0]
    return border, corner, target


def _each(matrix: Floats, stack: Floats) -> Floats:
    """Get the product of a matrix with each of a stack, as one product."""
    return np.tensordot(matrix, stack, axes=(1, 1)).transpose(1, 0, 2)


def _whitening(matrix: Floats) -> Floats:
    """Get W with W Ω Wᵀ = 1 on the combinations that vary, zero on others; for one matrix or a stack of them."""
    scale = _scale(matrix)
    values, vectors = np.linalg.eigh(matrix / (scale[..., :, None] * scale[..., None, :]))
    largest = values.max(axis=-1, keepdims=True, initial=0.0)
    varying = values > LEAST_EIGENVALUE * np.maximum(largest, np.finfo(float).tiny)
    factors = np.where(varying, 1 / np.sqrt(np.where(varying, values, 1.0)), 0.0)
    return np.asarray(factors[..., :, None] * np.swapaxes(vectors, -1, -2) / scale[..., None, :])


def _condition(matrix: Floats) -> float:
    scale = _scale(matrix)
    values = np.linalg.eigvalsh(matrix / np.outer(scale, scale))
    if not values.size:
        return 1.0
    return float(values[-1] / values[0]) if values[0] > 0 else float("inf")


def _scale(matrix: Floats) -> Floats:
    size = np.sqrt(np.abs(np.diagonal(matrix, axis1=-2, axis2=-1)))
    return np.where(size == 0, 1.0, size)
