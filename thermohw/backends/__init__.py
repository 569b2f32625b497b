# SPDX-License-Identifier: Apache-2.0
"""Devices that can run a program."""

from thermohw.backends.simulated import SimulatedDevice as SimulatedDevice
