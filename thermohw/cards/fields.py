# SPDX-License-Identifier: Apache-2.0
"""What cards of every kind are built from: checked quantities, ranges and energy costs, in SI units."""

import math
import reprlib
from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, StringConstraints, model_validator

from thermohw.units import Quantity, Status

Words = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1)]


class Table(BaseModel, frozen=True, extra="forbid", allow_inf_nan=False):
    """A table of a card: unknown keys and numbers that are not finite are refused."""


class Range(Table, frozen=True):
    """What a device can set or read: an interval, and how finely it is resolved."""

    min: float
    max: float
    unit: str
    bits: int | None = Field(default=None, ge=1, le=32, description="resolution; left out for a continuous range")
    source: Words
    status: Status

    @property
    def step(self) -> float | None:
        """Get the distance of two neighbouring values, in `unit`; None for a continuous range."""
        return None if self.bits is None else (self.max - self.min) / (2**self.bits - 1)

    @model_validator(mode="after")
    def _interval(self) -> "Range":
        if not 0 < self.max - self.min < math.inf:
            raise ValueError(
                f"min is {self.min:g} and max is {self.max:g}: min must be below max, at a finite distance"
            )
        return self


def of_unit(unit: str, may_be_zero: bool = False, whole: bool = False) -> AfterValidator:
    """Check a quantity's unit, sign and source; absent optional ones pass."""

    def check(quantity: Quantity | None) -> Quantity | None:
        if quantity is None:
            return None
        if quantity.unit != unit:
            raise ValueError(f"unit is {reprlib.repr(quantity.unit)}, must be {unit!r}")
        if quantity.value < 0 or (quantity.value == 0 and not may_be_zero):
            raise ValueError(f"value is {quantity.value:g}, must be {'zero or ' * may_be_zero}positive")
        if whole and not quantity.value.is_integer():
            raise ValueError(f"value is {quantity.value:g}, must be a whole number")
        if not quantity.source.strip():
            raise ValueError("source is blank, must say where the number comes from")
        return quantity

    return AfterValidator(check)


def in_unit(unit: str) -> AfterValidator:
    """Check the unit of a range."""

    def check(interval: Range) -> Range:
        if interval.unit != unit:
            raise ValueError(f"unit is {reprlib.repr(interval.unit)}, must be {unit!r}")
        return interval

    return AfterValidator(check)


UnitCount = Annotated[Quantity, of_unit("1", whole=True)]
EnergyCost = Annotated[Quantity | None, of_unit("J", may_be_zero=True)]


class EnergyCosts(Table, frozen=True):
    """What a device costs besides the heat of its dynamics. A cost that nobody states is None: unknown, not zero."""

    static_power: Annotated[Quantity | None, of_unit("W", may_be_zero=True)] = Field(
        default=None, description="power of the whole device while it runs, W"
    )
    dac_write: EnergyCost = Field(default=None, description="per value written, one coupling or bias, J")
    adc_conversion: EnergyCost = Field(default=None, description="per value read, J")
    cooling_overhead: Annotated[Quantity | None, of_unit("W/W", may_be_zero=True)] = Field(
        default=None, description="work per joule removed at the temperature of the device's stage, W/W"
    )
