# SPDX-License-Identifier: Apache-2.0
"""What the analog devices share: a card, component values in SI units, their ranges, and clipping to them."""

import os
from abc import abstractmethod
from concurrent.futures import Executor
from typing import Any, ClassVar, Generic, TypeVar, cast

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.emulated import EmulatedDevice, EngineName, Precision
from thermohw.backends.limits import Clipping, Limits, symmetric
from thermohw.cards import REFERENCE_J2, DeviceCard, load_card
from thermohw.device import DeviceSpec
from thermohw.errors import CardError, DeviceLimitError
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Integrator
from thermohw.langevin.onsite import OnSite
from thermohw.langevin.schedule import BiasSchedule
from thermohw.program import Program
from thermohw.topology import Topology
from thermohw.units import PhysicalScale

Floats = NDArray[np.float64]
Card = TypeVar("Card", bound=DeviceCard)
Components = TypeVar("Components")

NEGLIGIBLE_INERTIA = 0.02
"""m*·2 J2 up to which the overdamped law may be used: the error of relaxation rates is of this relative size."""

SETTLING = 5.0
"""Time, in units of m*, in which kinetic energy has become heat: e^-5 is left."""


class AnalogDevice(EmulatedDevice, Generic[Card, Components]):
    """A device that is built from a card and integrates its own equation of motion, in its own reduced units.

    Programs are in k_BT_eff of the device, times in t0: `spec.scale` and `Samples.physical` say what these are in SI
    units. A backend says what the scale follows from, what components a program needs, and what these do.

    Args:
        card: A card, the name of one that ships with the package, or the path of one.
        overdamped: Leave inertia out; refused where it is not negligible.
        clip: Let couplings and biases saturate at the ends of their ranges, instead of refusing the program;
            `clipping` then tells what that did. Bias schedules beyond the range are refused all the same.
        engine: See `EmulatedDevice`, as all that follows.
        integrator: Leimkuhler–Matthews, whose stationary error is O(Δt²), or Euler–Maruyama; BAOAB with inertia.
        precision: Of the states while they are integrated.
        executor: Where blocks of trajectories run; None for threads, one a core.

    Raises:
        CardError: The card is of another kind, or cannot be read.
        DeviceLimitError: Inertia is not negligible and was to be left out.
    """

    kind: ClassVar[type[DeviceCard]]

    def __init__(
        self,
        card: Card | str | os.PathLike[str],
        *,
        overdamped: bool = False,
        clip: bool = False,
        engine: EngineName = "auto",
        integrator: Integrator = "leimkuhler-matthews",
        precision: Precision = "float32",
        executor: Executor | None = None,
    ) -> None:
        found: Any = card if isinstance(card, DeviceCard) else load_card(card)
        if not isinstance(found, self.kind):
            wanted = self.kind.model_fields["kind"].annotation
            raise CardError(f"card {found.name!r} is of kind {found.kind!r}; {type(self).__name__} needs {wanted}")
        self._card = cast(Card, found)
        self._clip = clip
        self._clipping: Clipping | None = None
        self._scale = self._scale_of()
        self._mass = self._reduced_mass()
        if overdamped:
            self._require_negligible_inertia(REFERENCE_J2)
        limits = self.limits
        spec = DeviceSpec(
            name=found.name,
            mobility=1.0,
            kT=1.0,
            units=None if found.n_units is None else int(found.n_units.value),
            coupling_limit=symmetric(*limits.coupling_ends),
            bias_limit=symmetric(*(float(end[0]) for end in limits.bias_ends)),
            mass=0.0 if overdamped else self._mass,
            scale=self._scale,
            details={"card": found.model_dump_json(by_alias=True), "clip": str(clip), "overdamped": str(overdamped)},
        )
        super().__init__(spec, engine=engine, integrator=integrator, precision=precision, executor=executor)

    @property
    def card(self) -> Card:
        """Get the card."""
        return self._card

    @property
    def scale(self) -> PhysicalScale:
        """Get what one reduced unit is in SI units."""
        return self._scale

    @property
    def reduced_mass(self) -> float:
        """Get m* = (m/γ)/t0, the inertia in reduced units, whether or not it is left out; 0 where there is none."""
        return self._mass

    @property
    def limits(self) -> Limits:
        """Get what the card's ranges are in k_BT, for the unit whose components the card states."""
        return self._limits(self._bias_units(None))

    @property
    def clipping(self) -> Clipping | None:
        """Get what clipping did to the loaded program; None if the device does not clip or nothing is loaded."""
        return None if self.as_built is None else self._clipping

    def saturated(self, program: Program) -> Program:
        """Get a program with its couplings and biases held at the ends of the card's ranges.

        Raises:
            DeviceLimitError: What is left is not bounded below, as may happen to linear units.
        """
        return self._limits(self._bias_units(program)).clipped(program)

    @abstractmethod
    def components(self, program: Program) -> Components:
        """Get the component values, in SI units, that build a program, whether or not the card allows them."""

    @abstractmethod
    def program_of(self, components: Components, topology: Topology) -> Program:
        """Get the program that component values build."""

    @abstractmethod
    def _scale_of(self) -> PhysicalScale:
        """Get what one reduced unit is, from the card."""

    @abstractmethod
    def _reduced_mass(self) -> float:
        """Get the inertia of a unit in reduced units, from the card and the scale."""

    @abstractmethod
    def _coupling_unit(self) -> float:
        """Get the coupling, in the unit of the card's range, that is J = 1 k_BT."""

    @abstractmethod
    def _bias_units(self, program: Program | None) -> Floats:
        """Get the biases (units,), in the unit of the card's range, that are b = 1 k_BT; (1,) for the card's unit."""

    @abstractmethod
    def _integrated(self, components: Components, topology: Topology) -> AsBuilt:
        """Get the equation of motion that components obey, in reduced units."""

    def _build(self, program: Program) -> AsBuilt:
        return self._integrated(self.components(program), program.topology)

    def _accept(self, program: Program) -> Program:
        self._check_units(program)
        if self.spec.mass < self._mass:  # it is left out
            self._require_negligible_inertia(max(REFERENCE_J2, _stiffness(program)))
        if self._clip:
            held = self.saturated(program)
            self._clipping = Clipping.between(program, held)
            return held
        self._limits(self._bias_units(program)).check(program, self.spec.name)
        return program

    def _check_schedule(self, schedule: BiasSchedule, held: Program) -> None:
        limits = self._limits(self._bias_units(held))
        for knot in schedule.biases:
            limits.check(held.with_biases(knot), f"{self.spec.name}: the bias schedule")

    def _limits(self, bias_units: Floats) -> Limits:
        couplings, biases = self._card.couplings, self._card.biases
        assert couplings is not None and biases is not None  # cards of analog devices state both
        return Limits(couplings, biases, self._coupling_unit(), bias_units)

    def _require_negligible_inertia(self, J2: float) -> None:
        inertia = self._mass * 2 * J2
        if inertia > NEGLIGIBLE_INERTIA:
            raise DeviceLimitError(
                f"{self._card.name}: the overdamped law does not hold: m*·2 J2 is {inertia:.3g} at J2 = "
                f"{J2:.4g}, must be at most {NEGLIGIBLE_INERTIA:g}; run with inertia"
            )


def _stiffness(program: Program) -> float:
    """Get the J2 of the harmonic unit that is as stiff as the stiffest of a program at rest: V''/2, couplings aside."""
    onsite = OnSite(program.J2, program.J4, np.zeros(program.units), np.zeros(program.units))
    return 0.5 * float(onsite.stiffness(onsite.wells(np.abs(program.biases)) ** 2).max())
