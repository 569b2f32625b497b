# SPDX-License-Identifier: Apache-2.0
"""What rounding did to the modes of a program: which grow in the table that did not before."""

import warnings
from dataclasses import dataclass

from thermohw.program import Program
from thermohw.spectrum import Spectrum, mode_spectrum


class SpuriousModesWarning(UserWarning):
    """A coupling table has more growing modes than its program: it generates patterns that nobody trained."""


@dataclass(frozen=True, eq=False)
class ModeComparison:
    """The modes of −J of a program and of what stands for it.

    Attributes:
        program: Spectrum of the program.
        table: Spectrum of the table.
    """

    program: Spectrum
    table: Spectrum

    @staticmethod
    def of(program: Program, table: Program) -> "ModeComparison":
        """Compare a program with the program of a table, both in k_BT."""
        return ModeComparison(mode_spectrum(program), mode_spectrum(table))

    @property
    def spurious(self) -> int:
        """Get how many more modes grow in the table than in the program."""
        return max(0, self.table.growing - self.program.growing)

    @property
    def lost(self) -> int:
        """Get how many fewer modes grow in the table than in the program."""
        return max(0, self.program.growing - self.table.growing)

    def __str__(self) -> str:
        """Tell the number of growing modes of both, and the leading ones."""
        return (
            f"{self.table.growing} modes of −J grow in the table, {self.program.growing} in the program (growth line "
            f"{self.program.growth_line:.4g} k_BT); leading: {_leading(self.table)} against {_leading(self.program)}"
        )

    def provenance(self) -> dict[str, str]:
        """Get the comparison for the provenance of a table."""
        return {
            "modes.leading.program": _leading(self.program),
            "modes.leading.table": _leading(self.table),
            "modes.growing.program": str(self.program.growing),
            "modes.growing.table": str(self.table.growing),
            "modes.growth-line": f"{self.program.growth_line:.6g}",
        }

    def warn(self, remedy: str) -> None:
        """Warn if modes grow in the table that do not in the program.

        Args:
            remedy: What would be right.

        Warns:
            SpuriousModesWarning: They do.
        """
        if self.spurious:
            warnings.warn(f"spurious modes: {self}; {remedy}", SpuriousModesWarning, stacklevel=3)


def _leading(spectrum: Spectrum, count: int = 5) -> str:
    return ", ".join(f"{value:.4g}" for value in spectrum.eigenvalues[:count])
