# SPDX-License-Identifier: Apache-2.0
"""Devices on the command line: cards, generation on hardware, netlists, and ledgers of energy."""

import json
from pathlib import Path

import numpy as np
import pytest
from cli_calls import call, call_json, refused

from thermohw import Program, Samples, Topology
from thermohw.backends import open_device
from thermohw.cards import card_names, load_card
from thermohw.shipped import shipped_folder


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    generator = np.random.default_rng(1)
    topology = Topology.layered(4, 3)
    couplings = generator.normal(0, 2, len(topology.pairs))
    path = tmp_path_factory.mktemp("programs") / "small.npz"
    return Program(topology, np.array(10.0), np.array(10.0), generator.normal(0, 1, 7), couplings).save(path)


@pytest.fixture(scope="module")
def strong(tmp_path_factory: pytest.TempPathFactory) -> Path:
    couplings = np.array([50.0, -1.0, 20.0])
    path = tmp_path_factory.mktemp("programs") / "strong.npz"
    return Program(Topology.complete(3), np.array(10.0), np.array(10.0), np.zeros(3), couplings).save(path)


def test_devices_are_listed_and_shown() -> None:
    told = call_json("devices")
    assert set(told) == set(card_names())
    assert told["rc_chip"]["derived"]["length"]["value"] == pytest.approx(287.8e-6, rel=1e-3)
    for name in card_names():
        listed, shown = call("devices"), call("devices", "show", name)
        assert name in listed.stdout
        assert shown.exit_code == 0, shown.output
        assert load_card(name).regime[:30] in " ".join(shown.stdout.split())
        one = call_json("devices", "show", name)
        assert one["card"]["name"] == name
        assert all(np.isfinite(fact["value"]) for fact in one["derived"].values())


def test_what_follows_from_a_card_is_right() -> None:
    """Numbers of the starting points, worked out by hand from their components."""
    told = call_json("devices")
    derived = {name: {key: fact["value"] for key, fact in card["derived"].items()} for name, card in told.items()}
    board, chip = derived["rc_board"], derived["rc_chip"]
    assert board["length"] == pytest.approx(0.2, rel=1e-4)
    assert board["thermal_energy"] == pytest.approx(2e-12, rel=1e-4)
    assert board["time"] == chip["time"] == pytest.approx(1e-6)
    assert board["sample_time"] == pytest.approx(2.5e-6)
    soft = derived["mechanical_overdamped"]
    assert soft["length"] == pytest.approx(4.070e-9, rel=1e-3)
    assert soft["time"] == pytest.approx(25.06e-3, rel=1e-3)
    assert soft["quality_factor"] == pytest.approx(0.1)
    junction = derived["josephson_overdamped"]
    assert junction["length"] == pytest.approx(1.0901, rel=1e-4)
    assert junction["time"] == pytest.approx(2.220e-9, rel=1e-3)
    assert derived["mechanical_cantilever"]["quality_factor"] == pytest.approx(7.0)
    assert derived["josephson_flux"]["bare_quality_factor"] == pytest.approx(742, abs=1)
    assert "does not hold" in told["josephson_flux"]["overdamped"]
    assert "does not hold" in told["mechanical_cantilever"]["overdamped"]
    assert "holds" in told["josephson_overdamped"]["overdamped"]
    for card in derived.values():
        assert card["largest_stable_step"] >= 2 / (card["stiffest_rate"] + 1e-9)
        if "coupling_max" in card:
            assert card["coupling_step"] == pytest.approx((card["coupling_max"] - card["coupling_min"]) / 255)


def test_a_card_of_ones_own_is_a_device(program: Path, tmp_path: Path) -> None:
    card = tmp_path / "mine.toml"
    shipped = (shipped_folder("devices") / "rc_chip.toml").read_text()
    card.write_text(shipped.replace('name = "rc_chip"', 'name = "mine"'))
    told = call_json("generate", program, "--device", card, "--samples", 5, "--seed", 2, "--out", tmp_path / "s.npz")
    assert told["provenance"]["device"]["name"] == "mine"
    physical = Samples.load(tmp_path / "s.npz").physical()
    assert physical.scale.unit == "V"
    assert np.abs(physical.states).max() < 1e-3
    assert told["seconds_a_sample"] == pytest.approx(2.5e-6)
    assert told["heat_joules"] == pytest.approx(told["heat_kT"]["mean"] * physical.scale.energy)
    card.write_text(shipped.replace("1e-12", "-1e-12"))
    refused(("devices", "show", card), "mine.toml", "components.capacitance", "positive")


def test_generate_runs_on_every_card(program: Path, tmp_path: Path) -> None:
    for name in card_names():
        file = tmp_path / f"{name}.npz"
        text = call("generate", program, "--device", name, "--samples", 4, "--duration", 0.1, "--out", file)
        assert text.exit_code == 0, text.output
        assert Samples.load(file).provenance["device"]["name"] == name


def test_a_program_beyond_the_ranges_is_refused_or_clipped(strong: Path, tmp_path: Path) -> None:
    to = ("--out", tmp_path / "s.npz", "--samples", 3)
    refused(("generate", strong, "--device", "rc_chip", *to), "2 of 3 couplings", "(0, 1)", "scaled by 0.32", "--clip")
    assert not (tmp_path / "s.npz").exists()
    told = call_json("generate", strong, "--device", "rc_chip", "--clip", *to)
    assert told["clipping"]["couplings"] == 2
    assert told["clipping"]["largest_coupling_change"] == pytest.approx(34, rel=1e-2)
    assert "clipped: 2 couplings" in call("generate", strong, "--device", "rc_chip", "--clip", *to).stdout


def test_what_a_device_cannot_do_is_refused(program: Path, tmp_path: Path) -> None:
    to = ("--out", tmp_path / "s.npz", "--samples", 3)
    refused(("generate", program, "--device", "rc_chip", "--mobility", 2, *to), "mobility", "rc_chip")
    refused(("generate", program, "--device", "josephson_flux", "--overdamped", *to), "overdamped law does not hold")
    refused(("generate", program, "--device", "rc_clip", *to), "rc_clip", "rc_chip")
    refused(("generate", program, "--device", "no.toml", *to), "no.toml")
    refused(("export", program, "--format", "spice,vhdl", "--out", tmp_path), "vhdl", "spice")
    refused(("export", program, "--format", "spice", "--device", "ideal", "--out", tmp_path), "ideal", "rc_board")
    refused(("export", program, "--format", "json", "--device", "rc_chip", "--out", tmp_path), "--device", "spice")
    refused(("export", program, "--format", "spice,json", "--method", "bad", "--out", tmp_path), "unknown method")
    refused(("energy", program, "--from", program, "--device", "rc_chip"), "--from", "--device")
    inertial = ("--device", "mechanical_cantilever", "--integrator", "euler-maruyama")
    refused(("generate", program, *inertial, *to), "inertia", "BAOAB")
    refused(("energy", program, "--device", "rc_chip,abacus", "--out", tmp_path), "abacus")
    assert list(tmp_path.iterdir()) == []


def test_export_writes_a_netlist(program: Path, tmp_path: Path) -> None:
    told = call_json("export", program, "--format", "spice,json", "--device", "rc_chip", "--seed", 4, "--out", tmp_path)
    table, netlist = (Path(file) for file in told["files"])
    assert (netlist.name, table.suffix) == ("small-rc_chip.cir", ".json")
    text = netlist.read_text()
    assert f"* program: {Program.load(program).digest}" in text
    assert text.count("TRRANDOM") == 7
    assert "\nsetseed 4\n" in text
    assert text.count("\nG") == 2 * len(Program.load(program).couplings)


def test_energy_compares_devices(program: Path, tmp_path: Path) -> None:
    arguments = ("energy", program, "--device", "all", "--samples", 8, "--duration", 0.2, "--seed", 1, "--dt", 0.002)
    told = call_json(*arguments, "--out", tmp_path)
    assert [each["device"] for each in told["devices"]] == list(card_names())
    assert json.loads((tmp_path / "energy.json").read_text())["devices"] == told["devices"]
    assert {path.stem for path in tmp_path.glob("*.png")} == {"ledgers", "break_even"}
    chip = next(each for each in told["devices"] if each["device"] == "rc_chip")
    card, held = load_card("rc_chip"), Program.load(program)
    written = len(held.couplings) + 3 * 7
    assert card.energy.dac_write is not None and card.energy.adc_conversion is not None
    assert chip["rows"]["programming"]["joules"] == pytest.approx(written * card.energy.dac_write.value / 1000)
    assert chip["rows"]["readout"]["joules"] == pytest.approx(4 * card.energy.adc_conversion.value)
    assert chip["rows"]["static"]["known"] is False
    with open_device("rc_chip") as device:
        assert chip["thermal_energy"] == pytest.approx(device.spec.scale.energy if device.spec.scale else 0)
    shown = call(*arguments, "--per-programming", 10, "--out", tmp_path).stdout
    for word in ("rc_chip", "unknown", "programming spread over 10 samples", "Advantage"):
        assert word in shown


def test_energy_of_samples_is_that_of_their_device(program: Path, tmp_path: Path) -> None:
    """Heat in k_BT of a board with injected noise is 5e8 times that of a chip, in joules."""
    gains: dict[str, float] = {}
    for name in ("rc_board", "rc_chip"):
        file = tmp_path / f"{name}.npz"
        call_json("generate", program, "--device", name, "--samples", 20, "--seed", 1, "--out", file)
        told = call_json("energy", program, "--from", file)
        assert told["heat_kT"]["mean"] == pytest.approx(Samples.load(file).heat.mean())
        gains[name] = told["advantage"]["ratio"]
    assert gains["rc_chip"] / gains["rc_board"] == pytest.approx(2e-12 / 4.142e-21, rel=1e-3)
    assert "of the device's own" in call("energy", program, "--from", tmp_path / "rc_board.npz").stdout


def test_energy_leaves_out_devices_that_cannot_hold_the_program(strong: Path, tmp_path: Path) -> None:
    arguments = ("energy", strong, "--device", "ideal,rc_chip", "--samples", 4, "--duration", 0.1, "--out", tmp_path)
    told = call_json(*arguments)
    assert [each["device"] for each in told["devices"]] == ["ideal"]
    assert "outside" in told["refused"]["rc_chip"]
    refused(("energy", strong, "--device", "rc_chip", "--samples", 4, "--out", tmp_path), "outside", "rc_chip")
    clipped = call_json(*arguments, "--clip")
    assert [each["device"] for each in clipped["devices"]] == ["ideal", "rc_chip"]
    assert clipped["clipping"]["rc_chip"]["couplings"] == 2


def test_the_digital_simulation_of_a_linear_computer_takes_steps(tmp_path: Path) -> None:
    topology = Topology.complete(3)
    linear = Program(topology, np.array(10.0), np.array(0.0), np.zeros(3), np.full(3, 2.0))
    file = linear.save(tmp_path / "linear.npz")
    told = call_json("energy", file, "--device", "rc_chip", "--samples", 4, "--out", tmp_path / "energy")
    assert told["workload"]["steps"] > 100
