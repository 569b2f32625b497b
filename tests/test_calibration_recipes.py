# SPDX-License-Identifier: Apache-2.0
"""Recipes of calibration: what ships, what is refused; and the patterns of applied biases that they ask for."""

import re
from pathlib import Path

import numpy as np
import pytest
from calibration_examples import recipe
from hypothesis import given, settings
from hypothesis import strategies as st

from thermohw import Topology
from thermohw.errors import CalibrationError, CardError
from thermohw.estimation.excitation import applied_biases, signs
from thermohw.estimation.recipes import Recipe, load_recipe, recipe_names

GOOD = """schema = "thermohw-recipe/1"
name = "mine"
description = "for a test"
method = "both"
interval = 0.01
readings = 10
chains = 20
patterns = 4
amplitude = 2
settle = 0.5
"""


def test_the_shipped_recipes_are_whole() -> None:
    assert recipe_names() == ("lines", "pairs", "quick", "snapshots", "standard")
    for name in recipe_names():
        shipped = load_recipe(name)
        assert shipped.name == name
        assert len(shipped.description.split()) > 20  # its purpose in words
        assert shipped.valid_days
    quick, standard = load_recipe("quick"), load_recipe("standard")
    assert (
        quick.patterns * quick.chains * quick.readings < 0.1 * standard.patterns * standard.chains * standard.readings
    )


def test_a_recipe_of_ones_own_and_what_follows_from_it(tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    mine = load_recipe(path)
    assert (mine.groups, mine.noise, mine.dt, mine.valid_days) == (20, None, None, None)
    assert mine.skipped == 50
    assert mine.trajectory_time == pytest.approx(0.59)
    assert recipe(settle=0.0).skipped == 0
    assert recipe(settle=0.011).skipped == 2
    assert recipe(interval=0.1, settle=0.3, dt=0.01).skipped == 3  # 0.3/0.1 exceeds 3 by rounding


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("thermohw-recipe/1", "thermohw-recipe/2", ("schema", "thermohw-recipe/1")),
        ('"both"', '"guess"', ("method", "trajectories", "snapshots")),
        ("interval = 0.01", "interval = 0", ("interval", "greater than 0")),
        ("interval = 0.01", "interval = inf", ("interval", "finite")),
        ("readings = 10", "readings = 2", ("readings", "3")),
        ("readings = 10", "readings = 10.5", ("readings", "integer")),
        ("chains = 20", "chains = 30", ("multiple of the 20 groups", "30")),
        ("patterns = 4", "patterns = 6", ("power of two", "6")),
        ("settle = 0.5", "settle = 0.5\ndt = 0.003", ("whole number of steps",)),
        ("settle = 0.5", "settle = 0.5\ndt = 0.03", ("whole number of steps",)),
        ("settle = 0.5", "settle = 0.5\nspeed = 1", ("speed", "unknown key", "amplitude")),
        ("settle = 0.5", "", ("settle", "is missing")),
        ("settle", "settle =", ("not TOML",)),
        ("settle = 0.5", "settle = 0.5\nvalid_days = 1e300", ("valid_days", "36525")),
        ("interval = 0.01", "interval = 1e300", ("interval", "1000000000")),
    ],
)
def test_what_is_wrong_in_a_recipe_is_told(tmp_path: Path, old: str, new: str, words: tuple[str, ...]) -> None:
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(CardError) as caught:
        load_recipe(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def test_unknown_recipes_are_refused() -> None:
    with pytest.raises(CardError, match=r"unknown recipe 'fast'.*quick, snapshots, standard"):
        load_recipe("fast")


def test_docs_list_every_key_of_a_recipe() -> None:
    text = (Path(__file__).parents[1] / "docs" / "formats.md").read_text(encoding="utf-8")
    part = text.partition("thermohw-recipe/1")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `(\w+)` \|", part, re.MULTILINE) == ["schema", *Recipe.model_fields]


# Patterns


@pytest.mark.parametrize(("patterns", "units"), [(2, 1), (4, 3), (8, 7), (8, 5), (64, 50)])
def test_columns_are_balanced_and_orthogonal(patterns: int, units: int) -> None:
    design = signs(patterns, Topology.complete(units))
    assert set(design.ravel()) == {-1.0, 1.0}
    np.testing.assert_array_equal(design.sum(axis=0), 0)
    np.testing.assert_array_equal(design.T @ design, patterns * np.eye(units))


def test_with_more_units_than_columns_coupled_units_differ() -> None:
    grid = Topology.grid(6, 6)
    i, j = grid.pairs.T
    design = signs(4, grid)
    np.testing.assert_array_equal(design.sum(axis=0), 0)
    assert ((design[:, i] * design[:, j]).sum(axis=0) == 0).all()
    naive = signs(4, Topology.from_pairs(36, 0, []))  # the control: a design that knows no pairs
    assert ((naive[:, i] * naive[:, j]).sum(axis=0) != 0).any()


@pytest.mark.parametrize("patterns", [0, 1, 3, 12])
def test_numbers_of_patterns_without_a_design_are_refused(patterns: int) -> None:
    with pytest.raises(CalibrationError, match="power of two"):
        signs(patterns, Topology.complete(2))


@settings(max_examples=100)
@given(
    share=st.lists(st.floats(-1, 1), min_size=5, max_size=5),
    limit=st.floats(0.1, 100),
    amplitude=st.floats(0.01, 200),
)
def test_biases_stay_within_the_limit_at_full_amplitude(share: list[float], limit: float, amplitude: float) -> None:
    biases = limit * np.array(share)
    applied = applied_biases(8, Topology.complete(5), biases, amplitude, limit)
    assert np.abs(biases + applied).max() <= limit
    np.testing.assert_allclose(np.ptp(applied, axis=0), 2 * min(amplitude, limit), rtol=1e-6)


def test_without_a_limit_biases_are_applied_about_the_programs_own() -> None:
    applied = applied_biases(4, Topology.complete(3), np.array([90.0, 0.0, -5.0]), 2.0, None)
    np.testing.assert_allclose(np.abs(applied), 2.0, rtol=1e-12)
    np.testing.assert_allclose(applied.sum(axis=0), 0, atol=1e-12)
