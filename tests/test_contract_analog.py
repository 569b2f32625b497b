# SPDX-License-Identifier: Apache-2.0
"""Every analog card keeps the device contract, against the quadrature of its own potential."""

from thermohw.backends import open_device
from thermohw.device import ThermodynamicDevice
from thermohw.testing import DeviceContract


class TestRCBoard(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("rc_board")


class TestRCChip(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("rc_chip")


class TestMechanicalOverdamped(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("mechanical_overdamped")


class TestMechanicalWithoutInertia(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("mechanical_overdamped", overdamped=True)


class TestMechanicalCantilever(DeviceContract):
    settling = 4.0
    time_step = 0.02

    def make_device(self) -> ThermodynamicDevice:
        return open_device("mechanical_cantilever")


class TestJosephsonOverdamped(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("josephson_overdamped")


class TestJosephsonWithoutInertia(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return open_device("josephson_overdamped", overdamped=True)


class TestJosephsonFlux(DeviceContract):
    settling = 170.0
    time_step = 0.05
    samples = 512

    def make_device(self) -> ThermodynamicDevice:
        return open_device("josephson_flux")
