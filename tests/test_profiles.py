# SPDX-License-Identifier: Apache-2.0
"""Profiles of imperfections: those that ship, and what is said of bad ones."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw import backends
from thermohw.cards import card_names, load_card
from thermohw.errors import CardError, StorageError
from thermohw.nonideal import EFFECTS, NonidealDevice, load_profile, profile_names
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.topology import Topology

HEADER = 'schema = "thermohw-effects/1"\nname = "mine"\ndescription = "a board"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("name", profile_names())
def test_shipped_profiles_name_their_sources(name: str) -> None:
    profile = load_profile(name)
    assert profile.name == name
    assert all(effect.active and len(effect.source) > 20 for effect in profile.effects)


def test_every_analog_card_has_a_profile() -> None:
    analog = {name for name in card_names() if load_card(name).kind != "ideal"}
    assert set(profile_names()) == analog | {"ideal", "typical", "pessimistic"}
    assert load_profile("ideal").effects == ()
    assert len(load_profile("pessimistic").effects) > len(load_profile("typical").effects) > 5


@pytest.mark.parametrize("name", profile_names())
def test_a_device_can_have_its_profile(name: str) -> None:
    card = name if name in card_names() else "ideal"
    program = Program.uncoupled(Topology.layered(3, 2))
    with NonidealDevice(backends.open_device(card), load_profile(name).effects, device_seed=1) as device:
        device.program(program)
        samples = device.run(RunPlan(0.1, 4, seed=1))
    assert np.isfinite(samples.states).all()


def test_effects_come_in_the_order_of_the_signal_chain(tmp_path: Path) -> None:
    text = HEADER + "[readout_noise]\nstd = 0.1\n[coupling_mismatch]\nstd = 0.1\nstatus = 'measured'\n"
    effects = load_profile(written(tmp_path, text)).effects
    assert [effect.name() for effect in effects] == ["coupling_mismatch", "readout_noise"]
    assert effects[0].status == "measured"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (HEADER + "[warp_drive]\nstd = 0.1\n", "unknown effect 'warp_drive'; there are: quantization"),
        (HEADER + "[coupling_mismatch]\nstd = -0.1\n", "coupling_mismatch.std"),
        (HEADER + "[coupling_mismatch]\nstd = nan\n", "coupling_mismatch.std"),
        (HEADER + "[coupling_mismatch]\nstd = inf\n", "coupling_mismatch.std"),
        (HEADER + "[coupling_mismatch]\nstd = '0.1'\n", "coupling_mismatch.std"),
        (HEADER + "[coupling_mismatch]\nwidth = 0.1\n", "keys here are: source, status, std, additive_std"),
        (HEADER + "[excess_noise]\nlowest_frequency = 20.0\n", "must be below highest_frequency"),
        ("coupling_mismatch = 3\n" + HEADER, "must be a table with the keys"),
        (HEADER + "colour = 3\n", "unknown key"),
        (HEADER.replace("effects/1", "effects/2"), "schema"),
        ("[coupling_mismatch]\nstd = 0.1\n", "schema: is missing"),
        (HEADER + "[coupling_mismatch\n", "not TOML"),
    ],
)
def test_a_bad_profile_is_told_in_one_line(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    with pytest.raises(CardError) as caught:
        load_profile(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and told in message and "\n" not in message


def test_unknown_names_and_missing_files(tmp_path: Path) -> None:
    with pytest.raises(CardError, match=r"unknown profile 'great'.*typical"):
        load_profile("great")
    with pytest.raises(StorageError):
        load_profile(tmp_path / "absent.toml")
    (tmp_path / "folder.toml").mkdir()
    with pytest.raises(CardError, match="not a file"):
        load_profile(tmp_path / "folder.toml")


@given(st.binary(max_size=200))
def test_no_bytes_do_harm(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    path = tmp_path_factory.mktemp("profiles") / "any.toml"
    path.write_bytes(data)
    with pytest.raises(CardError):
        load_profile(path)


@given(st.sampled_from(sorted(EFFECTS)), st.text(max_size=30))
def test_no_value_does_harm(tmp_path_factory: pytest.TempPathFactory, effect: str, value: str) -> None:
    path = tmp_path_factory.mktemp("profiles") / "any.toml"
    path.write_text(HEADER + f"[{effect}]\nstd = {value}\n", encoding="utf-8", errors="replace")
    try:
        assert len(load_profile(path).effects) <= 1
    except CardError as error:
        assert str(path) in str(error)
