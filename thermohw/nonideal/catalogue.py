# SPDX-License-Identifier: Apache-2.0
"""All effects, by name, in the order of the signal chain."""

from collections.abc import Sequence

from thermohw.errors import DeviceLimitError
from thermohw.nonideal.bias_offset import BiasOffset
from thermohw.nonideal.bias_settling import BiasSettling
from thermohw.nonideal.coloured_noise import ColouredNoise
from thermohw.nonideal.coupling_drift import CouplingDrift
from thermohw.nonideal.coupling_mismatch import CouplingMismatch
from thermohw.nonideal.crosstalk import Crosstalk
from thermohw.nonideal.effect import Effect
from thermohw.nonideal.excess_noise import ExcessNoise
from thermohw.nonideal.gain_offset import GainOffset
from thermohw.nonideal.inertia import Inertia
from thermohw.nonideal.line_gain_mismatch import LineGainMismatch
from thermohw.nonideal.mobility_mismatch import MobilityMismatch
from thermohw.nonideal.nonreciprocal_couplings import NonreciprocalCouplings
from thermohw.nonideal.onsite_mismatch import OnsiteMismatch
from thermohw.nonideal.programming_noise import ProgrammingNoise
from thermohw.nonideal.quantization import Quantization
from thermohw.nonideal.rails import Rails
from thermohw.nonideal.readout_bandwidth import ReadoutBandwidth
from thermohw.nonideal.readout_noise import ReadoutNoise
from thermohw.nonideal.readout_quantization import ReadoutQuantization
from thermohw.nonideal.sampling_jitter import SamplingJitter
from thermohw.nonideal.stuck_couplings import StuckCouplings
from thermohw.nonideal.temperature_gradient import TemperatureGradient
from thermohw.nonideal.temperature_offset import TemperatureOffset

_ALL: tuple[type[Effect], ...] = (
    Quantization,
    ProgrammingNoise,
    StuckCouplings,
    CouplingMismatch,
    CouplingDrift,
    LineGainMismatch,
    Crosstalk,
    BiasOffset,
    OnsiteMismatch,
    NonreciprocalCouplings,
    MobilityMismatch,
    TemperatureOffset,
    TemperatureGradient,
    Inertia,
    Rails,
    ColouredNoise,
    ExcessNoise,
    BiasSettling,
    GainOffset,
    ReadoutBandwidth,
    SamplingJitter,
    ReadoutNoise,
    ReadoutQuantization,
)

EFFECTS: dict[str, type[Effect]] = {effect.name(): effect for effect in sorted(_ALL, key=lambda kind: kind.stage)}
"""Every effect by its name, in the order in which they act."""


def in_signal_order(effects: Sequence[Effect]) -> tuple[Effect, ...]:
    """Get effects in the order in which they act, whatever order they come in.

    Raises:
        DeviceLimitError: Two of a kind: a device has one coupling mismatch, whose strength says it all.
    """
    order = list(EFFECTS)
    names = [effect.name() for effect in effects]
    for name in names:
        if names.count(name) > 1:
            raise DeviceLimitError(f"the effect {name} is given {names.count(name)} times; a device has one of a kind")
    return tuple(sorted(effects, key=lambda effect: order.index(effect.name())))
