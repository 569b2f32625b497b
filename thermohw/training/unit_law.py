# SPDX-License-Identifier: Apache-2.0
"""What a device's units do on their own, measured on the noising trajectories themselves."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from thermohw.device import ThermodynamicDevice
from thermohw.errors import TrainingError
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.langevin.schedule import BiasSchedule
from thermohw.path import PathStatistics
from thermohw.plan import RunPlan
from thermohw.training.noising import NoisingProtocol

Floats = NDArray[np.float64]
TRAJECTORIES = 96
"""Noising trajectories that the law is measured on, spread over the images."""


@dataclass(frozen=True, eq=False)
class UnitLaw:
    """V_i(x) = J2_i x² + J4_i x⁴ + c_i x of each uncoupled unit, in the unit of the device's kT.

    Attributes:
        J2: (units,).
        J4: (units,).
        offset: (units,) c, the bias that a unit has of its own.
        standard_errors: (3, units) of J2, J4 and c.
    """

    J2: Floats
    J4: Floats
    offset: Floats
    standard_errors: Floats

    def account_for_offsets(self, statistics: PathStatistics) -> None:
        """Add the force of the offsets to the residuals r of reversed paths, in place."""
        if statistics.dt is None:
            return
        shift = statistics.mobility * statistics.dt * self.offset
        statistics.w += float(2 * shift @ statistics.q + statistics.n * shift @ shift)
        statistics.C += np.outer(shift, statistics.m)
        statistics.q += statistics.n * shift


def measure_unit_law(protocol: NoisingProtocol, device: ThermodynamicDevice, seed: int) -> UnitLaw:
    """Measure the law of each unit of a device by least squares on noising trajectories, forward in time.

    Δx + μ b(t) Δt = −μ Δt (2 J2 x + 4 J4 x³ + c) + √(2 μ kT Δt) η, linear in J2, J4 and c, with the imposed biases b,
    mobility and kT as the device states them.

    Raises:
        TrainingError: The trajectories do not determine the law of a unit.
    """
    images = len(protocol.fields)
    each = -(-TRAJECTORIES // images)
    total: _UnitRegression | None = None
    for image in range(images):
        regression = _UnitRegression(protocol.schedule(device, image), device.spec.mobility)
        plan = RunPlan(1.0, each, keep="none", seed=seed, first_chain=protocol.chain(image, 0))
        protocol.run(device, image, plan, (regression,))
        total = regression if total is None else total + regression
    if total is None:
        raise TrainingError("there are no images to noise, so nothing to measure the units on")
    return total.law(device.spec.kT)


@dataclass(eq=False)
class _UnitRegression(Observer):
    """Normal equations of each unit's law; features −μ Δt (2x, 4x³, 1).

    Attributes:
        schedule: The imposed biases.
        mobility: μ.
    """

    schedule: BiasSchedule
    mobility: float

    def __post_init__(self) -> None:
        units = self.schedule.biases.shape[1]
        self.squares, self.products = np.zeros((units, 3, 3)), np.zeros((units, 3))
        self.interval = 0.0

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        return type(self)(self.schedule, self.mobility)

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in the steps of a piece of trajectories."""
        self.interval = piece.interval
        scale = -self.mobility * piece.interval
        for k in range(len(piece.states) - 1):
            x, following = piece.states[k].astype(np.float64), piece.states[k + 1].astype(np.float64)
            time = (piece.first_step + k * piece.spacing) * piece.dynamics.dt
            change = following - x - scale * self.schedule.at(time)
            features = scale * np.stack([2 * x, 4 * x**3, np.ones_like(x)])
            self.squares += np.einsum("acu,bcu->uab", features, features)
            self.products += np.einsum("acu,cu->ua", features, change)

    def absorb(self, other: Observer) -> None:
        """Add another's equations to these.

        Raises:
            PlanError: The other is of another kind.
        """
        other = self.same_kind(other)
        self.squares += other.squares
        self.products += other.products
        self.interval = max(self.interval, other.interval)

    def law(self, kT: float) -> UnitLaw:
        """Solve the normal equations.

        Raises:
            TrainingError: They are singular.
        """
        try:
            inverse = np.linalg.inv(self.squares)
        except np.linalg.LinAlgError as error:
            raise TrainingError("the noising trajectories do not determine the law of every unit") from error
        J2, J4, offset = np.einsum("uab,ub->au", inverse, self.products)
        variance = 2 * self.mobility * kT * self.interval
        errors = np.sqrt(variance * np.diagonal(inverse, axis1=1, axis2=2)).T
        return UnitLaw(J2, J4, offset, errors)
