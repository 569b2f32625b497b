# SPDX-License-Identifier: Apache-2.0
"""The shipped profiles: each effect has its source, numbers follow from what it says, each device can have them."""

import math
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from thermohw import backends
from thermohw.backends.analog import AnalogDevice
from thermohw.backends.josephson import JosephsonJunction
from thermohw.backends.rc_circuit import RCCircuit
from thermohw.cards import card_names
from thermohw.langevin.schedule import BiasSchedule
from thermohw.nonideal import EFFECTS, Effect, NonidealDevice, ReadoutQuantization, load_profile, profile_names
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.shipped import shipped_folder
from thermohw.topology import Topology

GENERAL = {"ideal", "typical", "pessimistic"}
ANALOG = sorted(set(card_names()) - {"ideal"})


def effects_of(profile: str) -> dict[str, Effect]:
    return {effect.name(): effect for effect in load_profile(profile).effects}


def device_of(name: str) -> AnalogDevice[Any, Any]:
    device = backends.open_device(name)
    assert isinstance(device, AnalogDevice)
    return cast(AnalogDevice[Any, Any], device)


def test_every_analog_card_has_a_profile() -> None:
    assert set(profile_names()) == {*ANALOG, *GENERAL}
    assert load_profile("ideal").effects == ()
    assert len(load_profile("pessimistic").effects) > len(load_profile("typical").effects) > 5


@pytest.mark.parametrize("name", profile_names())
def test_a_shipped_profile_states_source_and_status_of_each_effect(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert (f"card {name}:" in profile.description) == (name in ANALOG)
    text = (shipped_folder("devices") / "profiles" / f"{name}.toml").read_text(encoding="utf-8")
    assert len(re.findall("^status = ", text, re.MULTILINE)) == len(profile.effects)
    for effect in profile.effects:
        assert effect.active and len(effect.source) > 20
        assert effect.status == "assumed"  # nobody has built one of these devices


@pytest.mark.parametrize("name", profile_names())
def test_a_device_can_have_its_profile(name: str) -> None:
    program = Program.uncoupled(Topology.layered(30, 20), 10, 10).with_biases(np.linspace(-4, 4, 50))
    plan = RunPlan(0.1, 4, seed=1, bias_schedule=BiasSchedule(np.array([0, 0.1]), np.zeros((2, 50))))
    with backends.open_device(name if name in ANALOG else "ideal") as ideal:
        ideal.program(program)
        bare = ideal.run(plan)
    with NonidealDevice(
        backends.open_device(name if name in ANALOG else "ideal"), load_profile(name).effects, 1
    ) as bad:
        bad.program(program)
        samples = bad.run(plan)
    assert np.isfinite(samples.states).all() and np.isfinite(samples.heat).all()
    assert np.array_equal(samples.states, bare.states) == (name == "ideal")


@pytest.mark.parametrize("name", sorted(GENERAL))
@pytest.mark.parametrize("card", ANALOG)
def test_the_general_profiles_go_with_every_card(name: str, card: str) -> None:
    with NonidealDevice(backends.open_device(card), load_profile(name).effects, 2) as device:
        device.program(Program.uncoupled(Topology.layered(3, 2), 10, 10))
        assert np.isfinite(device.run(RunPlan(0.05, 2, seed=1)).states).all()


def test_pessimistic_is_nowhere_better_than_typical() -> None:
    typical, poor = effects_of("typical"), effects_of("pessimistic")
    assert set(typical) < set(poor)
    for name, effect in typical.items():
        fields = effect.model_dump(exclude={"source", "status", "method", "span", "proportional"})
        worse = poor[name].model_dump()
        for field, value in fields.items():
            if isinstance(value, float | int) and field.endswith("bits"):
                assert worse[field] < value, (name, field)
            elif isinstance(value, float | int):
                assert worse[field] >= value, (name, field)


# Numbers from what their sources say, with the scales of the card

Conversion = Callable[[AnalogDevice[Any, Any], float], float]


def in_length(device: AnalogDevice[Any, Any], value: float) -> float:
    return value / device.scale.length


def in_time(device: AnalogDevice[Any, Any], value: float) -> float:
    return value / device.scale.time


def as_bias(device: AnalogDevice[Any, Any], value: float) -> float:
    one = device.card.biases.max / float(device.limits.bias_ends[1][0])
    return value / one


def as_ratio(device: AnalogDevice[Any, Any], value: float) -> float:
    return value


def in_frequency(device: AnalogDevice[Any, Any], value: float) -> float:
    return value * device.scale.time


FLUX = 4e-4 * math.tau  # 4e-4 flux quanta, rad


@pytest.mark.parametrize(
    ("name", "effect", "field", "value", "convert", "told"),
    [
        ("rc_board", "coupling_mismatch", "std", 0.01 / math.sqrt(2), as_ratio, "1 %/√2"),
        ("rc_board", "nonreciprocal_couplings", "std", 0.01 / math.sqrt(2), as_ratio, "1 %/√2"),
        ("rc_board", "bias_offset", "std", 1e-3 * 0.02, as_bias, "1 mV over g1 = 20 mS"),
        ("rc_board", "temperature_offset", "std", math.hypot(0.02, 0.01), as_ratio, "√(2² + 1²) %"),
        ("rc_board", "coloured_noise", "correlation_time", 1 / (math.tau * 30e6), in_time, "30 MHz"),
        ("rc_board", "readout_bandwidth", "time_constant", 1 / (math.tau * 30e6), in_time, "30 MHz"),
        ("rc_board", "bias_settling", "settling_time", 1e-6 / math.log(2**9), in_time, "1 µs/ln 2⁹"),
        ("rc_board", "readout_noise", "std", 1e-3, in_length, "1 mV"),
        ("rc_board", "gain_offset", "offset_std", 1e-3, in_length, "1 mV"),
        ("rc_chip", "coupling_mismatch", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("rc_chip", "nonreciprocal_couplings", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("rc_chip", "bias_offset", "std", 5e-6 * 2e-5, as_bias, "5 µV over g1 = 20 µS"),
        ("rc_chip", "temperature_gradient", "span", 6 / 300, as_ratio, "6 K"),
        ("rc_chip", "excess_noise", "corner_frequency", 300e3, in_frequency, "300 kHz"),
        ("rc_chip", "gain_offset", "offset_std", 5e-6, in_length, "5 µV"),
        ("rc_chip", "readout_noise", "std", 30e-6, in_length, "30 µV"),
        ("mechanical_overdamped", "coupling_mismatch", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("mechanical_overdamped", "nonreciprocal_couplings", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("mechanical_overdamped", "readout_noise", "std", 40e-12, in_length, "40 pm"),
        ("mechanical_cantilever", "coupling_mismatch", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("mechanical_cantilever", "nonreciprocal_couplings", "std", 0.07 / math.sqrt(2), as_ratio, "7 %/√2"),
        ("mechanical_cantilever", "readout_noise", "std", 45e-12, in_length, "45 pm"),
        ("josephson_overdamped", "bias_offset", "std", FLUX, as_bias, "4e-4 flux quanta"),
        ("josephson_flux", "bias_offset", "std", FLUX, as_bias, "4e-4 flux quanta"),
    ],
)  # fmt: skip
def test_numbers_are_what_their_sources_say(
    name: str, effect: str, field: str, value: float, convert: Conversion, told: str
) -> None:
    found = effects_of(name)[effect]
    assert told in found.source
    reduced = convert(device_of(name), value)
    assert getattr(found, field) == pytest.approx(reduced, rel=0.05)  # stated to two figures


@pytest.mark.parametrize("name", ANALOG)
def test_converters_are_those_of_the_card(name: str) -> None:
    device, effects = device_of(name), effects_of(name)
    card = device.card
    written, read = effects["quantization"].model_dump(), effects["readout_quantization"]
    assert (written["coupling_bits"], written["bias_bits"]) == (card.couplings.bits, card.biases.bits)
    assert isinstance(read, ReadoutQuantization)
    assert read.bits == card.readout.bits
    assert read.span == pytest.approx(in_length(device, card.readout.max), rel=2e-3)


@pytest.mark.parametrize("name", ["josephson_overdamped", "josephson_flux"])
def test_j2_of_a_junction_is_a_small_difference(name: str) -> None:
    device, topology = device_of(name), Topology.complete(1)
    assert isinstance(device, JosephsonJunction)
    parts = device.components(Program.uncoupled(topology, 10, 10))
    off = device.program_of(replace(parts, critical_current=1.005 * parts.critical_current), topology)
    found = effects_of(name)["onsite_mismatch"]
    assert "to 0.5 %" in found.source
    assert found.model_dump()["J2_std"] == pytest.approx(1 - float(off.J2[0]) / 10, rel=0.05)


def test_a_larger_capacitor_cools_a_node() -> None:
    device, topology = device_of("rc_board"), Topology.complete(1)
    assert isinstance(device, RCCircuit)
    parts = device.components(Program.uncoupled(topology, 10, 10))
    off = device.program_of(replace(parts, capacitance=1.01 * parts.capacitance), topology)
    assert off.J2[0] == pytest.approx(10.1)  # in its kT: ⟨V²⟩ goes as 1/C, and not as 1/C² or 1
    assert effects_of("rc_board")["mobility_mismatch"].model_dump()["std"] == 0.01


# Documentation


def test_docs_list_every_effect_with_its_defaults() -> None:
    text = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.*) \|$", text.partition("effects/1")[2].partition("\n## ")[0], re.MULTILINE)
    defaults: dict[str, str] = {}
    for name, kind in EFFECTS.items():
        fields = {key: field for key, field in kind.model_fields.items() if key not in ("source", "status")}
        told = [f"`{key}` {'none' if field.default is None else field.default}" for key, field in fields.items()]
        defaults[name] = ", ".join(told)
    assert dict(rows) == defaults
    assert [name for name, _ in rows] == list(EFFECTS)
