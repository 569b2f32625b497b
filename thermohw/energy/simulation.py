# SPDX-License-Identifier: Apache-2.0
"""The Langevin computer itself, simulated digitally: the baseline that does exactly what the device does."""

from dataclasses import dataclass
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from thermohw.energy.digital import DigitalCost, Joules, WeightMemory
from thermohw.errors import PlanError

MACS_PER_PAIR = 2
"""Both ends of a coupling feel it: J_ij x_j goes into the force on i, J_ij x_i into that on j."""

MACS_PER_UNIT = 4
"""x², (4 J4) x² + 2 J2, (…) x + field, and amplitude · η + x; the field starts from the bias and sums the couplings."""


@dataclass(frozen=True)
class Operations:
    """Numbers of arithmetic operations.

    Attributes:
        mac: Multiply–accumulate operations.
        float_multiply: Further multiplications of floating-point numbers.
        float_add: Further additions; comparisons and conversions between integers and floats count as one each.
        integer_multiply: Multiplications of 32-bit integers with a 64-bit product.
        integer_add: Additions of 32-bit integers; exclusive or, and, and shifts count as one each.
    """

    mac: float = 0.0
    float_multiply: float = 0.0
    float_add: float = 0.0
    integer_multiply: float = 0.0
    integer_add: float = 0.0


NORMAL_NUMBER = Operations(
    # Philox4x32-10 makes four words in 10 rounds of 2 products, 4 exclusive ors and 2 additions to the key.
    integer_multiply=20 / 4,
    # With 6 shifts, masks and additions for every two numbers, where the float's exponent is taken apart.
    integer_add=(40 + 20) / 4 + 6 / 2,
    # Box–Muller makes two numbers: logarithm, sine and cosine by polynomials of 4, 5 and 5 terms beyond the first.
    # The division and the square root count as four multiplications and four additions each: Newton's iteration.
    float_multiply=(28 + 2 * 4) / 2,
    # Three conversions and one comparison for every two numbers.
    float_add=(19 + 2 * 4 + 3 + 1) / 2,
)
"""What one normal number costs in `thermohw.langevin.noise_kernel`, in single precision."""


class OperationEnergies(BaseModel):
    """Energy of each operation of `Operations`, J."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    mac: Joules
    float_multiply: Joules
    float_add: Joules
    integer_multiply: Joules
    integer_add: Joules

    def energy(self, operations: Operations) -> float:
        """Get the energy of some operations, J."""
        return sum(count * getattr(self, name).value for name, count in vars(operations).items())


class LangevinBaseline(BaseModel):
    """The Euler–Maruyama steps of a program on a digital computer, charged for their arithmetic only."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    kind: Literal["simulation"] = "simulation"
    name: str = Field(min_length=1)
    energies: OperationEnergies
    memory: WeightMemory | None = Field(default=None, description="stated apart from the arithmetic")
    source: str = Field(min_length=1)
    remark: str = Field(min_length=1, description="what is counted, and what is not")

    @staticmethod
    def operations(pairs: int, units: int, steps: int) -> Operations:
        """Count the operations of a sample: for each step 2 MACs a pair, and 4 MACs and a normal number a unit.

        Args:
            pairs: Coupled pairs.
            units: Units, visible and hidden.
            steps: Time steps a sample.

        Raises:
            PlanError: A negative number.
        """
        if min(pairs, units, steps) < 0:
            raise PlanError(f"pairs, units and steps must not be negative, got {pairs}, {units}, {steps}")
        noise = {name: steps * units * count for name, count in vars(NORMAL_NUMBER).items()}
        return Operations(**noise | {"mac": steps * (MACS_PER_PAIR * pairs + MACS_PER_UNIT * units)})

    def energy(self, pairs: int, units: int, steps: int) -> float:
        """Get the energy a sample, J; arguments as for `operations`."""
        return self.energies.energy(self.operations(pairs, units, steps))

    def cost(self, pairs: int, units: int, steps: int) -> DigitalCost:
        """Get what a sample costs; a step reads every coupling once, for both its ends."""
        memory = None if self.memory is None else self.memory.energy(pairs * steps)
        return DigitalCost(self.name, self.kind, self.energy(pairs, units, steps), memory, self.remark)
