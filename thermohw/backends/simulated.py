# SPDX-License-Identifier: Apache-2.0
"""The ideal Langevin device: builds exactly its program and obeys Eq. 1."""

from concurrent.futures import Executor

import numpy as np

from thermohw.backends.emulated import EmulatedDevice, EngineName, Precision
from thermohw.device import DeviceSpec
from thermohw.errors import DeviceLimitError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Integrator
from thermohw.program import Program


class SimulatedDevice(EmulatedDevice):
    """An ideal overdamped Langevin computer, dx = −μ ∇V dt + √(2 μ kT) dW.

    Args:
        mobility: μ, 1/(energy · time); it sets the clock.
        kT: Thermal energy, in the unit of the programs' energies.
        engine: See `EmulatedDevice`, as all that follows.
        integrator: Euler–Maruyama or Leimkuhler–Matthews.
        precision: Of the states while they are integrated.
        executor: Where blocks of trajectories run; None for threads, one a core.

    Raises:
        DeviceLimitError: mobility or kT is not positive, or there is no such engine, integrator or precision.
    """

    def __init__(
        self,
        mobility: float = 1.0,
        kT: float = 1.0,
        *,
        engine: EngineName = "auto",
        integrator: Integrator = "euler-maruyama",
        precision: Precision = "float32",
        executor: Executor | None = None,
    ) -> None:
        if not (mobility > 0 and kT > 0 and np.isfinite(mobility * kT)):
            raise DeviceLimitError(f"mobility and kT must be positive and finite, got {mobility} and {kT}")
        spec = DeviceSpec(name="ideal", mobility=mobility, kT=kT)
        super().__init__(spec, engine=engine, integrator=integrator, precision=precision, executor=executor)

    def _build(self, program: Program) -> AsBuilt:
        return AsBuilt.from_program(program, self.spec.mobility, self.spec.kT)
