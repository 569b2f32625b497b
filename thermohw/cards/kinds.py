# SPDX-License-Identifier: Apache-2.0
"""The four kinds of device cards. All quantities are in SI units; docs/formats.md lists the keys."""

from typing import Annotated, Literal

from pydantic import Field

from thermohw.cards.fields import EnergyCosts, Range, Table, UnitCount, Words, in_unit, of_unit
from thermohw.units import Quantity

REFERENCE_J2 = REFERENCE_J4 = 10.0
"""On-site energies, in k_BT, of the unit whose components a card states: those of the paper."""


class DeviceCard(Table, frozen=True):
    """What the cards of all kinds state."""

    card_schema: Literal["thermohw-card/1"] = Field(alias="schema", description="kind and version of the file")
    name: Words
    kind: Literal["rc", "mechanical", "josephson", "ideal"]
    description: Words
    regime: Words = Field(description="where the numbers hold, in words")
    illustrative: bool = Field(default=False, description="the numbers show an order of magnitude, not one device")
    temperature: Annotated[Quantity, of_unit("K")] = Field(
        description="T_eff of the noise that the dynamics runs at, K; injected noise is far hotter than the room"
    )
    n_units: UnitCount | None = Field(description="number of units")
    couplings: Range | None = Field(description="what a coupling of two units can be set to")
    biases: Range | None = Field(description="what a unit's bias can be set to")
    readout: Range | None = Field(description="what a unit's coordinate is read as")
    energy: EnergyCosts = EnergyCosts()


class RCParts(Table, frozen=True):
    """Components of an RC circuit's unit."""

    capacitance: Annotated[Quantity, of_unit("F")] = Field(description="C, F")
    conductance: Annotated[Quantity, of_unit("S")] = Field(description="linear conductance g1 at REFERENCE_J2, S")
    noise_conductance: Annotated[Quantity, of_unit("S")] = Field(description="g_n of ⟨I I⟩ = 2 k_BT g_n δ, S")


class RCCard(DeviceCard, frozen=True):
    """A network of RC nodes; the coordinate is the node's voltage."""

    kind: Literal["rc"]
    n_units: UnitCount
    components: RCParts
    couplings: Annotated[Range, in_unit("S")]
    biases: Annotated[Range, in_unit("A")]
    readout: Annotated[Range, in_unit("V")]


class MechanicalParts(Table, frozen=True):
    """Components of a mechanical oscillator's unit."""

    stiffness: Annotated[Quantity, of_unit("N/m")] = Field(description="k1 at REFERENCE_J2, N/m")
    resonance_frequency: Annotated[Quantity, of_unit("Hz")] = Field(description="f0 = √(k1/m)/2π, Hz")
    quality_factor: Annotated[Quantity, of_unit("1")] = Field(description="Q = √(k1 m)/γ")


class MechanicalCard(DeviceCard, frozen=True):
    """A network of mechanical oscillators; the coordinate is the deflection."""

    kind: Literal["mechanical"]
    n_units: UnitCount
    components: MechanicalParts
    couplings: Annotated[Range, in_unit("N/m")]
    biases: Annotated[Range, in_unit("N")]
    readout: Annotated[Range, in_unit("m")]


class JosephsonParts(Table, frozen=True):
    """Components of a Josephson circuit's unit, an rf SQUID with a compound junction."""

    inductance: Annotated[Quantity, of_unit("H")] = Field(description="L, H")
    resistance: Annotated[Quantity, of_unit("ohm")] = Field(description="shunt R, ohm")
    capacitance: Annotated[Quantity, of_unit("F")] = Field(description="C_J, F")
    critical_current: Annotated[Quantity, of_unit("A")] = Field(description="largest I_c of the compound junction, A")


class JosephsonCard(DeviceCard, frozen=True):
    """A network of rf SQUIDs; the coordinate is the phase, couplings are off-diagonal inverse inductances."""

    kind: Literal["josephson"]
    n_units: UnitCount
    components: JosephsonParts
    couplings: Annotated[Range, in_unit("1/H")]
    biases: Annotated[Range, in_unit("rad")]
    readout: Annotated[Range, in_unit("rad")]


class IdealCard(DeviceCard, frozen=True):
    """A computer without limits, known by its temperature alone."""

    kind: Literal["ideal"]
    n_units: None = None
    couplings: None = None
    biases: None = None
    readout: None = None


AnyCard = RCCard | MechanicalCard | JosephsonCard | IdealCard
