# SPDX-License-Identifier: Apache-2.0
"""Expected path statistics of a noising protocol, without simulation and without sampling noise.

During noising the units are independent, so only one-dimensional moments are needed: the Markov chain of one unit's
Euler–Maruyama steps is propagated on a grid for a table of imposed biases (a discrete Fokker–Planck equation), and
every unit of every image reads its moments off the table. The moments' time courses span a space of two or three
dimensions, so S = D + G Gᵀ with as many columns an image.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline

from thermohw.parallel import map_blocks
from thermohw.training.moments import DenseMoments, LowRankMoments, PathMoments, SecondMoments
from thermohw.training.noising import NoisingProtocol

Floats = NDArray[np.float64]
SPLINE_NODES = 41
"""Biases in the table where the images have too many distinct ones to compute each."""
FEW_MAGNITUDES = 48
RANK_TOLERANCE = 1e-7
LOW_RANK_COLUMNS = 320
"""Up to this many columns, products with D + G Gᵀ beat those with the full matrix."""
IMAGES_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class UnitMoments:
    """Moments of one unit during noising, against the magnitude of its imposed bias.

    Time courses are projected on `rank` orthonormal functions of time. Even in the bias: square, residual; odd: the rest.

    Attributes:
        position: (rank, biases) projections of ⟨y⟩.
        force: (rank, biases) projections of ⟨r⟩/Δt.
        mean: (biases,) time average of ⟨y⟩.
        mean_force: (biases,) time average of ⟨r⟩/Δt.
        square: (biases,) time average of ⟨y²⟩.
        residual: (biases,) time average of ⟨r²⟩/Δt².
    """

    position: Floats
    force: Floats
    mean: Floats
    mean_force: Floats
    square: Floats
    residual: Floats

    def rows(self) -> Floats:
        """Get all moments stacked, (2 rank + 4, biases)."""
        return np.vstack([self.position, self.force, self.mean, self.mean_force, self.square, self.residual])


def expected_moments(protocol: NoisingProtocol, executor: Executor | None = None) -> PathMoments:
    """Get the expected path statistics of the reversed noising of all images, at μ = kT = 1.

    Cost: the table takes about 0.1 ms a step, each image units² · rank operations.

    Args:
        protocol: Images, ramp, time step.
        executor: Where blocks of images are summed; None for threads.
    """
    lookup, rank = _lookup(protocol)
    images, units = protocol.fields.shape
    summarize = partial(_summarize, lookup, rank, images, images * rank <= LOW_RANK_COLUMNS)
    blocks = [protocol.fields[first : first + IMAGES_AT_ONCE] for first in range(0, images, IMAGES_AT_ONCE)]
    totals = np.zeros((4, units))
    second: SecondMoments | None = None
    for part, summary in map_blocks(summarize, blocks, executor):
        totals += summary
        second = part if second is None else _add(second, part)
    mean, force, square, residual = totals
    if isinstance(second, DenseMoments):
        np.fill_diagonal(second.S, square)
    else:
        low_rank = cast(LowRankMoments, second)
        second = LowRankMoments(square - (low_rank.G**2).sum(axis=1), low_rank.G, low_rank.H)
    return PathMoments(1.0, 1.0, mean, force, second, float(residual.sum()), protocol.dt, images * protocol.steps)


def unit_moments(magnitudes: Floats, ramp: Floats, J2: float, J4: float, dt: float) -> UnitMoments:
    """Propagate one unit's density through the noising steps for each imposed bias.

    x_{k+1} = x_k − Δt (2 J2 x + 4 J4 x³ + s_k B) + √(2Δt) η from the Boltzmann density at s = 1, on a periodic grid
    fine enough (0.6 of the noise's width) for quadrature to be exact to rounding. With y = x_{k+1} and φ(y) =
    −y + Δt (2 J2 y + 4 J4 y³), the residual is r = x_k + φ(y).

    Args:
        magnitudes: (biases,) imposed biases B ≥ 0, k_BT.
        ramp: (steps,) s_k.
        J2: Quadratic on-site energy, k_BT.
        J4: Quartic on-site energy, k_BT.
        dt: Time step.
    """
    x = _grid(float(magnitudes.max(initial=0.0)), J2, J4, dt)
    spacing = x[1] - x[0]
    slope = (4 * J4 * x**2 + 2 * J2) * x
    arrival = np.clip(x - dt * slope, x[0], x[-1])  # the edges are never populated
    transfer = np.exp(-((x[:, None] - arrival) ** 2) / (4 * dt))
    transfer /= transfer.sum(axis=0)
    wavenumbers = 2j * np.pi * np.fft.rfftfreq(len(x), spacing)
    energy = ((J4 * x**2 + J2) * x)[:, None] * x[:, None] + x[:, None] * magnitudes
    density = np.exp(-(energy - energy.min(axis=0)))
    density /= density.sum(axis=0)
    phi = dt * slope - x
    means = np.empty((len(ramp) + 1, len(magnitudes)))
    means[0] = x @ density
    squares = np.empty_like(means)
    squares[0] = x**2 @ density
    drive, residual = np.empty((len(ramp), len(magnitudes))), np.zeros(len(magnitudes))
    for k, share in enumerate(ramp):
        moved = transfer @ np.hstack([density, x[:, None] * density])
        shift = np.exp(np.outer(wavenumbers, dt * share * magnitudes))
        moved = np.fft.irfft(np.fft.rfft(moved, axis=0) * np.hstack([shift, shift]), len(x), axis=0)
        density, joint = moved[:, : len(magnitudes)], moved[:, len(magnitudes) :]
        means[k + 1], squares[k + 1] = x @ density, x**2 @ density
        drive[k] = (means[k] + phi @ density) / dt
        residual += (squares[k] + 2 * (phi @ joint) + phi**2 @ density) / dt**2
    basis, sizes, courses = np.linalg.svd(means[1:] / np.sqrt(len(ramp)), full_matrices=False)
    rank = max(1, int((sizes > RANK_TOLERANCE * sizes[0]).sum()))
    return UnitMoments(
        sizes[:rank, None] * courses[:rank],
        basis[:, :rank].T @ drive / np.sqrt(len(ramp)),
        means[1:].mean(axis=0),
        drive.mean(axis=0),
        squares[1:].mean(axis=0),
        residual / len(ramp),
    )


def _grid(bias: float, J2: float, J4: float, dt: float) -> Floats:
    """Get a grid that holds the densities at biases 0 … ±bias, with room for one step's noise."""
    x = np.linspace(0, 4 + abs(bias) ** (1 / 3) + np.sqrt(max(-J2, 0) / J4) * 2 + (45 / J4) ** 0.25, 40001)
    energy = ((J4 * x**2 + J2) * x - bias) * x
    reach = x[np.flatnonzero(energy - energy.min() < 45)[-1]] + 8 * np.sqrt(2 * dt)
    points = 2 * int(np.ceil(reach / (0.6 * np.sqrt(2 * dt))))
    return -reach + 2 * reach / points * np.arange(points)


def _lookup(protocol: NoisingProtocol) -> tuple[Callable[[Floats], Floats], int]:
    """Tabulate the unit moments for a protocol's biases: at each if they are few, else at nodes with splines between."""
    magnitudes = np.abs(protocol.fields)
    sparse_look = np.unique(magnitudes.ravel()[:: max(1, magnitudes.size // 10_000)])
    distinct = np.unique(magnitudes) if len(sparse_look) <= FEW_MAGNITUDES else sparse_look
    few = len(distinct) <= FEW_MAGNITUDES
    nodes = distinct if few else np.linspace(0, magnitudes.max(), SPLINE_NODES)
    moments = unit_moments(nodes, protocol.ramp_at_steps(), protocol.J2, protocol.J4, protocol.dt)
    table = moments.rows()
    interpolate = partial(_pick, nodes, table) if few else CubicSpline(nodes, table, axis=1)
    return cast(Callable[[Floats], Floats], interpolate), len(moments.position)


def _pick(nodes: Floats, table: Floats, magnitudes: Floats) -> Floats:
    return table[:, np.searchsorted(nodes, magnitudes)]


def _summarize(
    lookup: Callable[[Floats], Floats], rank: int, images: int, low_rank: bool, fields: Floats
) -> tuple[SecondMoments, Floats]:
    """Sum a block of images' moments, each weighted 1/images: second moments, and (4, units) ⟨y⟩, ⟨r⟩, ⟨y²⟩, ⟨r²⟩."""
    rows = lookup(np.abs(fields))  # (2 rank + 4, images in the block, units)
    odd = np.sign(fields)
    sums = np.stack([(rows[2 * rank] * odd).sum(0), (rows[2 * rank + 1] * odd).sum(0), *rows[2 * rank + 2 :].sum(1)])
    G = (rows[:rank] * odd).reshape(-1, fields.shape[1])
    H = (rows[rank : 2 * rank] * odd).reshape(-1, fields.shape[1])
    weight = 1 / images
    if low_rank:
        root = np.sqrt(weight)
        second = LowRankMoments(np.zeros(0), np.ascontiguousarray(root * G.T), np.ascontiguousarray(root * H.T))
        return second, sums * weight
    return DenseMoments(weight * (G.T @ G), weight * (H.T @ G)), sums * weight


def _add(total: SecondMoments, part: SecondMoments) -> SecondMoments:
    if isinstance(total, DenseMoments) and isinstance(part, DenseMoments):
        total.S.__iadd__(part.S)
        total.C.__iadd__(part.C)
        return total
    first, second = cast(LowRankMoments, total), cast(LowRankMoments, part)
    return LowRankMoments(first.D, np.hstack([first.G, second.G]), np.hstack([first.H, second.H]))
