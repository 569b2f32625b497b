# SPDX-License-Identifier: Apache-2.0
"""Probabilities of paths and of their reverse, and the additive statistics that make them quadratic in couplings."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

import numpy as np
from numpy.typing import NDArray
from scipy.integrate import trapezoid

from thermohw.errors import PlanError
from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.program import Program
from thermohw.storage import load_arrays, save_arrays

Floats = NDArray[np.float64]
Direction = Literal["forward", "reverse"]
SCHEMA = "thermohw-path-statistics/1"


def step_log_probability(
    program: Program, before: Floats, after: Floats, dt: float, mobility: float, kT: float
) -> Floats:
    """Get ln P_θ of the Euler–Maruyama steps before → after (Eq. 6), without the constant −(units/2) ln(4π μ kT Δt).

    ln P = −Σ_i [Δx_i + μ ∂_iV(x) Δt]² / (4 μ kT Δt). For the reverse step (Eq. 7), swap `before` and `after`.

    Args:
        program: The energy V, in the unit of kT.
        before: (…, units) states x.
        after: (…, units) states x + Δx.
        dt: Time step Δt, in 1/(mobility · energy).
        mobility: μ.
        kT: Thermal energy.

    Returns:
        (…) log-probabilities, dimensionless.
    """
    residual = after - before + mobility * dt * program.gradient(before)
    return -(residual**2).sum(axis=-1) / (4 * mobility * kT * dt)


def path_log_probability(program: Program, path: Floats, dt: float, mobility: float = 1.0, kT: float = 1.0) -> Floats:
    """Get ln P_θ[ω] of paths (steps + 1, …, units): the sum of Eq. 6 over their steps; returns (…)."""
    path = np.asarray(path, np.float64)
    return step_log_probability(program, path[:-1], path[1:], dt, mobility, kT).sum(axis=0)


def reverse_log_probability(
    program: Program, path: Floats, dt: float, mobility: float = 1.0, kT: float = 1.0
) -> Floats:
    """Get ln P_θ[ω̃] of the time-reversed paths (steps + 1, …, units): the sum of Eq. 7; returns (…)."""
    return path_log_probability(program, path[::-1], dt, mobility, kT)


@dataclass(frozen=True, eq=False)
class Irreversibility:
    """The terms of the fluctuation relation behind training, for paths (…) of a reference computer; dimensionless.

    ln(P_0[ω]/P_θ[ω̃]) = (Q_0 + Q_θ)/2kT + A + O(√Δt)      (O(Δt) for θ = 0)

    Q[ω] = V[x(0)] − V[x(t_f)] is the heat that each computer would emit along the path, at constant biases. Eq. 14 of
    the paper has the heat alone, with the sign of heat absorbed. Its Eq. 13 drops the time-symmetric term

    A = ∫ { μ [|∇V_θ|² − |∇V_0|²]/4kT − μ [∇²V_θ − ∇²V_0]/2 } dt,

    which is of first order in Δt for a step, but as large as the heat when summed over a path. It vanishes for θ = 0.

    Attributes:
        log_ratio: (…) ln(P_0[ω]/P_θ[ω̃]), from Eqs. 6 and 7.
        heat: (…) (Q_0 + Q_θ)/2kT.
        activity: (…) A, by the trapezoidal rule.
    """

    log_ratio: Floats
    heat: Floats
    activity: Floats

    @property
    def residual(self) -> Floats:
        """Get log_ratio − heat − activity, (…), which vanishes as Δt → 0."""
        return self.log_ratio - self.heat - self.activity


def irreversibility(
    reference: Program, trained: Program, path: Floats, dt: float, mobility: float = 1.0, kT: float = 1.0
) -> Irreversibility:
    """Get the terms of Eq. 14, completed, for paths (steps + 1, …, units) that the reference computer took.

    Args:
        reference: The computer that made the paths.
        trained: The computer that is to run them in reverse.
        path: States, Δt apart.
        dt: Δt.
        mobility: μ of both.
        kT: Thermal energy of both.
    """
    path = np.asarray(path, np.float64)
    forward = path_log_probability(reference, path, dt, mobility, kT)
    backward = reverse_log_probability(trained, path, dt, mobility, kT)
    heat = np.zeros(path.shape[1:-1])
    activity = np.zeros(path.shape[:-1])
    for program, sign in ((trained, 1), (reference, -1)):
        heat += (program.energy(path[0]) - program.energy(path[-1])) / (2 * kT)
        laplacian = (2 * program.J2 + 12 * program.J4 * path**2).sum(axis=-1)
        activity += sign * mobility * ((program.gradient(path) ** 2).sum(axis=-1) / (4 * kT) - laplacian / 2)
    return Irreversibility(forward - backward, heat, np.asarray(trapezoid(activity, dx=dt, axis=0)))


@dataclass(eq=False)
class PathStatistics(Observer):
    """Sufficient statistics of paths for couplings and biases: −ln P is quadratic in them, these are its coefficients.

    With y the state at which the force acts and r the residual of the couplings-free law,

        reverse: y = x(t_{k+1}), r = −Δx + μΔt (2 J2 y + 4 J4 y³)       forward: y = x(t_k), r = +Δx + μΔt (…)

        −ln P = Σ |r + μΔt (J y + b)|² / (4 μ kT Δt)

    n = Σ 1, m = Σ y, q = Σ r, S = Σ y yᵀ, C = Σ r yᵀ, w = Σ r·r. All add over steps, chains and machines.

    Attributes:
        J2: (units,) quadratic on-site energies of the computer whose probability is asked for.
        J4: (units,) quartic on-site energies.
        direction: Probability of the path ("forward", calibration) or of its reverse ("reverse", training).
        mobility: μ of that computer.
        kT: Thermal energy of that computer.
        dt: Time between recorded states; set by the first piece seen.
        n: Number of steps seen.
        m: (units,).
        q: (units,).
        S: (units, units).
        C: (units, units).
        w: Scalar.
    """

    J2: Floats
    J4: Floats
    direction: Direction = "reverse"
    mobility: float = 1.0
    kT: float = 1.0
    dt: float | None = None

    def __post_init__(self) -> None:
        units = len(self.J2)
        self.n, self.w = 0, 0.0
        self.m, self.q = np.zeros(units), np.zeros(units)
        self.S, self.C = np.zeros((units, units)), np.zeros((units, units))

    def fresh(self) -> Self:
        """Get empty statistics with the same settings."""
        return type(self)(self.J2, self.J4, self.direction, self.mobility, self.kT, self.dt)

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in the steps of a piece of trajectories."""
        self.add_steps(piece.states, piece.interval)

    def add_steps(self, states: NDArray[np.float32] | Floats, dt: float) -> None:
        """Take in trajectories (steps + 1, chains, units), Δt = dt apart.

        Raises:
            PlanError: dt differs from that of the steps already seen.
        """
        self._agree(dt)
        units = states.shape[-1]
        before = states[:-1].reshape(-1, units).astype(np.float64)
        after = states[1:].reshape(-1, units).astype(np.float64)
        y, change = (after, before - after) if self.direction == "reverse" else (before, after - before)
        r = change + self.mobility * dt * ((4 * self.J4 * y**2 + 2 * self.J2) * y)
        self.n += len(y)
        self.m += y.sum(axis=0)
        self.q += r.sum(axis=0)
        self.w += float(np.vdot(r, r))
        self.S += y.T @ y
        self.C += r.T @ y

    def absorb(self, other: Observer) -> None:
        """Add other statistics to these.

        Raises:
            PlanError: They are of another kind, computer, direction or time step.
        """
        other = self.same_kind(other)
        same = self.direction == other.direction and (self.mobility, self.kT) == (other.mobility, other.kT)
        if not (same and np.array_equal(self.J2, other.J2) and np.array_equal(self.J4, other.J4)):
            raise PlanError("path statistics of different computers or directions cannot be added")
        if other.dt is not None:
            self._agree(other.dt)
        self.n += other.n
        self.w += other.w
        for name in ("m", "q", "S", "C"):
            getattr(self, name).__iadd__(getattr(other, name))

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the statistics as `.npz`, atomically."""
        numbers = {"n": self.n, "w": self.w, "mobility": self.mobility, "kT": self.kT, "dt": self.dt or np.nan}
        arrays = {name: getattr(self, name) for name in ("J2", "J4", "m", "q", "S", "C")}
        packed = {name: np.array(value) for name, value in numbers.items()}
        return save_arrays(path, SCHEMA, {**arrays, **packed, "direction": np.array(self.direction)})

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read statistics written by `save`.

        Raises:
            StorageError: The file cannot be read.
            FileFormatError: The file is damaged, edited or of another kind.
        """
        names = ("J2", "J4", "m", "q", "S", "C", "n", "w", "mobility", "kT", "dt", "direction")
        arrays = load_arrays(path, SCHEMA, names)
        direction: Direction = "forward" if str(arrays["direction"]) == "forward" else "reverse"
        dt = None if np.isnan(arrays["dt"]) else float(arrays["dt"])
        loaded = cls(arrays["J2"], arrays["J4"], direction, float(arrays["mobility"]), float(arrays["kT"]), dt)
        loaded.n, loaded.w = int(arrays["n"]), float(arrays["w"])
        loaded.m, loaded.q, loaded.S, loaded.C = (arrays[name] for name in ("m", "q", "S", "C"))
        return loaded

    def _agree(self, dt: float) -> None:
        if self.dt is None:
            self.dt = dt
        elif not np.isclose(dt, self.dt, rtol=1e-9, atol=0):
            raise PlanError(f"path statistics hold steps of {self.dt:g}; steps of {dt:g} cannot be added to them")
