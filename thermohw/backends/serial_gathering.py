# SPDX-License-Identifier: Apache-2.0
"""The samples of all runs of a plan, gathered by their numbers, and the heat of boards that measure none."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import InstrumentError
from thermohw.langevin.as_built import AsBuilt
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.protocol import Capability
from thermohw.samples import Readout

_STATES = ("states", "initial_states", "trajectory")


class Gathering:
    """The samples of a plan, each put in its place by its number.

    Args:
        plan: The plan.
        heat: Whether the board measures heat; else it is computed.
    """

    def __init__(self, plan: RunPlan, heat: bool) -> None:
        self._plan, self._heat = plan, heat
        self._arrays: dict[str, NDArray[Any]] = {}
        self.done = np.zeros(plan.n_samples, np.bool_)

    def put(self, first: int, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Put samples `first` … in their places.

        Raises:
            InstrumentError: They are not those of the parts before, or a state is not finite.
        """
        kept = {name: array for name, array in arrays.items() if name != "trajectory" or self._plan.keep == name}
        if not self._arrays:
            sizes = {name: (self._plan.n_samples, *array.shape[1:]) for name, array in kept.items()}
            self._arrays = {name: np.empty(sizes[name], array.dtype.newbyteorder("=")) for name, array in kept.items()}
        if kept.keys() != self._arrays.keys():
            raise InstrumentError(f"samples from {first} on hold {sorted(kept)}, those before {sorted(self._arrays)}")
        for name, array in kept.items():
            if name in _STATES and not np.isfinite(array).all():
                raise InstrumentError(f"samples from {first} on: {name} are not finite in all units")
            self._arrays[name][first : first + len(array)] = array
        self.done[first : first + len(arrays["heat"])] = True

    def missing(self, rows: range) -> list[range]:
        """Get the samples among `rows` that are not there yet, as runs without a gap."""
        gaps = np.flatnonzero(~self.done[rows.start : rows.stop]) + rows.start
        pieces = np.split(gaps, np.flatnonzero(np.diff(gaps) > 1) + 1)
        return [range(int(piece[0]), int(piece[-1]) + 1) for piece in pieces if len(piece)]

    def readout(self, program: Program, capability: Capability, dt: float, times: NDArray[np.float64]) -> Readout:
        """Get what the plan asked for."""
        keep = self._plan.keep
        arrays = self._arrays
        if not self._heat:
            arrays |= self._first_law(program, capability)
        ends = keep in ("both", "trajectory")
        return Readout(
            None if keep == "none" else arrays["states"],
            arrays["initial_states"] if ends else None,
            arrays["heat"],
            arrays["work"],
            arrays.get("trajectory"),
            times if keep == "trajectory" else None,
            dt or None,
            None if keep == "none" else arrays.get("velocities"),
            arrays.get("initial_velocities") if ends else None,
            arrays.get("entropy"),
        )

    def _first_law(self, program: Program, capability: Capability) -> dict[str, NDArray[Any]]:
        """Get the heat [V(x(0)) − V(x(t))]/kT of each sample at constant biases, kinetic energy included."""
        if self._plan.bias_schedule is not None:
            return dict.fromkeys(("heat", "work"), np.full(self._plan.n_samples, np.nan))
        arrays, mass = self._arrays, capability.spec.mass
        built = AsBuilt.from_program(program)
        drop = built.energy(arrays["initial_states"]) - built.energy(arrays["states"])
        if mass:
            if not {"velocities", "initial_velocities"} <= arrays.keys():
                return {"heat": np.full(len(drop), np.nan), "work": np.zeros(len(drop))}
            squares = [
                (arrays[name].astype(np.float64) ** 2).sum(axis=1) for name in ("initial_velocities", "velocities")
            ]
            drop += 0.5 * mass * (squares[0] - squares[1])
        return {"heat": drop / capability.spec.kT, "work": np.zeros(len(drop))}
