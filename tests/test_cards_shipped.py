# SPDX-License-Identifier: Apache-2.0
"""The shipped cards: every number has its unit, source and status, and the numbers fit each other."""

import math
import os
import re
from collections.abc import Iterator

import pytest
from pydantic import BaseModel

from thermohw.cards import (
    REFERENCE_J2,
    REFERENCE_J4,
    AnyCard,
    EnergyCosts,
    IdealCard,
    JosephsonCard,
    MechanicalCard,
    Range,
    RCCard,
    card_names,
    load_card,
)
from thermohw.shipped import shipped_folder
from thermohw.units import BOLTZMANN, REDUCED_FLUX_QUANTUM, Quantity, thermal_energy

NAMES = (
    "ideal",
    "josephson_flux",
    "josephson_overdamped",
    "mechanical_cantilever",
    "mechanical_overdamped",
    "rc_board",
    "rc_chip",
)
UNITS = {
    RCCard: ("S", "A", "V", {"capacitance": "F", "conductance": "S", "noise_conductance": "S"}),
    MechanicalCard: ("N/m", "N", "m", {"stiffness": "N/m", "resonance_frequency": "Hz", "quality_factor": "1"}),
    JosephsonCard: (
        "1/H",
        "rad",
        "rad",
        {"inductance": "H", "resistance": "ohm", "capacitance": "F", "critical_current": "A"},
    ),
}


def leaves(table: BaseModel) -> Iterator[Quantity | Range]:
    for _, value in table:
        if isinstance(value, Quantity | Range):
            yield value
        elif isinstance(value, BaseModel):
            yield from leaves(value)


def test_all_cards_ship() -> None:
    assert card_names() == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_a_shipped_card_states_unit_source_and_status_of_each_number(name: str) -> None:
    card = load_card(name)
    assert (card.name, card.illustrative) == (name, name == "rc_board")
    assert card.temperature.unit == "K"
    for leaf in leaves(card):
        numbers = (leaf.value,) if isinstance(leaf, Quantity) else (leaf.min, leaf.max)
        assert all(map(math.isfinite, numbers))
        assert len(leaf.source) > 10
        assert not (leaf.status != "assumed" and re.match("assumed|chosen", leaf.source))
    if not isinstance(card, IdealCard):
        couplings, biases, readout, components = UNITS[type(card)]
        assert (card.couplings.unit, card.biases.unit, card.readout.unit) == (couplings, biases, readout)
        assert {key: quantity.unit for key, quantity in card.components} == components
        assert card.n_units.value >= 784 + 512
        assert "built" in card.description


def test_names_and_paths_give_the_same_card() -> None:
    path = shipped_folder("devices") / "rc_chip.toml"
    assert load_card("rc_chip") == load_card(path) == load_card(os.fspath(path))


def test_the_ideal_card_has_a_temperature_only() -> None:
    card = load_card("ideal")
    assert (card.n_units, card.couplings, card.biases, card.readout) == (None, None, None, None)
    assert card.energy == EnergyCosts()
    assert card.temperature.value == 300


# One reduced unit of x (its size, what 1 k_BT of coupling and of bias is, and the time unit) from the components


def reduced_units(card: AnyCard) -> tuple[float, float, float, float]:
    kT = thermal_energy(card.temperature.value)
    match card:
        case RCCard(components=parts):
            C, g1, g_n = parts.capacitance.value, parts.conductance.value, parts.noise_conductance.value
            x_u = math.sqrt(2 * REFERENCE_J2 * kT * g_n / (C * g1))
            return x_u, kT * g_n / (C * x_u**2), kT * g_n / (C * x_u), x_u**2 * C**2 / (kT * g_n)
        case MechanicalCard(components=parts):
            k1, rate = parts.stiffness.value, math.tau * parts.resonance_frequency.value * parts.quality_factor.value
            x_u = math.sqrt(2 * REFERENCE_J2 * kT / k1)
            return x_u, kT / x_u**2, kT / x_u, x_u**2 * (k1 / rate) / kT
        case JosephsonCard(components=parts):
            E_L = REDUCED_FLUX_QUANTUM**2 / parts.inductance.value
            a, b = 2 * REFERENCE_J2 * kT, 24 * REFERENCE_J4 * kT  # E_L x_u⁴ − a x_u² − b = 0
            x_u = math.sqrt((a + math.sqrt(a * a + 4 * b * E_L)) / (2 * E_L))
            coupling = kT / (x_u * REDUCED_FLUX_QUANTUM) ** 2
            return x_u, coupling, kT / (E_L * x_u), (x_u * REDUCED_FLUX_QUANTUM) ** 2 / (parts.resistance.value * kT)
        case IdealCard():
            raise AssertionError("an ideal card has no components")


@pytest.mark.parametrize(
    ("name", "length", "time", "coupling", "readout"),
    [
        ("rc_board", 0.2, 1e-6, 16, 4),
        ("rc_chip", 287.8e-6, 1e-6, 16, 4),
        ("mechanical_overdamped", 4.070e-9, 25.06e-3, 16, 4),
        ("mechanical_cantilever", 4.495e-9, 0.4172e-3, 16, 4),
        ("josephson_overdamped", 1.0901, 2.2196e-9, 16, 4),
        ("josephson_flux", 2.0255, 0.21159e-9, 6, 3),
    ],
)
def test_components_give_the_scales_that_a_card_quotes(
    name: str, length: float, time: float, coupling: float, readout: float
) -> None:
    card = load_card(name)
    x_u, one_coupling, one_bias, t0 = reduced_units(card)
    assert (x_u, t0) == (pytest.approx(length, rel=5e-4), pytest.approx(time, rel=5e-4))
    for interval, one, needed in (
        (card.couplings, one_coupling, coupling),
        (card.biases, one_bias, 64),
        (card.readout, x_u, readout),
    ):
        assert interval is not None
        assert interval.min == -interval.max
        assert 0.9999 * needed <= interval.max / one < 1.06 * needed


def test_the_overdamped_cards_are_overdamped_and_the_others_are_not() -> None:
    inertia = {}
    for name in NAMES:
        card = load_card(name)
        if isinstance(card, MechanicalCard):
            inertia[name] = card.components.quality_factor.value**2
        elif isinstance(card, JosephsonCard):
            relaxation = card.components.resistance.value * card.components.capacitance.value
            inertia[name] = 2 * REFERENCE_J2 * relaxation / reduced_units(card)[3]
    assert inertia == {
        "mechanical_overdamped": pytest.approx(0.01),
        "mechanical_cantilever": pytest.approx(49),
        "josephson_overdamped": pytest.approx(9.01e-4, rel=1e-3),
        "josephson_flux": pytest.approx(1.4027e5, rel=1e-3),
    }


def test_josephson_junctions_can_make_the_reference_unit() -> None:
    currents: dict[str, tuple[float, float]] = {}
    for name in ("josephson_overdamped", "josephson_flux"):
        card = load_card(name)
        assert isinstance(card, JosephsonCard)
        E_J = 24 * REFERENCE_J4 * thermal_energy(card.temperature.value) / reduced_units(card)[0] ** 4
        per_current = REDUCED_FLUX_QUANTUM / card.components.inductance.value
        currents[name] = (
            E_J / REDUCED_FLUX_QUANTUM / per_current,
            card.components.critical_current.value / per_current,
        )
    assert currents["josephson_overdamped"] == (pytest.approx(0.9099, rel=1e-3), pytest.approx(1.2154, rel=1e-3))
    assert currents["josephson_flux"] == (pytest.approx(0.7452, rel=1e-3), pytest.approx(6.2, rel=1e-3))


def test_derived_energies_are_what_their_sources_say() -> None:
    costs = {name: load_card(name).energy for name in NAMES}
    pulse_tube = (300 / 4 - 1) / (4.6e3 / 0.5)
    cooling = {name: cost.cooling_overhead.value for name, cost in costs.items() if cost.cooling_overhead}
    assert cooling.pop("josephson_flux") == pytest.approx((300 / 0.41 - 1) / pulse_tube, rel=5e-3)
    assert cooling.pop("josephson_overdamped") == 493
    assert set(cooling.values()) == {0.0}
    conversion = costs["rc_chip"].adc_conversion
    assert conversion is not None
    assert conversion.value == pytest.approx(34e-15 * 2**8, rel=5e-3)
    assert load_card("rc_board").temperature.value * BOLTZMANN == pytest.approx(2e-12, rel=1e-4)
    assert {name for name in NAMES if costs[name].static_power} == {"rc_board"}
