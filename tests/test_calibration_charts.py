# SPDX-License-Identifier: Apache-2.0
"""Charts of calibrations: what is drawn where, and what is refused."""

from typing import Any

import numpy as np
import pytest
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thermohw.errors import DatasetError
from thermohw.figures import calibration, calibration_differences, line_gains, pair_knowledge
from thermohw.figures.calibration_charts import BARS_UP_TO

WANTED = np.array([-2.0, 0.5, 3.0])
FOUND, ERRORS = WANTED + np.array([0.1, -0.2, 0.05]), np.full(3, 0.1)
SCORES = np.array([1.0, -2.0, 0.5, 30.0])
UNITS = {
    "mobility": (np.array([1.0, np.nan, 1.1]), np.array([0.1, np.nan, 0.1]), 0.9),
    "kT": (np.full(3, np.nan), np.full(3, np.nan), 1.0),
}


def points(figure: Figure, panel: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    line = next(line for line in figure.axes[panel].lines if line.get_marker() == "o")
    return np.asarray(line.get_xdata(), np.float64), np.asarray(line.get_ydata(), np.float64)


def test_couplings_scores_and_units_are_drawn() -> None:
    figure = calibration(WANTED, (FOUND, ERRORS), SCORES, UNITS)
    assert [axes.get_xlabel() for axes in figure.axes[2:]] == ["unit", "unit"]
    x, y = points(figure, 0)
    np.testing.assert_array_equal((x, y), (WANTED, FOUND))
    (bars,) = figure.axes[0].collections
    assert len(bars.get_paths()) == 3
    patches: Any = figure.axes[1].patches
    shares = [float(patch.get_height() * patch.get_width()) for patch in patches]
    assert sum(shares) == pytest.approx(1)  # a score of 30 is in the last bar, not lost
    assert shares[-1] == pytest.approx(1 / 4)
    x, y = points(figure, 2)
    np.testing.assert_array_equal((x, y), ([0, 2], [1.0, 1.1]))  # what is not known is left out
    reference = next(line for line in figure.axes[2].lines if line.get_marker() != "o")
    assert list(np.asarray(reference.get_ydata())) == [0.9, 0.9]
    assert [text.get_text() for text in figure.axes[3].texts] == ["not known"]
    assert figure.axes[1].get_title() == "r.m.s. 15 of 4 parameters, 1 beyond ±10 in the last bars"


def test_differences_are_drawn_pair_by_pair() -> None:
    figure = calibration_differences((FOUND - WANTED, ERRORS), SCORES, {})
    assert len(figure.axes) == 2
    x, y = points(figure, 0)
    np.testing.assert_array_equal(x, [0, 1, 2])
    np.testing.assert_array_equal(y, FOUND - WANTED)


def test_gains_of_lines_are_drawn_for_each_layer() -> None:
    gains = {"to visible": (np.full(3, np.nan), np.full(3, np.nan)), "to hidden": (FOUND, ERRORS)}
    figure = line_gains(gains, 1.0, SCORES, UNITS)
    (known,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]  # nothing is known of the others
    np.testing.assert_array_equal(np.asarray(known.get_ydata()), FOUND)
    legend = figure.axes[0].get_legend()
    assert legend is not None and [text.get_text() for text in legend.get_texts()] == ["to hidden"]
    reference = next(line for line in figure.axes[0].lines if line.get_marker() != "o")
    assert list(np.asarray(reference.get_ydata())) == [1.0, 1.0]
    assert line_gains(gains, 0.0, SCORES, {}).axes[0].get_ylabel() == "change of gain of couplings"


def test_what_readings_know_of_pairs_is_drawn() -> None:
    figure = pair_knowledge(WANTED, FOUND, np.array([0.9, 0.1, 0.4]))
    assert figure.axes[1].get_title() == "1 of 3 couplings resolved"
    (dots,) = [item for item in figure.axes[0].collections if len(np.asarray(item.get_offsets())) == 3]
    np.testing.assert_array_equal(np.asarray(dots.get_array()), [0.1, 0.4, 0.9])  # best known on top
    np.testing.assert_array_equal(np.asarray(dots.get_offsets())[-1], [WANTED[0], FOUND[0]])
    patches: Any = figure.axes[1].patches
    assert sum(patch.get_height() for patch in patches) == 3
    with pytest.raises(DatasetError, match="do not go together"):
        pair_knowledge(WANTED, FOUND, np.array([0.9]))


def test_many_couplings_are_drawn_without_bars() -> None:
    many = np.linspace(-1, 1, BARS_UP_TO + 1)
    assert not calibration(many, (many, many**2 + 1), SCORES, {}).axes[0].collections


def test_equal_couplings_have_a_line_too() -> None:
    calibration(np.zeros(1), (np.zeros(1), np.ones(1)), np.zeros(1), {}).canvas.draw()


def test_what_does_not_fit_together_is_refused() -> None:
    with pytest.raises(DatasetError, match="as many measured"):
        calibration(WANTED[:2], (FOUND, ERRORS), SCORES, {})
    with pytest.raises(DatasetError, match="as many standard errors"):
        calibration_differences((FOUND, ERRORS[:1]), SCORES, {})
    with pytest.raises(DatasetError, match=r"scores\[1\] is not finite"):
        calibration(WANTED, (FOUND, ERRORS), np.array([0.0, np.nan]), {})
