# SPDX-License-Identifier: Apache-2.0
"""Devices that can run a program."""

from thermohw.backends.analog import AnalogDevice as AnalogDevice
from thermohw.backends.derived import Fact as Fact
from thermohw.backends.derived import facts as facts
from thermohw.backends.derived import overdamped_sentence as overdamped_sentence
from thermohw.backends.emulated import EmulatedDevice as EmulatedDevice
from thermohw.backends.josephson import JosephsonComponents as JosephsonComponents
from thermohw.backends.josephson import JosephsonJunction as JosephsonJunction
from thermohw.backends.limits import Clipping as Clipping
from thermohw.backends.mechanical import MechanicalComponents as MechanicalComponents
from thermohw.backends.mechanical import MechanicalOscillator as MechanicalOscillator
from thermohw.backends.opening import is_line as is_line
from thermohw.backends.opening import open_device as open_device
from thermohw.backends.rc_circuit import RCCircuit as RCCircuit
from thermohw.backends.rc_circuit import RCComponents as RCComponents
from thermohw.backends.serial_device import SerialDevice as SerialDevice
from thermohw.backends.serial_link import LinkStatistics as LinkStatistics
from thermohw.backends.simulated import SimulatedDevice as SimulatedDevice
