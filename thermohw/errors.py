# SPDX-License-Identifier: Apache-2.0
"""The errors that thermohw raises: one tree, each leaf also its builtin.

A message says what is wrong, where (the pair, the key, the file, the byte) and what would be right.
Every class takes that one message only, so that errors survive pickling between worker processes.
"""


class ThermoHWError(Exception):
    """Root of every error that thermohw raises on purpose."""


class ProgramError(ThermoHWError, ValueError):
    """A topology or program that is malformed, or whose energy is not bounded below."""


class PlanError(ThermoHWError, ValueError):
    """A run plan that cannot be carried out: a time step beyond stability, zero samples, a bad schedule."""


class DeviceLimitError(ThermoHWError, ValueError):
    """A program or plan outside what the device can represent."""


class CardError(ThermoHWError, ValueError):
    """A device card that is damaged, incomplete, or states a quantity of the wrong unit or sign."""


class DeviceStateError(ThermoHWError, RuntimeError):
    """A device used in the wrong order: closed, or not programmed yet."""


class DivergenceError(ThermoHWError, ArithmeticError):
    """A trajectory that left the finite numbers; the message names unit, time and the stable step."""


class DatasetError(ThermoHWError, ValueError):
    """Images that are missing, damaged, not finite, or of the wrong shape."""


class TrainingError(ThermoHWError, ValueError):
    """A training configuration or checkpoint that cannot be used."""


class TableError(ThermoHWError, ValueError):
    """A coupling table that cannot be built from the program and bits asked for."""


class FileFormatError(ThermoHWError, ValueError):
    """A file that is damaged, edited, truncated, of another kind, or of an unknown schema version."""


class SimulatorError(ThermoHWError, RuntimeError):
    """An external simulator that is not installed, did not end in time, or wrote nothing."""


class TransportError(ThermoHWError, OSError):
    """A line that cannot be opened, or broke."""


class TransportTimeout(TransportError, TimeoutError):
    """A line that fell silent before all was read; the message says what arrived."""


class ProtocolError(ThermoHWError, ValueError):
    """An instrument that says what the protocol does not allow, or data that were damaged on the line."""


class InstrumentError(ThermoHWError, RuntimeError):
    """An instrument that refused a command or lost a run; the message carries its own words."""


class CalibrationError(ThermoHWError, ValueError):
    """A calibration that cannot be made of the data, or a record that does not fit."""


class StorageError(ThermoHWError, OSError):
    """A file or folder that cannot be read or written."""
