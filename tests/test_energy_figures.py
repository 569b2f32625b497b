# SPDX-License-Identifier: Apache-2.0
"""Charts of energies: every number stands at its place, unknown rows are marked, crossings lie on the curves."""

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.text import Text
from PIL import Image

from thermohw import figures
from thermohw.cards import EnergyCosts
from thermohw.energy import DigitalCost, Ledger, Workload, break_even, device_ledger, digital_costs, joules_text
from thermohw.errors import DatasetError
from thermohw.figures.energy_charts import MAX_DEVICES
from thermohw.statistics import Estimate
from thermohw.units import BOLTZMANN, Quantity

Draw = Callable[[Sequence[Ledger], Sequence[DigitalCost]], Figure]
WORKLOAD = Workload(units=1296, pairs=532_224, steps=2500, values_written=536_112, values_read=784)
HEAT = Estimate(2.9e3, 11.0, 350.0, 1000)
BASELINES = digital_costs(WORKLOAD)


def quantity(value: float | None, unit: str) -> Quantity | None:
    return None if value is None else Quantity(value=value, unit=unit, source="by hand", status="assumed")


def ledger(
    name: str,
    static: float | None = None,
    dac: float | None = None,
    adc: float | None = None,
    cooling: float | None = None,
    *,
    kT: float = 300 * BOLTZMANN,
    heat: Estimate = HEAT,
) -> Ledger:
    costs = EnergyCosts(
        static_power=quantity(static, "W"),
        dac_write=quantity(dac, "J"),
        adc_conversion=quantity(adc, "J"),
        cooling_overhead=quantity(cooling, "W/W"),
    )
    return device_ledger(name, costs, heat, kT, 1e-6, WORKLOAD)


LEDGERS = [
    ledger("ideal"),
    ledger("rc_board", 5.0, 1e-6, 1e-8, 0.0, kT=2e-12),
    ledger("rc_chip", 0.1, 4e-13, 8.7e-12, 0.0),
    ledger("mechanical_overdamped", None, 1e-6, 1e-6, 0.0),
    ledger("mechanical_cantilever", 1.0, None, 1e-6, 0.0),
    ledger("josephson_overdamped", 1e-3, 1e-12, 1e-11, 493.0, kT=4.2 * BOLTZMANN),
    ledger("josephson_flux", None, 1e-12, 1e-11, 9200.0, kT=4.2 * BOLTZMANN),
]


def words(figure: Figure) -> list[str]:
    """Draw a figure, which fails on malformed mathematics, and get its visible words."""
    FigureCanvasAgg(figure).draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text() and text.get_visible()]


def points(figure: Figure, panel: int = 0, marker: str = "o") -> list[tuple[float, float]]:
    """Get the places (x, y) of single points with a marker."""
    drawn = [np.asarray(line.get_xydata()) for line in figure.axes[panel].lines if line.get_marker() == marker]
    return [(float(places[0, 0]), float(places[0, 1])) for places in drawn if len(places) == 1]


def curve(figure: Figure, device: str) -> Line2D:
    return next(line for line in figure.axes[0].lines if str(line.get_label()).split(" (")[0] == device)


def test_every_known_row_is_a_point_at_its_energy_and_every_unknown_one_is_marked() -> None:
    figure = figures.energy_ledgers(LEDGERS, BASELINES)
    shown, rows = words(figure), [row for each in LEDGERS for row in each.rows]
    known = [row.energy.mean for row in rows if row.energy is not None and row.energy.mean > 0]
    drawn = [x for marker in "o>D" for x, _ in points(figure, marker=marker)]
    assert sorted(drawn) == pytest.approx(sorted(known + [each.total.mean for each in LEDGERS]))
    assert sum(text.endswith(": unknown") for text in shown) == sum(row.energy is None for row in rows) == 7
    assert "energy per sample (J)" in shown
    assert all(each.device in shown for each in LEDGERS)
    assert sum(text.startswith("total ≥ ") for text in shown) == sum(each.lower_bound for each in LEDGERS) == 4
    assert f"total {joules_text(LEDGERS[1].total.mean)}" in shown


def test_digital_computers_share_the_axis_of_the_devices() -> None:
    figure = figures.energy_ledgers(LEDGERS, BASELINES)
    devices, computers = figure.axes
    assert devices.get_xlim() == computers.get_xlim()
    squares = sorted(x for x, _ in points(figure, 1, "s"))
    memory = [cost.memory for cost in BASELINES if cost.memory is not None]
    assert squares == pytest.approx(sorted([cost.energy for cost in BASELINES] + memory))
    assert [label.get_text() for label in computers.get_yticklabels()] == [cost.name for cost in BASELINES]


@pytest.mark.parametrize("draw", [figures.energy_ledgers, figures.break_even_curves])
def test_words_do_not_cover_each_other(draw: Draw, tmp_path: Path) -> None:
    figure = draw(LEDGERS, BASELINES)
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    texts = [text for axes in figure.axes for text in axes.texts]
    boxes = [Text.get_window_extent(text, canvas.get_renderer()) for text in texts]  # without an annotation's line
    for index, box in enumerate(boxes):
        assert not any(box.overlaps(other) for other in boxes[index + 1 :]), texts[index].get_text()
    path = figures.save(figure, tmp_path / "energy.png")
    with Image.open(path) as picture:
        assert min(picture.size) > 800


def test_curves_fall_to_what_remains_without_programming() -> None:
    figure = figures.break_even_curves(LEDGERS, BASELINES)
    x, y = (np.asarray(values) for values in curve(figure, "rc_board").get_data())
    programming = LEDGERS[1].row("programming").energy
    assert programming is not None
    rest = LEDGERS[1].total.mean - programming.mean
    np.testing.assert_allclose(y, rest + 1000 * programming.mean / x)
    assert y[-1] == pytest.approx(rest, rel=0.02)
    assert [curve(figure, name).get_linestyle() for name in ("rc_board", "ideal")] == ["-", "--"]
    shown = words(figure)
    assert {"samples per programming", "energy per sample (J)", "ideal (at least)", "rc_board"} <= set(shown)
    assert all(f"{cost.name}, {joules_text(cost.energy)}" in shown for cost in BASELINES)


def test_no_curve_hides_another() -> None:
    twins = [ledger(name, 0.1, 4e-13, 8.7e-12, 0.0) for name in ("first", "second", "third")]
    figure = figures.break_even_curves([*twins, LEDGERS[1]], BASELINES)
    widths = [curve(figure, each.device).get_linewidth() for each in twins]
    assert widths[0] > widths[1] + 1 > widths[2] + 2
    assert curve(figure, "rc_board").get_linewidth() == widths[2]


def board_points() -> list[tuple[float | None, float]]:
    return [(break_even(LEDGERS[1], cost).samples, cost.energy) for cost in BASELINES]


def test_crossings_are_marked_where_curves_meet_the_digital_computers() -> None:
    figure = figures.break_even_curves(LEDGERS, BASELINES)
    marks = points(figure)
    found = [(break_even(each, cost).samples, cost.energy) for each in LEDGERS for cost in BASELINES]
    expected = [(samples, energy) for samples, energy in found if samples is not None and samples >= 1]
    assert expected
    np.testing.assert_allclose(sorted(marks), sorted(expected))
    x, y = (np.log(np.asarray(values)) for values in curve(figure, "rc_board").get_data())
    own = [(samples, energy) for samples, energy in marks if (samples, energy) in board_points()]
    assert len(own) == 3
    for samples, energy in own:
        assert np.interp(np.log(samples), x, y) == pytest.approx(np.log(energy), abs=1e-3)


def test_what_is_not_positive_is_written_and_not_drawn() -> None:
    absorbing = ledger("absorbing", 1.0, 1e-9, 1e-9, 0.0, heat=Estimate(-5.0, 1.0, 30.0, 900))
    shown = words(figures.energy_ledgers([absorbing], []))
    assert any(text.startswith("heat: -") for text in shown)
    assert "cooling: 0 J" in shown


def test_names_with_a_dollar_are_no_mathematics() -> None:
    odd = ledger("a$b", 1.0, 1e-9, 1e-9, 0.0)
    cost = DigitalCost("c$d", "denoiser", 1e-6, None, "by hand")
    for draw in (figures.energy_ledgers, figures.break_even_curves):
        assert any(r"a\$b" in text for text in words(draw([odd], [cost])))


@pytest.mark.parametrize("draw", [figures.energy_ledgers, figures.break_even_curves])
def test_what_cannot_be_drawn_is_refused(draw: Draw) -> None:
    with pytest.raises(DatasetError, match="between 1 and"):
        draw([], BASELINES)
    with pytest.raises(DatasetError, match=f"got {MAX_DEVICES + 1}"):
        draw([LEDGERS[0]] * (MAX_DEVICES + 1), BASELINES)
    with pytest.raises(DatasetError, match="at most 16 digital"):
        draw(LEDGERS, BASELINES * 2)
    with pytest.raises(DatasetError, match="no energy is positive"):
        draw([ledger("cold", heat=Estimate(-5.0, 1.0, 30.0, 900))], [])
