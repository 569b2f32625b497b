# SPDX-License-Identifier: Apache-2.0
"""Reading device cards: a bad one ends in one error that names file, key, and what would be right."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError

from thermohw.cards import (
    IdealCard,
    JosephsonCard,
    MechanicalCard,
    Range,
    RCCard,
    card_names,
    load_card,
)
from thermohw.errors import CardError, StorageError
from thermohw.shipped import shipped_folder

CHIP = (shipped_folder("devices") / "rc_chip.toml").read_text(encoding="utf-8")
NAMES = card_names()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cards")


def write(folder: Path, content: str | bytes) -> Path:
    path = folder / "x.toml"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def edited(old: str, new: str, after: str = "") -> str:
    """Get the card of the RC chip with the first `old` behind `after` replaced."""
    head, tail = CHIP[: CHIP.index(after)], CHIP[CHIP.index(after) :]
    assert old in tail
    return head + tail.replace(old, new, 1)


def refusal(path: Path) -> str:
    with pytest.raises(CardError) as caught:
        load_card(path)
    message = str(caught.value)
    assert message.startswith(f"{path}: ")
    assert "\n" not in message
    return message.removeprefix(f"{path}: ")


# Bad cards


@pytest.mark.parametrize(
    ("old", "new", "after", "message"),
    [
        ('unit = "F"', 'unit = "V"', "[components.cap", "components.capacitance: unit is 'V', must be 'F'"),
        ('unit = "F"', 'unit = "pF"', "[components.cap", "components.capacitance: unit is 'pF', must be 'F'"),
        ('unit = "A"', 'unit = "V"', "[biases]", "biases: unit is 'V', must be 'A'"),
        ("value = 1e-12", "value = -1e-12", "", "components.capacitance: value is -1e-12, must be positive"),
        ("value = 1e-12", "value = 0", "", "components.capacitance: value is 0, must be positive"),
        ("value = 1e-12", "value = nan", "", "components.capacitance.value: Input should be a finite number"),
        ("value = 1e-12", "value = 1e999", "", "components.capacitance.value: Input should be a finite number"),
        ("value = 1e-12", 'value = "1"', "", "components.capacitance.value: Input should be a valid number"),
        ("value = 1e-12", "value = true", "", "components.capacitance.value: Input should be a valid number"),
        ("value = 0.0", "value = -1", "", "energy.cooling_overhead: value is -1, must be zero or positive"),
        ("value = 2048", "value = 20.5", "", "n_units: value is 20.5, must be a whole number"),
        ("source =", "sauce =", "[n_units]", "n_units.source: is missing; needed are: value, unit, source, status"),
        ("sour", "colour = 1\nsour", "[n_units]", "n_units.colour: unknown key; keys here are: value, unit, source"),
        ("[couplings]", "[coupling]", "", "couplings: is missing; needed are: schema, name, kind, description, regime"),
        ("name", "colour = 1\nname", "", "colour: unknown key; keys here are: schema, name, kind, description"),
        ("bits = 8", "bits = 33", "", "couplings.bits: Input should be less than or equal to 32"),
        ("bits = 8", "bits = 8.0", "", "couplings.bits: Input should be a valid integer"),
        ("min = -", "min = ", "[couplings]", "couplings: min is 1.6e-05 and max is 1.6e-05: min must be below max"),
        ("max = ", "max = -", "[readout]", "readout: min is -0.0012 and max is -0.0012: min must be below max"),
        ('"assumed"', '"guessed"', "", "temperature.status: Input should be 'measured', 'fitted', 'datasheet' or 'ass"),
        ("card/1", "card/2", "", "schema: Input should be 'thermohw-card/1'"),
        ('kind = "rc"', 'kind = "lc"', "", "kind: is 'lc', must be one of: ideal, josephson, mechanical, rc"),
        ('kind = "rc"', "kind = [1]", "", "kind: is [1], must be one of: ideal, josephson, mechanical, rc"),
        ('kind = "rc"', "", "", "kind: is missing, must be one of: ideal, josephson, mechanical, rc"),
        ("[energy.dac_write]", "[energy.dac]", "", "energy.dac: unknown key; keys here are: static_power, dac_write"),
        ("[energy.dac_write]", "[energy.dac_write.x]", "", "energy.dac_write.value: is missing; needed are: value"),
        ('kind = "rc"', 'kind "rc"', "", "not TOML: "),
        ("value = 1e-12", f"value = {'9' * 4000}", "", "components.capacitance.value: "),
        ("value = 1e-12", f"value = {'[' * 3000}", "", "not TOML: "),
    ],
)
def test_a_bad_card_is_refused_by_key(folder: Path, old: str, new: str, after: str, message: str) -> None:
    assert refusal(write(folder, edited(old, new, after))).startswith(message)


def test_a_quantity_must_be_a_table(folder: Path) -> None:
    text = re.sub(r"\[n_units\].*?\n\n", "", CHIP, flags=re.DOTALL).replace("name", "n_units = 2048\nname", 1)
    assert refusal(write(folder, text)) == "n_units: must be a table with the keys: value, unit, source, status"


def test_further_faults_are_counted(folder: Path) -> None:
    message = refusal(write(folder, CHIP.replace('unit = "S"', 'unit = "1/ohm"')))
    assert message == "couplings: unit is '1/ohm', must be 'S' (and 2 more)"


def test_blank_texts_are_refused(folder: Path) -> None:
    blank = re.sub("source = .*", 'source = " "', CHIP)
    assert refusal(write(folder, blank)).startswith("temperature: source is blank, must say")
    assert "regime: String should have at least 1" in refusal(
        write(folder, re.sub("regime = .*", 'regime = " "', CHIP))
    )


def test_an_ideal_card_takes_no_components(folder: Path) -> None:
    assert refusal(write(folder, edited('"rc"', '"ideal"'))).startswith(
        "n_units: must be left out of a card of this kind"
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (CHIP.encode() + b"#" * 2**16, "more than the 65536"),
        (b"", "kind: is missing"),
        (b"\0", "not TOML"),
        (b"\na" + b".a" * 30000 + b" = 1", "line 2 has 60005 characters"),
        ((b"a" + b".a" * 2000 + b" = 1\n") * 16, "not TOML"),
        (b"".join(b"b%d" % number + b".a" * 2000 + b" = 1\n" for number in range(16)), "kind: is missing"),
    ],
)
def test_a_file_that_is_no_card_is_refused(folder: Path, content: bytes, message: str) -> None:
    assert message in refusal(write(folder, content))


def test_what_is_no_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "folder.toml").mkdir()
    assert refusal(tmp_path / "folder.toml") == "not a file; a card is a TOML file"
    os.mkfifo(tmp_path / "pipe.toml")
    assert refusal(tmp_path / "pipe.toml") == "not a file; a card is a TOML file"
    with pytest.raises(StorageError, match=r"cannot read .*none\.toml: No such file"):
        load_card(tmp_path / "none.toml")
    with pytest.raises(StorageError, match="File name too long"):
        load_card(f"{'a' * 300}.toml")


@pytest.mark.parametrize("name", ["rc_chop", "", "../devices/rc_chip", "README.md", "RC_CHIP"])
def test_an_unknown_name_lists_the_known_ones(name: str) -> None:
    with pytest.raises(CardError, match=f"^unknown device card '{name}'; give a path .* one of: {', '.join(NAMES)}$"):
        load_card(name)


# Any damage


def assert_card_or_card_error(path: Path) -> None:
    try:
        card = load_card(path)
    except CardError as error:
        assert str(error).startswith(f"{path}: ")
    else:
        assert isinstance(card, RCCard | MechanicalCard | JosephsonCard | IdealCard)


@given(content=st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
@settings(max_examples=200)
def test_arbitrary_bytes_end_in_a_card_or_a_card_error(folder: Path, content: bytes) -> None:
    assert_card_or_card_error(write(folder, content))


@given(data=st.data(), name=st.sampled_from(NAMES))
@settings(max_examples=300)
def test_arbitrary_damage_ends_in_a_card_or_a_card_error(folder: Path, data: st.DataObject, name: str) -> None:
    text = (shipped_folder("devices") / f"{name}.toml").read_bytes()
    start = data.draw(st.integers(0, len(text)))
    stop = data.draw(st.integers(start, min(len(text), start + 40)))
    patch = data.draw(st.binary(max_size=8) | st.sampled_from([b"=", b"\n", b"[", b"-", b"e999", b"9" * 400, b'"']))
    assert_card_or_card_error(write(folder, text[:start] + patch + text[stop:]))


toml_values = st.recursive(
    st.sampled_from(["1", "-1.5", "nan", "-inf", "true", '"K"', '""', "1979-05-27", "07:32:00", "[]", "9" * 400]),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]") | inner.map("{{ value = {} }}".format)
    ),
    max_leaves=4,
)


@given(data=st.data(), value=toml_values)
@settings(max_examples=200)
def test_any_value_of_any_key_ends_in_a_card_or_a_card_error(folder: Path, data: st.DataObject, value: str) -> None:
    lines = CHIP.splitlines()
    line = data.draw(st.sampled_from([number for number, text in enumerate(lines) if " = " in text and text[0] != "#"]))
    lines[line] = f"{lines[line].split(' = ')[0]} = {value}"
    assert_card_or_card_error(write(folder, "\n".join(lines)))


# Ranges


def interval(**fields: Any) -> Range:
    return Range.model_validate({"min": -1.0, "max": 1.0, "unit": "V", "source": "test", "status": "assumed", **fields})


def test_the_step_of_a_range() -> None:
    assert interval().step is None
    assert interval(bits=1).step == 2
    eight = interval(bits=8)
    assert eight.step == 2 / 255
    assert eight.min + 255 * 2 / 255 == eight.max


@pytest.mark.parametrize("fields", [{"max": -1.0}, {"max": -2.0}, {"min": -1e308, "max": 1e308}, {"bits": 0}])
def test_an_impossible_range_is_refused(fields: dict[str, float]) -> None:
    with pytest.raises(ValidationError):
        interval(**fields)


def test_cards_are_frozen() -> None:
    card: BaseModel = load_card("rc_chip")
    with pytest.raises(ValidationError, match="frozen"):
        card.__setattr__("name", "mine")
