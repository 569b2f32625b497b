# SPDX-License-Identifier: Apache-2.0
"""What a sweep found: for each program and effect, means and standard errors over devices at each strength."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, get_args

from thermohw import __version__
from thermohw.nonideal import Effect
from thermohw.statistics import Estimate
from thermohw.sweep.axis import Axis
from thermohw.sweep.measuring import SweepSettings
from thermohw.sweep.points import Measure, Point

SCHEMA = "thermohw-sweep/1"


@dataclass(frozen=True)
class Level:
    """One strength.

    Attributes:
        value: Of the field that is varied; None where it is off.
        measures: Mean over devices of each measure that there is, with its standard error.
        failures: Why devices could not run, one a device that could not.
    """

    value: float | None
    measures: dict[Measure, Estimate]
    failures: tuple[str, ...]

    @staticmethod
    def of(value: float | None, points: Sequence[Point]) -> "Level":
        """Average points, one a device."""
        measures: dict[Measure, Estimate] = {}
        for name in get_args(Measure):
            found = [point.measures[name] for point in points if name in point.measures]
            if found:
                measures[name] = Estimate.of(found)
        return Level(value, measures, tuple(point.failure for point in points if point.failure is not None))


@dataclass(frozen=True)
class Curve:
    """One program, one effect.

    Attributes:
        label: What the program is called.
        program: Its digest.
        axis: What is varied.
        levels: (values,) in the order of the axis's values.
    """

    label: str
    program: str
    axis: Axis
    levels: tuple[Level, ...]


@dataclass(frozen=True)
class Sweep:
    """What a sweep found.

    Attributes:
        device: Name of the device under the effects.
        background: Effects present at all points.
        settings: What was run.
        curves: One for each program and axis.
        remarks: What could not be measured, and why.
        measured: Points that were measured now.
        reused: Points that were there already.
    """

    device: str
    background: tuple[Effect, ...]
    settings: SweepSettings
    curves: tuple[Curve, ...]
    remarks: tuple[str, ...]
    measured: int
    reused: int

    @property
    def axes(self) -> tuple[Axis, ...]:
        """Get what was varied."""
        return tuple(dict.fromkeys(curve.axis for curve in self.curves))

    @property
    def measures(self) -> tuple[Measure, ...]:
        """Get the measures that some point has."""
        found = {name for curve in self.curves for level in curve.levels for name in level.measures}
        return tuple(name for name in get_args(Measure) if name in found)

    def as_dict(self) -> dict[str, Any]:
        """Get all of it for JSON (format: docs/formats.md)."""
        background = {effect.name(): effect.model_dump(exclude_defaults=True) for effect in self.background}
        return {
            "schema": SCHEMA,
            "version": __version__,
            "device": self.device,
            "background": background,
            "settings": asdict(self.settings),
            "curves": [_told(curve) for curve in self.curves],
            "remarks": list(self.remarks),
            "measured": self.measured,
            "reused": self.reused,
        }


def _told(curve: Curve) -> dict[str, Any]:
    levels = [
        {
            "value": level.value,
            "devices": max((estimate.count for estimate in level.measures.values()), default=0),
            "measures": {name: asdict(estimate) for name, estimate in level.measures.items()},
            "failures": list(level.failures),
        }
        for level in curve.levels
    ]
    axis = curve.axis
    return {
        "label": curve.label,
        "program": curve.program,
        "effect": axis.effect.name(),
        "field": axis.field,
        "description": axis.description,
        "levels": levels,
    }
