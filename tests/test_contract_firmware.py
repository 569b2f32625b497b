# SPDX-License-Identifier: Apache-2.0
"""The reference firmware keeps the device contract, as a process of this computer and on an emulated board."""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import ClassVar

import pytest
from firmware_boards import MISSING, MISSING_FOR_ARM, emulated_board, host_board, make

from thermohw import SerialDevice
from thermohw.device import ThermodynamicDevice
from thermohw.testing import DeviceContract


class OfTheFirmware(DeviceContract):
    samples = 256
    time_step = 0.005  # Euler-Maruyama
    target: ClassVar[str]
    start: ClassVar[Callable[[Path], AbstractContextManager[str]]]
    terminal: ClassVar[str]

    @pytest.fixture(autouse=True, scope="class")
    @classmethod
    def _board(cls, tmp_path_factory: pytest.TempPathFactory) -> Generator[None]:
        folder = tmp_path_factory.mktemp("firmware")
        made = make(folder, cls.target)
        assert made.returncode == 0, made.stderr
        with cls.start(folder) as cls.terminal:
            yield

    def make_device(self) -> ThermodynamicDevice:
        return SerialDevice(self.terminal)


@pytest.mark.skipif(bool(MISSING), reason=f"not on the path: {', '.join(MISSING)}")
class TestOnThisComputer(OfTheFirmware):
    target = "host"
    start = host_board


@pytest.mark.skipif(bool(MISSING_FOR_ARM), reason=f"not on the path: {', '.join(MISSING_FOR_ARM)}")
class TestOnAnEmulatedBoard(OfTheFirmware):
    target = "arm"
    start = emulated_board
