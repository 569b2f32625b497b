# SPDX-License-Identifier: Apache-2.0
"""A hardware-emulation toolkit for thermodynamic computers."""

__version__ = "0.1.0"

from thermohw import datasets as datasets
from thermohw.backends import JosephsonJunction as JosephsonJunction
from thermohw.backends import MechanicalOscillator as MechanicalOscillator
from thermohw.backends import RCCircuit as RCCircuit
from thermohw.backends import SerialDevice as SerialDevice
from thermohw.backends import SimulatedDevice as SimulatedDevice
from thermohw.backends import open_device as open_device
from thermohw.cards import load_card as load_card
from thermohw.device import DeviceSpec as DeviceSpec
from thermohw.device import DeviceWrapper as DeviceWrapper
from thermohw.device import ThermodynamicDevice as ThermodynamicDevice
from thermohw.images import Images as Images
from thermohw.langevin.schedule import BiasSchedule as BiasSchedule
from thermohw.path import PathStatistics as PathStatistics
from thermohw.plan import RunPlan as RunPlan
from thermohw.program import Program as Program
from thermohw.samples import Samples as Samples
from thermohw.tables import CouplingTable as CouplingTable
from thermohw.topology import Topology as Topology
from thermohw.training import TrainingConfig as TrainingConfig
from thermohw.training import TrainingRun as TrainingRun
from thermohw.training import train as train
