# SPDX-License-Identifier: Apache-2.0
"""Devices with imperfections keep the device contract, against the law of what they have built."""

from thermohw.backends import SimulatedDevice, open_device
from thermohw.device import ThermodynamicDevice
from thermohw.nonideal import (
    BiasOffset,
    CouplingDrift,
    CouplingMismatch,
    Crosstalk,
    Inertia,
    LineGainMismatch,
    MobilityMismatch,
    NonidealDevice,
    OnsiteMismatch,
    ProgrammingNoise,
    Quantization,
    Rails,
    StuckCouplings,
)
from thermohw.nonideal.effect import Effect
from thermohw.testing import DeviceContract

SMALL = 1e-6
PROGRAM_EFFECTS: list[Effect] = [
    Quantization(coupling_bits=16, bias_bits=16),
    ProgrammingNoise(prog_noise_std=SMALL, bias_noise_std=SMALL),
    StuckCouplings(stuck_prob=SMALL, stuck_at="any"),
    CouplingMismatch(std=SMALL, additive_std=SMALL),
    CouplingDrift(nu=SMALL, nu_std=SMALL, elapsed=100.0),
    LineGainMismatch(std=SMALL, common=SMALL, common_std=SMALL),
    Crosstalk(coupling=SMALL, bias=SMALL),
    BiasOffset(std=SMALL, common=SMALL),
    OnsiteMismatch(J2_std=SMALL, J4_std=SMALL),
]


class TestWithoutEffects(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return NonidealDevice(SimulatedDevice())


class TestWithSmallProgramEffects(DeviceContract):
    """Small enough for the law of the ideal unit, which the contract compares each of many units with."""

    def make_device(self) -> ThermodynamicDevice:
        return NonidealDevice(SimulatedDevice(), PROGRAM_EFFECTS, 1)


class TwoUnits(SimulatedDevice):
    """A computer of two units: the law that the contract asks for is then that of the very units that it samples."""

    def __init__(self) -> None:
        super().__init__()
        self._spec = self._spec.model_copy(update={"units": 2, "coupling_limit": 2.0, "bias_limit": 2.5})


class TestWithMismatch(DeviceContract):
    samples = 8192
    time_step = 0.004

    def make_device(self) -> ThermodynamicDevice:
        effects: list[Effect] = [
            Quantization(coupling_bits=3),
            CouplingMismatch(std=0.2, additive_std=0.1),
            CouplingDrift(nu=0.1, nu_std=0.05, elapsed=100.0),
            LineGainMismatch(std=0.1, common=-0.1, common_std=0.1),
            BiasOffset(common=0.2),
            MobilityMismatch(std=0.1),
        ]
        return NonidealDevice(TwoUnits(), effects, 1)


class TestWithInertia(DeviceContract):
    settling = 2.0
    time_step = 0.01

    def make_device(self) -> ThermodynamicDevice:
        return NonidealDevice(SimulatedDevice(), [Inertia(mass=0.5)], 1)


class TestOnACircuit(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return NonidealDevice(open_device("rc_board"), [*PROGRAM_EFFECTS, Rails(limit=50.0)], 1)
