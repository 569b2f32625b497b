# SPDX-License-Identifier: Apache-2.0
"""Training configurations: presets, overrides, and what is refused."""

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from thermohw import Images, Topology, train
from thermohw.errors import TrainingError
from thermohw.training import TrainingConfig, load_config, preset_names
from thermohw.training.config import MAX_STEPS, parse_config
from thermohw.training.coupling_errors import CouplingErrors
from thermohw.training.noising import build_protocol

FIELDS = tuple(TrainingConfig.model_fields)
OTHER_VALUES: dict[str, Any] = {
    "preset": "mine", "hidden": 7, "hidden_couplings": False, "J2": -3.5, "J4": 4.25, "threshold": -0.25,
    "amplitude": 12.5, "hidden_code": "random", "crop_start": 3, "hidden_amplitude": 6.5, "ramp": "cosine",
    "duration": 1.25, "dt": 5e-3, "trajectories": 48, "learning_rate": 2e-4, "ridge": 0.125, "upright": 0.5, "seed": 11,
    "partners": 5, "errors": CouplingErrors(pair=0.25, limit=3.0).model_dump(),
}  # fmt: skip
"""A value that no preset has, for each field with more than two values or the same one in all presets."""
ALTERNATIVES = {
    "pixels": ("standardized", "sign"),
    "method": ("likelihood", "descent"),
    "statistics": ("expected", "sampled"),
    "hidden_biases": (True, False),
    "unit_law": ("stated", "measured"),
}
NUMBERS = tuple(name for name, value in load_config("contrast") if type(value) in (int, float))


def refusal(overrides: dict[str, Any]) -> str:
    with pytest.raises(TrainingError) as caught:
        load_config("contrast", overrides)
    return str(caught.value)


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_loads_and_records_its_name(name: str) -> None:
    config = load_config(name)
    assert config.preset == name
    assert load_config(name, {}) == config


def test_there_are_the_papers_preset_and_ours() -> None:
    assert preset_names() == ["contrast", "whitelam2025"]


def test_the_papers_preset_has_the_papers_values() -> None:
    config = load_config("whitelam2025")
    assert (config.J2, config.J4, config.hidden, config.duration) == (10.0, 10.0, 512, 2.5)
    assert (config.method, config.statistics, config.pixels) == ("descent", "sampled", "standardized")
    assert config.hidden_couplings
    assert config.hidden_biases
    assert config.upright == 0
    assert (config.amplitude, config.hidden_amplitude, config.ramp, config.dt) == (36.0, 36.0, "linear", 1e-3)
    assert config.descent_time == pytest.approx(0.045, rel=1e-12)


def test_the_descent_time_follows_its_factors() -> None:
    config = load_config("contrast", {"learning_rate": 2e-3, "trajectories": 100, "duration": 0.5})
    assert config.descent_time == pytest.approx(0.05, rel=1e-12)


def test_every_field_can_be_overridden() -> None:
    assert set(OTHER_VALUES) | set(ALTERNATIVES) == set(FIELDS)
    for preset in preset_names():
        before = load_config(preset).model_dump()
        cases = [*OTHER_VALUES.items(), *((name, value) for name, both in ALTERNATIVES.items() for value in both)]
        for name, value in cases:
            after = load_config(preset, {name: value}).model_dump()
            assert after[name] == value
            assert {key for key in FIELDS if after[key] != before[key]} <= {name}
        assert all(before[name] != value for name, value in OTHER_VALUES.items())


def test_values_may_come_as_text() -> None:
    config = load_config("contrast", {"amplitude": "12.5", "hidden": "64", "hidden_biases": "true", "ramp": "linear"})
    assert (config.amplitude, config.hidden, config.hidden_biases, config.ramp) == (12.5, 64, True, "linear")


def test_an_unknown_preset_is_refused_with_those_that_are() -> None:
    for name in ("best", "", "Contrast", "../config"):
        with pytest.raises(TrainingError, match=r"unknown preset .*there are: contrast, whitelam2025") as caught:
            load_config(name)
        assert repr(name) in str(caught.value)


def test_an_unknown_key_is_refused_with_those_that_are() -> None:
    message = refusal({"amplitud": 3})
    assert "amplitud:" in message
    assert all(name in message.partition("Keys are: ")[2].split(", ") for name in FIELDS)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *((name, float("nan")) for name in NUMBERS),
        *((name, float("inf")) for name in NUMBERS),
        *((name, "loud") for name in FIELDS if name not in ("preset",)),
        *((name, None) for name in FIELDS),
        *((name, [1]) for name in FIELDS),
        ("hidden", -1), ("hidden", 100_001), ("hidden", 8.5), ("J4", 0.0), ("J4", -1.0), ("amplitude", 0.0),
        ("amplitude", -20.0), ("hidden_amplitude", -1e-9), ("crop_start", -1), ("duration", 0.0), ("duration", -2.5),
        ("dt", 0.0), ("dt", -1e-3), ("dt", 5.0), ("dt", 1e-3 + 1e-5), ("dt", 2.5 / (MAX_STEPS + 1)), ("dt", 1e-320),
        ("trajectories", 0), ("trajectories", 2**24 + 1), ("learning_rate", 0.0), ("learning_rate", 1e4),
        ("ridge", -0.1), ("upright", -0.1), ("seed", -1), ("seed", 2**63), ("seed", 10**400), ("amplitude", 10**400),
        ("preset", 3), ("ramp", "Linear"), ("pixels", ""), ("partners", -1), ("partners", 1.5),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_by_its_name(name: str, value: Any) -> None:
    problem = refusal({name: value}).partition(" Keys are: ")[0]
    assert problem.startswith("preset contrast: ")
    # a NaN duration is also no multiple of dt, so that more than one key may be named, but never a sound one
    assert f"{name}: " in problem
    assert not any(f" {other}: " in problem for other in FIELDS if other not in (name, "dt"))


@pytest.mark.parametrize("wrong", [{"pair": -0.1}, {"gain": 0.0}, {"crosstalk": 0.3}, {"limit": 0.0}, {"pairs": 0.1}])
def test_a_bad_error_of_couplings_is_refused_by_its_name(wrong: dict[str, float]) -> None:
    assert f"preset contrast: errors.{next(iter(wrong))}: " in refusal({"errors": wrong})


def test_a_configuration_from_before_a_field_gets_its_default() -> None:
    config = load_config("contrast")
    before = {name: value for name, value in config.model_dump().items() if name not in ("errors", "partners")}
    assert parse_config(before, "config.json") == config


def test_few_partners_give_a_sparse_topology() -> None:
    images = Images(np.stack([np.eye(4), np.eye(4)[::-1]]), np.array([0, 1]), "diagonals")
    settings = {"hidden": 6, "duration": 0.5, "dt": 5e-3, "partners": 3, "seed": 4}
    program = train(images, overrides=settings).program
    assert program.topology.same_as(Topology.sparse_layered(16, 6, 3, 4))
    assert np.abs(program.couplings).max() > 1
    with pytest.raises(TrainingError, match="partners = 17 of each hidden unit are more than the 16 pixels"):
        train(images, overrides={**settings, "partners": 17})


def test_all_bad_values_are_named_at_once() -> None:
    message = refusal({"hidden": -1, "J4": 0, "speed": 3})
    assert all(f"{name}: " in message for name in ("hidden", "J4", "speed"))


def test_bounds_themselves_are_accepted() -> None:
    accepted = {"hidden": 0, "hidden_amplitude": 0.0, "crop_start": 0, "trajectories": 2**24, "learning_rate": 1e3}
    config = load_config("contrast", {**accepted, "ridge": 0.0, "upright": 0.0, "seed": 2**63 - 1})
    assert config.model_dump().items() >= accepted.items()
    assert load_config("contrast", {"dt": 2.5}).dt == 2.5
    assert load_config("contrast", {"dt": 2.5 / MAX_STEPS}).dt == 2.5 / MAX_STEPS


def test_a_default_time_step_must_divide_the_duration_too() -> None:
    with pytest.raises(TrainingError, match="whole number"):
        parse_config({"duration": 1e-4}, "settings")


@given(
    st.dictionaries(
        st.sampled_from([*FIELDS, "speed"]) | st.text(max_size=5),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.lists(st.integers()),
        max_size=4,
    )
)
@example({"duration": 1e-310, "dt": 1e300})
@example({"duration": 5e-324, "dt": 5e-324})
@example({"duration": 1e308, "dt": 1e-308})
def test_overrides_give_a_configuration_or_a_training_error(overrides: dict[str, Any]) -> None:
    try:
        config = load_config("contrast", overrides)
    except TrainingError as error:
        assert "Keys are: " in str(error)
        return
    assert set(overrides) <= set(FIELDS)
    assert 1 <= round(config.duration / config.dt) <= MAX_STEPS
    assert np.isfinite([value for value in config.model_dump().values() if isinstance(value, float)]).all()


@given(st.sampled_from(preset_names()), st.data())
def test_json_gives_the_configuration_back_exactly(preset: str, data: st.DataObject) -> None:
    finite = st.floats(1e-6, 1e6)
    overrides = data.draw(
        st.fixed_dictionaries(
            {},
            optional={
                "J2": st.floats(-1e6, 1e6),
                "J4": finite,
                "amplitude": finite,
                "learning_rate": st.floats(1e-12, 1e3),
                "seed": st.integers(0, 2**63 - 1),
                "ramp": st.sampled_from(["linear", "quadratic", "cosine"]),
            },
        )
    )
    config = load_config(preset, overrides)
    again = parse_config(json.loads(config.model_dump_json()), "config.json")
    assert again == config
    assert again.model_dump() == config.model_dump()


def test_a_configuration_can_be_trained_from_and_overridden() -> None:
    images = Images(np.eye(4)[None], np.array([0]), "a diagonal")
    config = load_config("contrast", {"hidden": 3, "duration": 0.5, "dt": 5e-3})
    assert train(images, config).config == config
    changed = train(images, config, overrides={"amplitude": 10.0}).config
    assert changed.model_dump() == {**config.model_dump(), "amplitude": 10.0}
    with pytest.raises(TrainingError, match=r"overrides: amplitud: .*Keys are: "):
        train(images, config, overrides={"amplitud": 10.0})
    assert build_protocol(images, changed).steps == 100
