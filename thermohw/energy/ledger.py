# SPDX-License-Identifier: Apache-2.0
"""The ledger of one sample's energy on a device: heat, programming, readout, static power and cooling, in joules."""

import math
from dataclasses import dataclass
from typing import Any, Literal

from thermohw.cards import EnergyCosts
from thermohw.energy.workload import Workload
from thermohw.errors import PlanError
from thermohw.statistics import Estimate
from thermohw.units import Quantity, joules_to_kT

RowName = Literal["heat", "programming", "readout", "static", "cooling"]

ROW_NAMES: tuple[RowName, ...] = ("heat", "programming", "readout", "static", "cooling")


@dataclass(frozen=True)
class Row:
    """One kind of energy that a sample takes.

    Attributes:
        name: Which.
        energy: Mean with its standard error, J; None where it is unknown. The error is that of sampling the heat: a
            number of the card is taken as given, and its status stands in `source`. NaN with fewer than two samples.
        source: Where the number comes from.
        missing: What nobody states, so that the row is unknown, or holds only a part; empty where it is whole.
    """

    name: RowName
    energy: Estimate | None
    source: str
    missing: str = ""

    @property
    def kT(self) -> float | None:
        """Get the mean in k_BT at room temperature."""
        return None if self.energy is None else joules_to_kT(self.energy.mean)

    def as_dict(self) -> dict[str, Any]:
        """Get the row for JSON; what is unknown or undefined is null, and `remark` says why."""
        energy = self.energy
        remarks = [self.missing] if self.missing else []
        if energy is not None and math.isnan(energy.standard_error):
            remarks.append(f"no standard error: {energy.count} samples, two are needed")
        return {
            "joules": None if energy is None else finite(energy.mean),
            "standard_error": None if energy is None else finite(energy.standard_error),
            "kT_at_300_K": finite(self.kT),
            "known": energy is not None,
            "source": self.source,
            "remark": "; ".join(remarks),
        }


@dataclass(frozen=True)
class Ledger:
    """The energy of one sample on one device.

    Attributes:
        device: Its name.
        rows: In the order of `ROW_NAMES`.
        heat_kT: Heat a sample in the device's own k_BT_eff.
        thermal_energy: k_BT_eff, J.
        samples_per_programming: Samples over which programming is spread.
    """

    device: str
    rows: tuple[Row, ...]
    heat_kT: Estimate
    thermal_energy: float
    samples_per_programming: float

    def row(self, name: RowName) -> Row:
        """Get a row by its name."""
        return self.rows[ROW_NAMES.index(name)]

    @property
    def intrinsic(self) -> Estimate:
        """Get the heat of the dynamics alone, J."""
        return scaled(self.heat_kT, self.thermal_energy)

    @property
    def total(self) -> Estimate:
        """Get the sum of what is known, J.

        Every row is a constant plus a non-negative multiple of the heat. Their errors are fully correlated: they add,
        and not their squares.
        """
        known = [row.energy for row in self.rows if row.energy is not None]
        return Estimate(
            sum(energy.mean for energy in known),
            sum(energy.standard_error for energy in known),
            sum(energy.standard_deviation for energy in known),
            self.heat_kT.count,
        )

    @property
    def missing(self) -> dict[RowName, str]:
        """Get what the total lacks, by row; while anything is missing the total is a lower bound."""
        return {row.name: row.missing for row in self.rows if row.missing}

    @property
    def lower_bound(self) -> bool:
        """Get whether the total is a lower bound, because a row is unknown or known in part."""
        return bool(self.missing)

    @property
    def dominant(self) -> RowName | None:
        """Get the largest of the known rows, None where none is positive."""
        largest: RowName | None = None
        most = 0.0
        for row in self.rows:
            if row.energy is not None and row.energy.mean > most:
                largest, most = row.name, row.energy.mean
        return largest

    def as_dict(self) -> dict[str, Any]:
        """Get the ledger for JSON; what is not defined is null."""
        total = self.total
        return {
            "device": self.device,
            "heat_kT": {"mean": finite(self.heat_kT.mean), "standard_error": finite(self.heat_kT.standard_error)},
            "thermal_energy": self.thermal_energy,
            "samples_per_programming": self.samples_per_programming,
            "rows": {row.name: row.as_dict() for row in self.rows},
            "total": {
                "joules": finite(total.mean),
                "standard_error": finite(total.standard_error),
                "kT_at_300_K": finite(joules_to_kT(total.mean)),
                "lower_bound": self.lower_bound,
            },
            "dominant": self.dominant,
        }


def device_ledger(
    device: str,
    costs: EnergyCosts,
    heat: Estimate,
    thermal_energy: float,
    duration: float | None,
    workload: Workload,
) -> Ledger:
    """Account for the energy of one sample on a device.

        programming = values written · dac_write / samples per programming      static  = static power · duration
        readout     = values read · adc_conversion                              cooling = overhead · (heat + static)

    Cooling removes what the cold stage dissipates; converters are assumed to stand at room temperature. A cost that
    nobody states leaves its row unknown, never zero.

    Args:
        device: Name of the device.
        costs: What its card says.
        heat: Heat of a sample, in the device's own k_BT_eff.
        thermal_energy: k_BT_eff of the device, J.
        duration: Length of a run, s; None where it is not known.
        workload: Values written and read.

    Raises:
        PlanError: A thermal energy that is not positive, or a negative duration.
    """
    if not (math.isfinite(thermal_energy) and thermal_energy > 0):
        raise PlanError(f"{device}: k_BT_eff must be a positive number of joules, got {thermal_energy}")
    if duration is not None and not (math.isfinite(duration) and duration >= 0):
        raise PlanError(f"{device}: a run lasts a finite time of at least zero seconds, got {duration}")
    emitted = Row("heat", scaled(heat, thermal_energy), f"heat of the trajectories × k_BT_eff = {thermal_energy:.3g} J")
    writes = workload.values_written / workload.samples_per_programming
    static = _static(costs.static_power, duration, heat.count)
    rows = (
        emitted,
        _counted("programming", writes, costs.dac_write, "the energy of writing a value", heat.count),
        _counted("readout", workload.values_read, costs.adc_conversion, "the energy of reading a value", heat.count),
        static,
        _cooling(costs.cooling_overhead, emitted, static),
    )
    return Ledger(device, rows, heat, thermal_energy, workload.samples_per_programming)


def scaled(energy: Estimate, factor: float, offset: float = 0.0) -> Estimate:
    """Get the estimate of factor · energy + offset, for factor ≥ 0; no error is left where the factor is zero."""
    if factor == 0:
        return Estimate(offset, 0.0, 0.0, energy.count)
    error, deviation = factor * energy.standard_error, factor * energy.standard_deviation
    return Estimate(factor * energy.mean + offset, error, deviation, energy.count)


def finite(value: float | None) -> float | None:
    """Get a number for JSON, which has no NaN."""
    return value if value is not None and math.isfinite(value) else None


def _sourced(quantity: Quantity) -> str:
    return f"{quantity.value:g} {quantity.unit}, {quantity.status}: {quantity.source}"


def _counted(name: RowName, number: float, each: Quantity | None, what: str, count: int) -> Row:
    if number == 0:
        return Row(name, Estimate(0.0, 0.0, 0.0, count), "no value is written or read")
    if each is None:
        return Row(name, None, "", f"{what} is not stated")
    return Row(name, Estimate(number * each.value, 0.0, 0.0, count), _sourced(each))


def _static(power: Quantity | None, duration: float | None, count: int) -> Row:
    if power is None:
        return Row("static", None, "", "the static power is not stated")
    if duration is None and power.value != 0:
        return Row("static", None, _sourced(power), "the length of a run in seconds is not known")
    return Row("static", Estimate(power.value * (duration or 0.0), 0.0, 0.0, count), _sourced(power))


def _cooling(overhead: Quantity | None, heat: Row, static: Row) -> Row:
    if overhead is None:
        return Row("cooling", None, "", "the work of cooling is not stated")
    assert heat.energy is not None  # the heat is always known
    missing = f"its part for static power: {static.missing}" if static.missing and overhead.value != 0 else ""
    constant = static.energy.mean if static.energy is not None else 0.0
    energy = scaled(heat.energy, overhead.value, overhead.value * constant)
    return Row("cooling", energy, f"{_sourced(overhead)}; converters at room temperature", missing)
