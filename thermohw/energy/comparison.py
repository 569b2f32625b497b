# SPDX-License-Identifier: Apache-2.0
"""Several devices beside several digital computers: tables of text, and the same for JSON."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from thermohw.energy.advantage import Advantage, break_even, error_text, intrinsic_advantage, system_advantage
from thermohw.energy.baseline_files import digital_costs, load_baseline
from thermohw.energy.digital import DigitalCost
from thermohw.energy.ledger import ROW_NAMES, Ledger, Row
from thermohw.energy.workload import Workload

_PREFIXES = {3: "k", 0: "", -3: "m", -6: "µ", -9: "n", -12: "p", -15: "f", -18: "a", -21: "z", -24: "y"}


def joules_text(energy: float, standard_error: float = 0.0) -> str:
    """Get an energy with an SI prefix, such as "4.19 nJ" or, with a standard error, "(4.19 ± 0.02) nJ"."""
    if not math.isfinite(energy):
        return "undefined"
    exponent = 0 if energy == 0 else 3 * math.floor(math.log10(abs(float(f"{energy:.3g}"))) / 3)
    exponent = min(max(exponent, min(_PREFIXES)), max(_PREFIXES))
    number, error = energy / 10.0**exponent, standard_error / 10.0**exponent
    text = f"{number:.3g}"
    if error != 0:
        text = f"({text}{error_text(error, number)})"
    return f"{text} {_PREFIXES[exponent]}J"


@dataclass(frozen=True)
class TextTable:
    """A table of text cells.

    Attributes:
        title: What it tells.
        columns: Heads.
        rows: Cells, as many in each row as there are columns.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


@dataclass(frozen=True)
class Comparison:
    """Several devices beside several digital computers, for the same workload.

    Attributes:
        workload: What a sample asks for.
        ledgers: One a device.
        digital: One a digital computer.
    """

    workload: Workload
    ledgers: tuple[Ledger, ...]
    digital: tuple[DigitalCost, ...]

    @staticmethod
    def of(ledgers: Sequence[Ledger], workload: Workload) -> "Comparison":
        """Compare devices with every digital baseline that ships with the package."""
        return Comparison(workload, tuple(ledgers), tuple(digital_costs(workload)))

    def intrinsic(self, ledger: Ledger) -> Advantage:
        """Get a device's intrinsic advantage over the paper's digital denoiser."""
        return intrinsic_advantage(ledger.heat_kT, load_baseline(), ledger.thermal_energy)

    def tables(self) -> list[TextTable]:
        """Get the ledgers, the digital computers, the advantages and the break-even points."""
        return [self._ledger_table(), self._digital_table(), self._advantage_table(), self._break_even_table()]

    def as_dict(self) -> dict[str, Any]:
        """Get all of it for JSON; what is not defined is null."""
        return {
            "workload": vars(self.workload),
            "digital": [{**vars(cost), "kT_at_300_K": cost.kT} for cost in self.digital],
            "devices": [
                {
                    **ledger.as_dict(),
                    "intrinsic_advantage": self.intrinsic(ledger).as_dict(),
                    "against": {
                        cost.name: {
                            "system_advantage": system_advantage(ledger, cost).as_dict(),
                            "break_even": break_even(ledger, cost).as_dict(),
                        }
                        for cost in self.digital
                    },
                }
                for ledger in self.ledgers
            ],
        }

    def _ledger_table(self) -> TextTable:
        columns = ("device", "heat (own k_BT)", *ROW_NAMES, "total", "largest known")
        rows = tuple(
            (
                ledger.device,
                str(ledger.heat_kT),
                *(_cell(row) for row in ledger.rows),
                ("≥ " if ledger.lower_bound else "") + joules_text(ledger.total.mean, ledger.total.standard_error),
                ledger.dominant or "none",
            )
            for ledger in self.ledgers
        )
        spread = f"programming spread over {self.workload.samples_per_programming:g} samples"
        return TextTable(f"Energy a sample; {spread}", columns, rows)

    def _digital_table(self) -> TextTable:
        rows = tuple(
            (
                cost.name,
                joules_text(cost.energy),
                f"{cost.kT:.2g}",
                "not stated" if cost.memory is None else joules_text(cost.memory),
                cost.remark,
            )
            for cost in self.digital
        )
        return TextTable("Digital, a sample", ("computer", "energy", "k_BT at 300 K", "memory, apart", "remark"), rows)

    def _advantage_table(self) -> TextTable:
        paper = (
            f"heat only, over the paper's {load_baseline().name}",
            *(str(self.intrinsic(each)) for each in self.ledgers),
        )
        rows = tuple(
            (f"all rows, over {cost.name}", *(str(system_advantage(each, cost)) for each in self.ledgers))
            for cost in self.digital
        )
        title = (
            "Advantage: digital energy over the device's; ± is the sampling error of the heat, ≤ where rows are unknown"
        )
        return TextTable(title, ("advantage", *self._names), (paper, *rows))

    def _break_even_table(self) -> TextTable:
        rows = tuple((cost.name, *(str(break_even(each, cost)) for each in self.ledgers)) for cost in self.digital)
        return TextTable("Samples per programming from which on a device needs less", ("over", *self._names), rows)

    @property
    def _names(self) -> tuple[str, ...]:
        return tuple(ledger.device for ledger in self.ledgers)


def _cell(row: Row) -> str:
    if row.energy is None:
        return "unknown"
    return ("≥ " if row.missing else "") + joules_text(row.energy.mean, row.energy.standard_error)
