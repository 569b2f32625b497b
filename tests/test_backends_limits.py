# SPDX-License-Identifier: Apache-2.0
"""The ranges of the analog devices, clipping to them, and what is refused."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from si_laws import ANALOG, FOLDER, OVERDAMPED, PHI0, RINGING, Josephson, device_of, law_of, pair

from thermohw import Program, RunPlan, Topology
from thermohw.backends import JosephsonJunction, MechanicalOscillator, RCCircuit, open_device
from thermohw.backends.limits import Clipping
from thermohw.errors import CardError, DeviceLimitError

each_card = pytest.mark.parametrize("name", ANALOG)


def scale_in(error: pytest.ExceptionInfo[DeviceLimitError]) -> float:
    return float(str(error.value).split("fit when scaled by ")[1].split(";")[0])


# Ranges


@each_card
@settings(max_examples=60)
@given(
    inverse=st.one_of(st.integers(1000, 9999).map(lambda n: n * 1e-4), st.floats(1e-3, 0.999)),
    what=st.sampled_from(["coupling", "bias", "both"]),
    sign=st.sampled_from([1, -1]),
)
def test_the_scale_that_a_refusal_names_fits_and_hardly_more(name: str, inverse: float, what: str, sign: int) -> None:
    device = device_of(name)
    limits = device.limits
    share = {"coupling": (1.0, 0.0), "bias": (0.0, 1.0), "both": (1.0, 0.9)}[what]
    coupling = sign * limits.coupling_ends[1] / inverse * share[0]
    bias = sign * float(limits.bias_ends[1][0]) / inverse * share[1]
    with pytest.raises(DeviceLimitError) as error:
        device.program(pair(coupling, (0.0, bias)))
    scale = scale_in(error)
    assert scale <= inverse * (1 + 1e-9)
    device.program(pair(scale * coupling, (0.0, scale * bias)))
    with pytest.raises(DeviceLimitError):
        device.program(pair(1.001 * scale * coupling, (0.0, 1.001 * scale * bias)))


@each_card
def test_a_refusal_names_the_worst_how_many_and_the_range(name: str) -> None:
    device, law = device_of(name), law_of(name)
    J, b = device.limits.coupling_ends[1], float(device.limits.bias_ends[1][0])
    couplings = J * np.array([0.5, 3.0, -1.5, -2.5, 1.2, 0.0])
    biases = b * np.array([0.9, -1.25, 1.5, 0.0])
    program = Program(Topology.complete(4), np.array(10.0), np.array(10.0), biases, couplings)
    with pytest.raises(DeviceLimitError) as error:
        device.program(program)
    message, pairs = str(error.value), program.topology.pairs
    assert message.startswith(f"{name}: 4 of 6 couplings are outside")
    worst = [f"{couplings[k]:.4g} k_BT at the pair {tuple(pairs[k].tolist())}" for k in (1, 3, 2)]
    assert ", ".join(worst) in message and "the pair (1, 3)" not in message
    assert f"2 of 4 biases are outside {law.ranges['biases'][0]:.4g} … {law.ranges['biases'][1]:.4g}" in message
    assert f"{biases[2]:.4g} k_BT at unit 2, {biases[1]:.4g} k_BT at unit 1." in message
    assert scale_in(error) == pytest.approx(0.3333)
    assert "clip=True" in message
    with pytest.raises(DeviceLimitError, match="1 of 1 couplings") as one:
        device.program(pair(2 * J))
    assert "biases are" not in str(one.value)


@each_card
def test_ranges_in_si_units_are_those_of_the_card(name: str) -> None:
    """Components at the ends of the ranges, by hand, are the numbers that the card states; b > 0 may be φ_x < 0."""
    law, limits = law_of(name), device_of(name).limits
    ends = limits.coupling_ends, (float(limits.bias_ends[0][0]), float(limits.bias_ends[1][0]))
    for what, keys, (low, high) in zip(("couplings", "biases"), _RANGED[name.split("_")[0]], ends, strict=True):
        coupling = {"couplings": 1.0, "biases": 0.0}[what]
        found = [law.components(pair(coupling * v, ((1 - coupling) * v, 0.0)))[keys].flat[0] for v in (low, high)]
        assert sorted(found) == pytest.approx(law.ranges[what], rel=1e-9)


_RANGED = {
    "rc": ("coupling_conductance", "bias_current"),
    "mechanical": ("coupling_stiffness", "force"),
    "josephson": ("inverse_inductance", "external_phase"),
}


@pytest.mark.parametrize("name", ["josephson_flux", "josephson_overdamped"])
def test_the_bias_range_of_a_josephson_unit_follows_its_inductance(name: str) -> None:
    """The card limits φ_x, and b = −E_L φ_x x_u/k: a unit of low inductance takes a larger bias."""
    device, law = device_of(name), Josephson(name)
    J2, J4 = np.array([20.0, 2.0]), np.array([12.0, 4.0])
    stiff = 24 * J4 / law.length**4 + 2 * J2 / law.length**2
    largest = law.ranges["biases"][1] * stiff * law.length
    assert largest[0] > 2 * largest[1]
    for sign in (1, -1):
        device.program(pair(0.0, tuple(sign * 0.9999 * largest), J2, J4))
        for unit in (0, 1):
            biases = np.where(np.arange(2) == unit, 1.0001, 0.9) * sign * largest
            with pytest.raises(DeviceLimitError, match=f"1 of 2 biases .* at unit {unit}"):
                device.program(pair(0.0, tuple(biases), J2, J4))


@each_card
def test_clipping_saturates_at_the_ends_of_the_ranges_and_says_so(name: str) -> None:
    device, law = device_of(name, clip=True), law_of(name)
    J, b = device.limits.coupling_ends[1], float(device.limits.bias_ends[1][0])
    couplings, biases = J * np.array([0.5, -3.0, 1.5]), b * np.array([1.25, 0.3, -2.0])
    wanted = Program(Topology.complete(3), np.array(10.0), np.array(10.0), biases, couplings)
    device.program(wanted)
    built = device.as_built
    assert built is not None
    held = Program(wanted.topology, wanted.J2, wanted.J4, built.biases, built.couplings.toarray()[[0, 0, 1], [1, 2, 2]])
    parts = device.components(held)
    key_J, key_b = _RANGED[name.split("_")[0]]
    low, high = law.ranges["couplings"]
    assert getattr(parts, key_J)[1:] == pytest.approx([low, high], rel=1e-9)
    assert np.sort(getattr(parts, key_b)[[0, 2]]) == pytest.approx(law.ranges["biases"], rel=1e-9)
    assert held.couplings[0] == pytest.approx(couplings[0]) and held.biases[1] == pytest.approx(biases[1])
    found = device.clipping
    assert isinstance(found, Clipping)
    assert (found.couplings, found.biases) == (2, 2)
    change = np.array([0, 2.0, 0.5]) * J
    assert found.coupling_change == pytest.approx(np.sqrt(np.mean(change**2)), rel=1e-6)
    assert found.largest_coupling_change == pytest.approx(2.0 * J, rel=1e-6)
    assert found.largest_bias_change == pytest.approx(1.0 * b, rel=1e-6)
    assert found.bias_change == pytest.approx(b * np.sqrt((0.25**2 + 1) / 3), rel=1e-6)


@each_card
def test_provenance_is_that_of_the_program_that_is_held(name: str) -> None:
    device = device_of(name, clip=True)
    (low, high), (down, up) = device.limits.coupling_ends, (float(end[0]) for end in device.limits.bias_ends)
    wanted, held = pair(3 * high, (5 * up, 5 * down)), pair(high, (up, down))
    device.program(wanted)
    told = device.run(RunPlan(0.1, 2, 0.001, seed=3)).provenance
    assert told["program"] == held.digest != wanted.digest
    assert told["device"]["details"]["clip"] == "True"
    device.program(pair(0.5 * low))
    assert device.clipping == Clipping(0, 0, 0.0, 0.0, 0.0, 0.0)
    exact = device_of(name)
    exact.program(held)  # the ends themselves are inside
    assert exact.clipping is None


# Refusals


@pytest.mark.parametrize(
    ("backend", "name", "kind"),
    [
        (RCCircuit, "mechanical_cantilever", "mechanical"),
        (MechanicalOscillator, "josephson_flux", "josephson"),
        (JosephsonJunction, "rc_chip", "rc"),
        (RCCircuit, "ideal", "ideal"),
    ],
)
def test_a_card_of_another_kind_is_refused(backend: Callable[[str], object], name: str, kind: str) -> None:
    with pytest.raises(CardError, match=f"card '{name}' is of kind '{kind}'"):
        backend(name)


@each_card
def test_more_units_than_the_card_has_are_refused(name: str) -> None:
    with device_of(name) as device:
        device.program(Program.uncoupled(Topology.from_pairs(2048, 0, [])))
        with pytest.raises(DeviceLimitError, match="has 2048 units, the program needs 2049"):
            device.program(Program.uncoupled(Topology.from_pairs(2049, 0, [])))


@pytest.mark.parametrize("name", ["josephson_flux", "josephson_overdamped"])
def test_what_no_junction_and_no_inductance_builds_is_refused(name: str) -> None:
    device, law = device_of(name), Josephson(name)
    largest = law.parts["critical_current"]
    J4 = largest * law.components(pair())["critical_current"][0] ** -1 * 10  # I_c is proportional to J4
    device.program(pair(J4=np.array([10.0, 0.9999 * J4])))
    with pytest.raises(DeviceLimitError, match=rf"1 units need a critical current above .* {largest:.4g} A.* unit 1"):
        device.program(pair(J4=np.array([10.0, 1.0001 * J4])))
    lowest = -12 * 10 / law.length**2
    device.program(pair(J2=np.array([10.0, lowest * (1 - 1e-6)])))
    with pytest.raises(DeviceLimitError, match="no inductance builds unit 1: J2 = "):
        device.program(pair(J2=np.array([10.0, lowest * (1 + 1e-6)])))


@pytest.mark.parametrize("name", ["josephson_flux", "josephson_overdamped"])
def test_couplings_that_only_a_quartic_term_would_hold_are_refused(name: str) -> None:
    """A cosine is bounded: with E_L x_u²/k_BT below (n−1) |J| of n units that attract, the energy is not."""
    device, law = device_of(name), Josephson(name)
    stiffness = PHI0**2 / law.parts["inductance"] * law.length**2 / law.thermal
    units = 60
    J = -stiffness / (units - 1)
    topology = Topology.complete(units)
    for factor, fits in ((0.999, True), (1.001, False)):
        couplings = np.full(len(topology.pairs), factor * J)
        program = Program(topology, np.array(10.0), np.array(10.0), np.array(0.0), couplings)
        if fits:
            device.program(program)
        else:
            with pytest.raises(DeviceLimitError, match="positive definite"):
                device.program(program)


@pytest.mark.parametrize("name", RINGING)
def test_the_overdamped_law_is_refused_where_inertia_matters(name: str) -> None:
    inertia = law_of(name).inertia / law_of(name).time
    with pytest.raises(DeviceLimitError, match="the overdamped law does not hold") as error:
        open_device(name, overdamped=True)
    assert f"{20 * inertia:.3g} at J2 = 10, must be at most 0.02" in str(error.value)


@pytest.mark.parametrize("name", OVERDAMPED)
def test_the_overdamped_law_is_accepted_where_inertia_does_not_matter(name: str) -> None:
    device = device_of(name, overdamped=True)
    device.program(pair())
    assert device.as_built is not None and not device.as_built.inertial
    assert device.spec.mass == 0 and device.spec.details["overdamped"] == "True"
    assert device.run(RunPlan(0.1, 2, seed=1)).velocities is None


def test_the_overdamped_law_is_refused_for_stiff_programs() -> None:
    device = device_of("mechanical_overdamped", overdamped=True)
    with pytest.raises(DeviceLimitError, match=r"m\*·2 J2 is 0.05 at J2 = 50"):
        device.program(pair(J2=50.0))


@pytest.mark.parametrize("clip", [False, True])
def test_a_failed_upload_leaves_nothing_behind(clip: bool) -> None:
    device = device_of("josephson_flux", clip=clip)
    device.program(pair())
    assert device.as_built is not None
    with pytest.raises(DeviceLimitError, match="critical current"):
        device.program(pair(J4=100.0))
    assert device.as_built is None and device.clipping is None
    device.program(pair())
    device.close()
    assert device.as_built is None and device.clipping is None


@pytest.mark.parametrize("key", ["couplings", "biases"])
def test_a_range_without_zero_is_refused(key: str, tmp_path: Path) -> None:
    text = (FOLDER / "rc_board.toml").read_text(encoding="utf-8")
    low = law_of("rc_board").ranges[key][0]
    assert text.count(f"min = {low}\n") == 1
    path = tmp_path / "odd.toml"
    path.write_text(text.replace(f"min = {low}\n", f"min = {-low / 4}\n"), encoding="utf-8")
    with pytest.raises(CardError, match=f"{key}: the range .* must include zero"):
        open_device(path)
