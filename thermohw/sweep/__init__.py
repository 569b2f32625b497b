# SPDX-License-Identifier: Apache-2.0
"""How quality, likelihood and heat of a trained program depend on the strength of an imperfection."""

from thermohw.sweep.axis import Axis as Axis
from thermohw.sweep.judge import Judge as Judge
from thermohw.sweep.measuring import Opener as Opener
from thermohw.sweep.measuring import SweepSettings as SweepSettings
from thermohw.sweep.points import Point as Point
from thermohw.sweep.results import Curve as Curve
from thermohw.sweep.results import Level as Level
from thermohw.sweep.results import Sweep as Sweep
from thermohw.sweep.sweeping import sweep as sweep
