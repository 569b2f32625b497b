# SPDX-License-Identifier: Apache-2.0
"""Expected path statistics of a noising protocol, without simulation and without sampling noise.

During noising the units are independent, so only one-dimensional moments are needed: the Markov chain of one unit's
Euler–Maruyama steps is propagated on a grid for a table of imposed biases (a discrete Fokker–Planck equation), and
every unit of every image reads its moments off the table. The moments' time courses span a space of few dimensions
(each further one weighs a quarter or less; ten hold all but 1e-7), so S = D + G Gᵀ with as many columns an image.
"""

from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import cast

import numpy as np
from numpy.typing import NDArray
from scipy.interpolate import CubicSpline
from threadpoolctl import threadpool_limits

from thermohw.parallel import map_blocks
from thermohw.training.moments import DenseMoments, LowRankMoments, PathMoments, SecondMoments
from thermohw.training.noising import NoisingProtocol
from thermohw.training.unit_moments import unit_moments

Floats = NDArray[np.float64]
SPLINE_NODES = 41
"""Biases in the table where the images have too many distinct ones to compute each."""
FEW_MAGNITUDES = 48
LOW_RANK_COLUMNS = 320
"""Up to this many columns, products with D + G Gᵀ beat those with the full matrix."""
IMAGES_AT_ONCE = 512


def expected_moments(protocol: NoisingProtocol, executor: Executor | None = None) -> PathMoments:
    """Get the expected path statistics of the reversed noising of all images, at μ = kT = 1.

    Cost: the table takes 0.1 ms (few distinct biases) to 0.4 ms a step, each image units² · rank operations.

    Args:
        protocol: Images, ramp, time step.
        executor: Where blocks of images are summed; None for threads.

    Raises:
        TrainingError: The time step is too large or too small for the table.
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


def _lookup(protocol: NoisingProtocol) -> tuple[Callable[[Floats], Floats], int]:
    """Tabulate the unit moments for a protocol's biases: at each if they are few, else at nodes with splines between.

    The nodes crowd at zero, where moments change fastest: at an accuracy of 1e-6 for J2 > 0, of 1e-4 with barriers of
    several k_BT.
    """
    magnitudes: Floats = np.abs(protocol.fields)
    glance = magnitudes.ravel()[:: max(1, magnitudes.size // 10_000)]
    distinct: Floats = np.unique(magnitudes if len(np.unique(glance)) <= FEW_MAGNITUDES else glance)
    few = len(distinct) <= FEW_MAGNITUDES
    nodes = distinct if few else float(magnitudes.max()) * np.linspace(0, 1, SPLINE_NODES) ** 2
    with threadpool_limits(1):  # thousands of small products: threads would only wait for each other
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
        return DenseMoments(total.S + part.S, total.C + part.C)
    first, second = cast(LowRankMoments, total), cast(LowRankMoments, part)
    return LowRankMoments(first.D, np.hstack([first.G, second.G]), np.hstack([first.H, second.H]))
