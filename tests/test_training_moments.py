# SPDX-License-Identifier: Apache-2.0
"""The path moments in a run's folder: exact, tied to their program, and refused where they are damaged."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from training_examples import SMALL, patterns, small_protocol

from thermohw import TrainingRun, train
from thermohw.errors import FileFormatError, TableError, TrainingError
from thermohw.storage import load_arrays, save_arrays
from thermohw.training.expected import expected_moments
from thermohw.training.moments import MOMENTS_SCHEMA, DenseMoments, LowRankMoments, PathMoments

NUMBERS = ("mobility", "kT", "residual", "dt", "steps")


def moments_of(form: str) -> PathMoments:
    """Get small expected moments; full ones are what many images give."""
    moments = expected_moments(small_protocol())
    assert isinstance(moments.second, LowRankMoments)
    S = moments.second.G @ moments.second.G.T + np.diag(moments.second.D)
    return moments if form == "low rank" else replace(moments, second=DenseMoments(S, 2 * S))


def assert_same(first: PathMoments, second: PathMoments) -> None:
    assert type(first.second) is type(second.second)
    for name in NUMBERS:
        assert getattr(first, name) == getattr(second, name)
    for name, array in {"mean": first.mean, "force": first.force, **vars(first.second)}.items():
        assert np.array_equal(array, {**vars(second), **vars(second.second)}[name])


@pytest.mark.parametrize("form", ["low rank", "full"])
def test_moments_come_back_exactly(tmp_path: Path, form: str) -> None:
    moments = moments_of(form)
    loaded, program = PathMoments.load(moments.save(tmp_path / "moments.npz", "abc"), 22)
    assert_same(loaded, moments)
    assert program == "abc"
    with pytest.raises(FileFormatError, match="not the moments of 21 units"):
        PathMoments.load(tmp_path / "moments.npz", 21)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"mean": np.zeros(21)}, "not the moments"),
        ({"mean": np.zeros(22, "U3")}, "not the moments"),
        ({"G": np.zeros((22, 2))}, "not the moments"),
        ({"G": np.zeros(22)}, "not the moments"),
        ({"S": np.zeros((22, 22))}, "not the moments"),
        ({"D": np.zeros(22, np.int64)}, "not the moments"),
        ({"kT": np.zeros(2)}, "not the moments"),
        ({"kT": np.array("1")}, "must be positive"),
        ({"kT": np.array(0.0)}, "must be positive"),
        ({"mobility": np.array(-1.0)}, "must be positive"),
        ({"dt": np.array(np.nan)}, "must be positive"),
        ({"steps": np.array(np.inf)}, "must be positive"),
        ({"force": np.full(22, np.nan)}, "finite"),
        ({"D": np.full(22, -100.0)}, "negative"),
    ],
)
def test_numbers_that_moments_cannot_have_are_refused(tmp_path: Path, changes: dict[str, Any], words: str) -> None:
    path = moments_of("low rank").save(tmp_path / "moments.npz", "abc")
    arrays = load_arrays(path, MOMENTS_SCHEMA)
    save_arrays(path, MOMENTS_SCHEMA, {**arrays, **changes})
    with pytest.raises(FileFormatError, match=words):
        PathMoments.load(path, 22)


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return moments_of("low rank").save(tmp_path_factory.mktemp("moments") / "moments.npz", "abc")


@given(position=st.integers(0, 10**6), value=st.integers(1, 255), length=st.integers(0, 10**6))
def test_damage_never_gives_other_moments(saved: Path, position: int, value: int, length: int) -> None:
    content = saved.read_bytes()
    damaged = bytearray(content)
    damaged[position % len(content)] ^= value
    copy = saved.with_name("copy.npz")
    for attempt in (bytes(damaged), content[: length % len(content)]):
        copy.write_bytes(attempt)
        try:
            loaded, program = PathMoments.load(copy, 22)
        except FileFormatError as error:
            assert "copy.npz" in str(error)
        else:  # a zip's own dates
            assert_same(loaded, moments_of("low rank"))
            assert program == "abc"


# In a run


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"method": "descent", "statistics": "expected"},
        {"method": "descent", "statistics": "sampled", "trajectories": 6},
        {"statistics": "sampled", "trajectories": 900, "ridge": 0.1},
    ],
)
@pytest.mark.filterwarnings("ignore:.*noising trajectories hold", "ignore:spurious modes")
def test_a_run_has_the_expected_moments_of_its_noising(settings: dict[str, Any], tmp_path: Path) -> None:
    run = train(patterns(), overrides={**SMALL, **settings}, folder=tmp_path)
    assert run.moments is not None
    assert_same(run.moments, expected_moments(small_protocol(settings)))
    loaded = TrainingRun.load(tmp_path)
    assert loaded.moments is not None
    assert_same(loaded.moments, run.moments)
    assert loaded.quantize(3, seed=1).digest == run.quantize(3, seed=1).digest


def test_a_run_without_moments_says_to_train_again(tmp_path: Path) -> None:
    run = train(patterns(), overrides=SMALL, folder=tmp_path)
    old = replace(run, moments=None)
    old.save(tmp_path)  # the moments of the earlier training go
    assert not (tmp_path / "moments.npz").exists()
    with pytest.raises(TrainingError, match="train again"):
        TrainingRun.load(tmp_path).quantize(3)
    assert old.quantize(8, "mse").method == "mse"
    with pytest.raises(TableError, match="unknown method 'median'; there are: nearest, mse, likelihood"):
        run.quantize(3, "median")  # pyright: ignore[reportArgumentType]
