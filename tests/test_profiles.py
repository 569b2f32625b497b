# SPDX-License-Identifier: Apache-2.0
"""Reading profiles of imperfections: a bad one ends in one error that names file, effect and key."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermohw.errors import CardError, StorageError
from thermohw.nonideal import EFFECTS, load_profile, profile_names
from thermohw.shipped import shipped_folder

HEADER = 'schema = "thermohw-effects/1"\nname = "mine"\ndescription = "a board"\n'


def written(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text, encoding="utf-8")
    return path


def toml(value: object) -> str:
    """Write a scalar as TOML does; JSON's strings are TOML's too."""
    return json.dumps(value) if isinstance(value, str | bool) else repr(value)


@pytest.mark.parametrize("name", profile_names())
def test_effects_written_out_come_back(tmp_path: Path, name: str) -> None:
    profile = load_profile(name)
    tables = [
        f"[{effect.name()}]\n" + "".join(f"{key} = {toml(value)}\n" for key, value in effect if value is not None)
        for effect in reversed(profile.effects)
    ]
    assert load_profile(written(tmp_path, HEADER + "".join(tables))).effects == profile.effects


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
        (HEADER + "[[coupling_mismatch]]\nstd = 0.1\n", "coupling_mismatch: must be a table with the keys"),
        (HEADER + "[coupling_mismatch]\nstd = true\n", "coupling_mismatch.std: Input should be a valid number"),
        (HEADER + f"[coupling_mismatch]\nstd = {'9' * 400}\n", "coupling_mismatch.std: "),
        (HEADER + "[coupling_mismatch]\nstd = 0.1\nstatus = 'guessed'\n", "coupling_mismatch.status: Input should be"),
        (HEADER + "[coupling_mismatch]\nstd = -1\nadditive_std = -1\n", "greater than or equal to 0 (and 1 more)"),
        (HEADER + "[quantization]\ncoupling_bits = 8.0\n", "quantization.coupling_bits: Input should be a valid int"),
        (HEADER + "[stuck_couplings]\nstuck_at = 'middle'\n", "stuck_couplings.stuck_at: Input should be 'zero'"),
        (HEADER + "[stuck_couplings]\nstuck_prob = 1.1\n", "stuck_couplings.stuck_prob: Input should be less"),
        (HEADER + '["a\\nb"]\nstd = 0.1\n', r"unknown effect 'a\nb'; there are: "),
        (HEADER + "colour = 3\n", "colour: unknown key; keys here are: schema, name, description"),
        (HEADER.replace('"mine"', "3"), "name: Input should be a valid string"),
        (HEADER.replace('"mine"', '""'), "name: String should have at least 1 character"),
        (HEADER.replace('description = "a board"\n', ""), "description: is missing; needed are: schema, name, desc"),
        (HEADER + "[readout_noise]\nstd = 0.1\n" * 2, "not TOML: "),
        (HEADER + "#" * 2**16, "more than the 65536"),
        (HEADER + "#" * 5000, "line 4 has 5000 characters"),
        ("", "schema: is missing"),
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
    os.mkfifo(tmp_path / "pipe.toml")
    for name in ("folder", "pipe"):
        with pytest.raises(CardError, match=r"not a file; a profile of effects is a TOML file$"):
            load_profile(tmp_path / f"{name}.toml")
    with pytest.raises(StorageError, match="File name too long"):
        load_profile(f"{'a' * 300}.toml")


@given(data=st.data(), name=st.sampled_from(profile_names()))
@settings(max_examples=200)
def test_no_damage_does_harm(tmp_path_factory: pytest.TempPathFactory, data: st.DataObject, name: str) -> None:
    text = (shipped_folder("devices") / "profiles" / f"{name}.toml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 40)))
    patch = data.draw(st.binary(max_size=8) | st.sampled_from([b"=", b"\n", b"[", b"-", b"e999", b"9" * 400, b'"']))
    path = tmp_path_factory.mktemp("profiles") / "any.toml"
    path.write_bytes(text[:start] + patch + text[stop:])
    try:
        effects = load_profile(path).effects
    except CardError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert {effect.name() for effect in effects} <= set(EFFECTS)


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
