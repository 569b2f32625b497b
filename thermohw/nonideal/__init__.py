# SPDX-License-Identifier: Apache-2.0
"""Imperfect devices: effects, the wrapper that gives them to a device, and profiles of them."""

from thermohw.nonideal.bias_offset import BiasOffset as BiasOffset
from thermohw.nonideal.bias_settling import BiasSettling as BiasSettling
from thermohw.nonideal.catalogue import EFFECTS as EFFECTS
from thermohw.nonideal.coloured_noise import ColouredNoise as ColouredNoise
from thermohw.nonideal.coupling_drift import CouplingDrift as CouplingDrift
from thermohw.nonideal.coupling_mismatch import CouplingMismatch as CouplingMismatch
from thermohw.nonideal.crosstalk import Crosstalk as Crosstalk
from thermohw.nonideal.device import NonidealDevice as NonidealDevice
from thermohw.nonideal.dissipation import EntropyProduction as EntropyProduction
from thermohw.nonideal.dissipation import entropy_production as entropy_production
from thermohw.nonideal.effect import Effect as Effect
from thermohw.nonideal.excess_noise import ExcessNoise as ExcessNoise
from thermohw.nonideal.gain_offset import GainOffset as GainOffset
from thermohw.nonideal.inertia import Inertia as Inertia
from thermohw.nonideal.line_gain_mismatch import LineGainMismatch as LineGainMismatch
from thermohw.nonideal.mobility_mismatch import MobilityMismatch as MobilityMismatch
from thermohw.nonideal.nonreciprocal_couplings import NonreciprocalCouplings as NonreciprocalCouplings
from thermohw.nonideal.onsite_mismatch import OnsiteMismatch as OnsiteMismatch
from thermohw.nonideal.profiles import Profile as Profile
from thermohw.nonideal.profiles import load_profile as load_profile
from thermohw.nonideal.profiles import profile_names as profile_names
from thermohw.nonideal.programming_noise import ProgrammingNoise as ProgrammingNoise
from thermohw.nonideal.quantization import Quantization as Quantization
from thermohw.nonideal.rails import Rails as Rails
from thermohw.nonideal.readout_bandwidth import ReadoutBandwidth as ReadoutBandwidth
from thermohw.nonideal.readout_noise import ReadoutNoise as ReadoutNoise
from thermohw.nonideal.readout_quantization import ReadoutQuantization as ReadoutQuantization
from thermohw.nonideal.sampling_jitter import SamplingJitter as SamplingJitter
from thermohw.nonideal.stuck_couplings import StuckCouplings as StuckCouplings
from thermohw.nonideal.temperature_gradient import TemperatureGradient as TemperatureGradient
from thermohw.nonideal.temperature_offset import TemperatureOffset as TemperatureOffset
