# SPDX-License-Identifier: Apache-2.0
"""Energy per sample, and the advantage over a digital computer."""

from thermohw.energy.advantage import Advantage as Advantage
from thermohw.energy.advantage import intrinsic_advantage as intrinsic_advantage
from thermohw.energy.digital import DigitalBaseline as DigitalBaseline
from thermohw.energy.digital import load_baseline as load_baseline
