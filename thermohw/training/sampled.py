# SPDX-License-Identifier: Apache-2.0
"""Path statistics sampled from noising trajectories on any device."""

import warnings

import numpy as np

from thermohw.device import Progress, ThermodynamicDevice
from thermohw.path import PathStatistics
from thermohw.plan import RunPlan
from thermohw.training.checkpoint import Checkpoint
from thermohw.training.config import TrainingConfig
from thermohw.training.moments import PathMoments
from thermohw.training.noising import NoisingProtocol
from thermohw.training.unit_law import UnitLaw

SAMPLES_PER_COUPLING = 30
"""Independent configurations wanted per coupling of a unit; below it the exact solution fits noise."""
BATCH = 64
"""Trajectories a run, between checkpoints."""


class ShortStatisticsWarning(UserWarning):
    """Sampled statistics are too few for the couplings asked of them."""


def sampled_moments(
    protocol: NoisingProtocol,
    config: TrainingConfig,
    device: ThermodynamicDevice,
    checkpoint: Checkpoint,
    law: UnitLaw | None = None,
    progress: Progress | None = None,
) -> PathMoments:
    """Sample the path statistics of the reversed noising: `config.trajectories` in all, spread evenly over the images.

    The residuals are those of the on-site law asked for, or of the one measured on the device.

    Warns:
        ShortStatisticsWarning: Too few trajectories for the number of couplings a unit.
    """
    images, units = len(protocol.fields), protocol.topology.units
    each = -(-config.trajectories // images)
    _warn_if_short(protocol, each * images)
    kT, mobility = device.spec.kT, device.spec.mobility
    J2, J4 = np.full(units, protocol.J2 * kT), np.full(units, protocol.J4 * kT)
    if law is not None:
        J2, J4 = law.J2, law.J4
    statistics = PathStatistics(J2, J4, "reverse", mobility, kT)
    square = (units, units)
    saved = checkpoint.load({"m": (units,), "q": (units,), "S": square, "C": square, "sums": (4,)})
    done = 0
    if saved:
        statistics.m, statistics.q, statistics.S, statistics.C = (saved[name] for name in ("m", "q", "S", "C"))
        n, statistics.w, statistics.dt, done = (float(value) for value in saved["sums"])
        statistics.n, done = int(n), int(done)
    batches = [(image, first) for image in range(images) for first in range(0, each, BATCH)]
    for number, (image, first) in list(enumerate(batches))[done:]:
        count = min(BATCH, each - first)
        plan = RunPlan(1.0, count, keep="none", seed=config.seed, first_chain=protocol.chain(image, first))
        protocol.run(device, image, plan, (statistics,))
        sums = np.array([statistics.n, statistics.w, statistics.dt or 0.0, number + 1])
        arrays = {name: getattr(statistics, name) for name in ("m", "q", "S", "C")}
        checkpoint.save({**arrays, "sums": sums}, number + 1 == len(batches))
        if progress is not None:
            progress(number + 1, len(batches))
    if law is not None:
        law.account_for_offsets(statistics)
    return PathMoments.of(statistics)


def _warn_if_short(protocol: NoisingProtocol, trajectories: int) -> None:
    partners = np.bincount(protocol.topology.pairs.ravel(), minlength=protocol.topology.units).max(initial=0)
    independent = trajectories * max(1.0, 2 * protocol.J2 * protocol.duration)
    wanted = SAMPLES_PER_COUPLING * int(partners)
    if independent < wanted:
        warnings.warn(
            f"{trajectories} noising trajectories hold about {independent:.0f} independent configurations for "
            f"{partners} couplings a unit; the exact solution would mostly fit noise. Use expected statistics, about "
            f"{int(np.ceil(trajectories * wanted / independent))} trajectories, a ridge near 0.1, or descent",
            ShortStatisticsWarning,
            stacklevel=3,
        )
