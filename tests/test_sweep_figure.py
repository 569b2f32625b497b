# SPDX-License-Identifier: Apache-2.0
"""The chart of robustness: every mean stands at its place, on an axis that shows it."""

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from thermohw import figures
from thermohw.errors import DatasetError
from thermohw.figures.robustness import MAX_PROGRAMS, MAX_STRENGTHS, Strength
from thermohw.statistics import Estimate

MEASURES = {"recognised": "share recognised", "heat": r"heat ($k_\mathrm{B}T$)"}


def estimate(mean: float, count: int = 8) -> Estimate:
    return Estimate(mean, 0.1, 0.3, count)


def strength(values: list[float | None], programs: int = 1, measure: str = "heat") -> Strength:
    means = [estimate(float(index)) for index in range(len(values))]
    return Strength("effect", "σ, relative", values, {measure: {f"program {n}": means for n in range(programs)}})


def points(figure: Figure, panel: int) -> list[tuple[float, float, str]]:
    """Get single points: place and colour of the face."""
    lines = [line for line in figure.axes[panel].lines if line.get_marker() == "o"]
    return [
        (float(np.ravel(line.get_xdata())[0]), float(np.ravel(line.get_ydata())[0]), to_hex(line.get_markerfacecolor()))
        for line in lines
    ]


def words(figure: Figure) -> str:
    FigureCanvasAgg(figure).draw()
    return "\n".join(text.get_text() for text in figure.findobj(Text) if text.get_visible())


def test_points_stand_where_they_belong() -> None:
    outcomes = {"recognised": {"own": [estimate(1.0), None]}, "heat": {"own": [estimate(5.0), estimate(7.0, 3)]}}
    figure = figures.robustness([Strength("mismatch.std", "σ", [0.0, 0.2], outcomes)], MEASURES, 8)
    assert [(x, y) for x, y, _ in points(figure, 0)] == [(0.0, 1.0)]
    assert [(x, y) for x, y, _ in points(figure, 1)] == [(0.0, 5.0), (0.2, 7.0)]
    full, hollow = (face for _, _, face in points(figure, 1))
    assert full != hollow == "#ffffff"
    told = words(figure)
    for word in ("own", "mismatch.std", "share recognised", "over 8 devices"):
        assert word in told


def test_off_is_a_line_of_its_own() -> None:
    figure = figures.robustness([strength([2, 4, None])], {"heat": "heat"}, 8)
    assert [(x, y) for x, y, _ in points(figure, 0)] == [(2, 0.0), (4, 1.0)]
    dotted = [line for line in figure.axes[0].lines if line.get_linestyle() == ":"]
    assert [float(np.ravel(line.get_ydata())[0]) for line in dotted] == [2.0]
    assert "off" in words(figure)
    assert "off" not in words(figures.robustness([strength([2, 4])], {"heat": "heat"}, 8))


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.0, 0.1, 0.2], "linear"),
        ([0.0, 0.01, 1.0], "symlog"),
        ([0.01, 1.0], "log"),
        ([-0.01, 1.0], "linear"),
        ([0.5], "linear"),
        ([0.0], "linear"),
        ([None], "linear"),
    ],
)
def test_the_axis_shows_all_decades(values: list[float | None], scale: str) -> None:
    figure = figures.robustness([strength(values)], {"heat": "heat"}, 8)
    words(figure)
    axes = figure.axes[0]
    assert axes.get_xscale() == scale
    numbers = [value for value in values if value is not None]
    if len(numbers) > 1:
        places = axes.transAxes.inverted().transform(axes.transData.transform([(value, 0.0) for value in numbers]))
        assert (np.diff(places[:, 0]) > 0.1).all()
        assert 0 < places[0, 0] < 0.1
        assert 0.9 < places[-1, 0] < 1
    if scale in ("log", "symlog"):
        assert axes.get_xticks().tolist() == numbers


def test_each_column_has_an_axis_of_its_own() -> None:
    figure = figures.robustness([strength([2, 8]), strength([0.0, 0.01, 1.0])], {"heat": "heat"}, 8)
    words(figure)
    assert [axes.get_xscale() for axes in figure.axes] == ["linear", "symlog"]
    assert figure.axes[0].get_xticks().tolist() == [2, 8]


def test_too_much_or_nothing_is_refused() -> None:
    figures.robustness([strength([0.0], MAX_PROGRAMS)] * MAX_STRENGTHS, {"heat": "heat"}, 8)
    for strengths in ([strength([0.0], MAX_PROGRAMS + 1)], [strength([0.0])] * (MAX_STRENGTHS + 1), []):
        with pytest.raises(DatasetError, match="fit one figure"):
            figures.robustness(strengths, {"heat": "heat"}, 8)
    with pytest.raises(DatasetError, match="fit one figure"):
        figures.robustness([strength([0.0], measure="other")], {"heat": "heat"}, 8)
    short = Strength("effect", "σ", [0.0, 1.0], {"heat": {"own": [estimate(0.0)]}})
    with pytest.raises(DatasetError, match="2 strengths need as many outcomes of own, got 1"):
        figures.robustness([short], {"heat": "heat"}, 8)
