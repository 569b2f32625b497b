# SPDX-License-Identifier: Apache-2.0
"""Figures: what they show is checked on the objects and on drawn pixels, at odd sizes and with wrong input."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.patches import Rectangle
from matplotlib.text import Text
from numpy.typing import NDArray
from PIL import Image

from thermohw import figures
from thermohw.errors import DatasetError, FileFormatError, StorageError
from thermohw.figures import movie
from thermohw.figures.canvas import BLUE
from thermohw.figures.tiles import MAX_TILES

ROOT = Path(__file__).parents[1]
ENERGY = r"($k_\mathrm{B}T$)"
TIME = r"time ($1/\mu k_\mathrm{B}T$)"
SHAPE = (3, 5)


def states(*shape: int) -> NDArray[np.float64]:
    return np.random.default_rng(7).normal(0.1, 0.4, (*shape, 15))


def words(figure: Figure) -> list[str]:
    """Draw a figure, which fails on malformed mathematics, and get its visible words."""
    FigureCanvasAgg(figure).draw()
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def tiles(figure: Figure) -> list[AxesImage]:
    return list(figure.axes[0].images)


def colours_at(figure: Figure, places: list[tuple[float, float]]) -> NDArray[np.int64]:
    """Draw a figure and get the colours (places, red-green-blue) at places in the coordinates of its first axes."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    pixels = np.asarray(canvas.buffer_rgba()).astype(np.int64)
    right, up = figure.axes[0].transData.transform(places).T
    return pixels[(len(pixels) - 1 - up).astype(int), right.astype(int), :3]


# Pictures


@pytest.mark.parametrize(("records", "shown"), [(1, 1), (2, 2), (8, 8), (9, 5), (11, 6), (12, 8), (15, 8), (51, 6)])
def test_film_strips_show_their_first_and_last_record_at_stated_times(records: int, shown: int) -> None:
    chains = 1 + records % 3
    trajectories = states(chains, records)
    figure = figures.generation_filmstrips(trajectories, np.arange(records) * 0.25, SHAPE)
    images = tiles(figure)
    assert len(images) == chains * shown
    assert np.array_equal(np.asarray(images[0].get_array()), trajectories[0, 0].reshape(SHAPE))
    assert np.array_equal(np.asarray(images[-1].get_array()), trajectories[-1, -1].reshape(SHAPE))
    written = words(figure)
    assert {TIME, "state $x$ (dimensionless)", "0", f"{(records - 1) * 0.25:.3g}"} <= set(written)


def test_film_strips_tell_images_from_trajectories() -> None:
    assert "image 2" in words(figures.noising_filmstrip(states(2, 3), [0, 1, 2], SHAPE))
    assert "trajectory 2" in words(figures.generation_filmstrips(states(2, 3), [0, 1, 2], SHAPE))


@pytest.mark.parametrize("shape", [(1, 15), (15, 1), (3, 5)])
@pytest.mark.parametrize("samples", [1, 4, 7])
def test_all_pictures_share_one_symmetric_colour_scale(samples: int, shape: tuple[int, int]) -> None:
    couplings = states(samples).T
    for figure in (figures.outcomes(states(samples), shape), figures.receptive_fields(couplings, shape)):
        limits = {image.get_clim() for image in tiles(figure)}
        assert len(tiles(figure)) == samples
        assert len(limits) == 1
        low, high = limits.pop()
        assert low == -high < 0
        bar = figure.axes[1]
        assert bar.get_xlim() == (low, high)


def test_the_colour_scale_holds_all_but_outliers_and_survives_nothing_but_zeros() -> None:
    sample = np.linspace(-1, 1, 1500).reshape(100, 15)
    sample[0, 0] = 1000
    assert 0.98 < tiles(figures.outcomes(sample, SHAPE))[0].get_clim()[1] <= 1
    assert tiles(figures.outcomes(np.zeros((2, 15)), SHAPE))[0].get_clim() == (-1, 1)
    spike = np.zeros((100, 15))
    spike[3, 3] = -2
    assert tiles(figures.outcomes(spike, SHAPE))[0].get_clim() == (-2, 2)


@pytest.mark.parametrize("couplings", [False, True])
def test_positive_is_blue_and_pictures_stand_upright_in_reading_order(couplings: bool) -> None:
    first, second = np.array([1.0, -1, -1, -1, -1, -1]), np.array([-1.0, -1, -1, -1, -1, 1])
    rows = np.stack([first, second])
    figure = figures.receptive_fields(rows.T, (2, 3)) if couplings else figures.outcomes(rows, (2, 3))
    middle = 1 / 6  # of a pixel, where the longer side of a picture is 1
    left = tiles(figure)[1].get_extent()[0]
    top = min(image.get_extent()[3] for image in tiles(figure))
    corners = [(middle, top + middle), (5 * middle, top + 3 * middle)]
    places = corners + [(left + x, y) for x, y in corners]
    red, _, blue = colours_at(figure, places).T
    assert (blue - red)[[0, 3]].min() > 80
    others = (red - blue) if couplings else np.minimum(red, blue) - 230
    assert others[[1, 2]].min() > 0


def test_outcomes_stand_in_the_columns_asked_for_under_their_titles() -> None:
    titles = ["0", "$2 bill", "1 (inverted)", "a_b^c", "?"]
    figure = figures.outcomes(states(5), SHAPE, columns=2, titles=titles)
    corners = {image.get_extent()[0] for image in tiles(figure)}, {image.get_extent()[3] for image in tiles(figure)}
    assert [len(values) for values in corners] == [2, 3]
    places = [(image.get_extent()[3], image.get_extent()[0]) for image in tiles(figure)]
    assert places == sorted(places)  # line by line from the top, each line from the left
    assert set(titles) <= set(words(figure))


def test_receptive_fields_are_the_strongest_and_the_least_alike() -> None:
    patterns = np.zeros((15, 6))
    patterns[0, 0], patterns[0, 1], patterns[0, 2] = 3.0, 2.9, 2.8  # three alike
    patterns[1, 3], patterns[0, 4] = 2.0, -1.6  # another, and the inverse of the first
    patterns[2, 5] = 0.1  # weak
    figure = figures.receptive_fields(patterns, SHAPE, count=4)
    written = words(figure)
    assert [word for word in written if word.startswith("hidden")] == ["hidden 0", "hidden 4", "hidden 3", "hidden 1"]
    assert "coupling $J$ " + ENERGY in written
    assert len(tiles(figures.receptive_fields(patterns, SHAPE, count=99))) == 6
    assert len(tiles(figures.receptive_fields(np.zeros((15, 4)), SHAPE, count=2))) == 2


# Charts


def test_heat_is_stated_with_its_standard_error_and_deviation() -> None:
    heat = np.random.default_rng(0).normal(2900, 350, 1000)
    figure = figures.heat_histogram(heat, 2903.71, 11.07)
    text = " ".join(words(figure))
    assert r"2904 \pm 11" in text
    assert "1\N{THIN SPACE}000 samples" in text
    assert "heat " + ENERGY in text
    assert figure.axes[0].lines[0].get_xdata() == [2903.71, 2903.71]
    assert sum(bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)) >= 1000


def test_the_standard_deviation_is_that_of_a_sample() -> None:
    assert r"s.d. $2.12\ k_" in figures.heat_histogram([1.0, 4.0], 2.5, 1.5).axes[0].get_title()


@pytest.mark.parametrize(
    ("error", "quoted"),
    [(0.0123, r"2.500 \pm 0.012"), (0.4, r"2.50 \pm 0.40"), (140.0, r"2 \pm 140"), (float("nan"), "= 2.5\\")],
)
def test_a_mean_is_rounded_as_its_error_asks(error: float, quoted: str) -> None:
    title = figures.heat_histogram([1.0, 4.0], 2.5, error).axes[0].get_title()
    assert quoted in title
    assert ("s.e." in title) == np.isfinite(error)


@pytest.mark.parametrize("heat", [[5.0], [5.0, 5.0, 5.0], [*range(100), 1e12], [-3, 8]])
def test_heat_of_any_spread_is_drawn_in_a_bounded_number_of_bars(heat: list[float]) -> None:
    figure = figures.heat_histogram(heat, float(np.mean(heat)), 1.0)
    words(figure)
    assert len(figure.axes[0].patches) <= 81


@pytest.mark.parametrize(
    ("y", "scale"),
    [([5, 4, 3], "linear"), ([1e4, 10, 1], "log"), ([1e4, 0, 1], "linear"), ([-1, -900, -999], "linear")],
)
def test_convergence_takes_a_logarithmic_axis_where_it_can_and_should(y: list[float], scale: str) -> None:
    figure = figures.convergence([0, 1, 2], y, "iteration", "loss (nats)")
    axes = figure.axes[0]
    assert (axes.get_xscale(), axes.get_yscale()) == ("linear", scale)
    assert {"iteration", "loss (nats)"} <= set(words(figure))
    assert np.array_equal(axes.lines[0].get_ydata(), y)


def test_coupling_histogram_counts_every_pair_of_every_block() -> None:
    random = np.random.default_rng(1)
    blocks = {"visible-hidden": random.normal(0, 1, 4000), "a $trange name": np.array([0.0, 2.0])}
    figure = figures.coupling_histogram(blocks)
    text = " ".join(words(figure))
    assert "visible-hidden: 4\N{THIN SPACE}000 pairs" in text
    assert r"r.m.s. $1.41\ k_\mathrm{B}T$" in text
    assert "coupling $J$ " + ENERGY in text
    low, high = figure.axes[0].get_xlim()
    assert low == pytest.approx(-high)
    words(figures.coupling_histogram({"zero": np.zeros(3)}))


@pytest.mark.parametrize(
    ("eigenvalues", "stated", "above"),
    [
        ([-3.0, 0, 5, 24.4], "none of 4 modes above", 0),
        ([-3.0, 24.6, 50], "two of 3 modes above", 2),
        ([25.0], "one of 1 modes above", 1),
        (list(range(1, 1201)), "1\N{THIN SPACE}176 of 1\N{THIN SPACE}200 modes above", 1176),
    ],
)
def test_mode_spectrum_counts_the_modes_on_each_side_of_the_growth_line(
    eigenvalues: list[float], stated: str, above: int
) -> None:
    figure = figures.mode_spectrum(eigenvalues, 24.5)
    text = " ".join(words(figure))
    assert stated in text
    assert r"1/\langle x^2 \rangle_0 = 24.5\ k_\mathrm{B}T" in text
    assert "eigenvalue of $-J$ " + ENERGY in text
    bars = [bar for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    centres = np.array([bar.get_x() + bar.get_width() / 2 for bar in bars])
    heights = np.array([bar.get_height() for bar in bars])
    dark = np.array([to_hex(bar.get_facecolor()) == BLUE for bar in bars])
    # Bars are stacked: the second series stands on the first, and a bar has one colour only.
    assert heights[(centres > 24.5) & dark].sum() == above
    assert heights[(centres < 24.5) & ~dark].sum() == len(eigenvalues) - above


def test_class_histogram_draws_inverted_samples_downwards_and_labels_them_positively() -> None:
    figure = figures.class_histogram([17, 27, 0], [10, 0, 3], ["0", "1", "?"])
    bars = [bar.get_height() for bar in figure.axes[0].patches if isinstance(bar, Rectangle)]
    assert bars == [17, 27, 0, -10, 0, -3]
    written = words(figure)
    assert {"17", "27", "10", "3", "0", "1", "?", "upright", "inverted", "samples"} <= set(written)
    assert not any(word.startswith(("-", "−")) for word in written)


# Films


@pytest.mark.parametrize(("chains", "records"), [(1, 1), (1, 7), (5, 12)])
def test_a_film_has_a_frame_for_every_record(tmp_path: Path, chains: int, records: int) -> None:
    still = np.repeat(states(chains)[:, None], records, axis=1)
    path = figures.animation(still, np.arange(records) * 1e-3, SHAPE, tmp_path / "new" / "film.gif")
    with Image.open(path) as film:
        assert getattr(film, "n_frames", 1) == records
        film.seek(records - 1)
        assert records == 1 or film.info["duration"] == 2000
        assert records == 1 or film.info["loop"] == 0


def test_a_film_shows_each_pixel_of_each_picture(tmp_path: Path) -> None:
    pattern = np.where(np.arange(15) % 4 < 2, 1.0, -1.0)  # neither symmetric nor antisymmetric in any way
    trajectories = np.stack([[pattern, -pattern], [-pattern, -pattern], [pattern, pattern]])
    path = figures.animation(trajectories, [0.0, 1.0], SHAPE, tmp_path / "film.gif")
    with Image.open(path) as film:
        for record in range(2):
            film.seek(record)
            red = np.asarray(film.convert("RGB")).astype(int)[..., 0]
            zoom = (movie.WIDTH // 2 - movie.GAP) // 5
            pitch_down, pitch_right = 3 * zoom + movie.GAP, 5 * zoom + movie.GAP
            left = (red.shape[1] - 2 * pitch_right + movie.GAP) // 2
            for chain, (down, right) in enumerate([(0, 0), (0, 1), (1, 0)]):
                rows = movie.GAP + down * pitch_down + zoom // 2 + zoom * np.arange(3)
                columns = left + right * pitch_right + zoom // 2 + zoom * np.arange(5)
                dark = red[np.ix_(rows, columns)] < 100
                assert np.array_equal(dark, trajectories[chain, record].reshape(SHAPE) > 0)


@pytest.mark.parametrize(("chains", "shape"), [(25, (28, 28)), (12, (28, 28)), (49, (8, 8))])
def test_a_film_of_pure_noise_stays_small(tmp_path: Path, chains: int, shape: tuple[int, int]) -> None:
    noise = np.random.default_rng(3).normal(size=(chains, 61, shape[0] * shape[1])).astype(np.float32)
    path = figures.animation(noise, np.linspace(0, 2.5, 61), shape, tmp_path / "noise.gif")
    with Image.open(path) as film:
        assert 30 <= getattr(film, "n_frames", 1) <= movie.MAX_FRAMES
        assert max(film.size) <= 400
    assert path.stat().st_size < 1_500_000


def test_a_film_that_cannot_be_written_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StorageError, match="cannot write"):
        figures.animation(states(1, 2), [0, 1], SHAPE, tmp_path / "file" / "film.gif")


# Files


@pytest.mark.parametrize(("name", "magic"), [("a.png", b"\x89PNG"), ("b.PDF", b"%PDF"), ("c/d.svg", b"<?xml")])
def test_figures_are_saved_as_their_ending_says(tmp_path: Path, name: str, magic: bytes) -> None:
    path = figures.save(figures.outcomes(states(3), SHAPE), tmp_path / name)
    assert path == tmp_path / name
    assert path.read_bytes().startswith(magic)
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_png_and_pdf_of_one_figure_are_the_same_each_time(tmp_path: Path) -> None:
    for name in ("a.png", "a.pdf"):
        first, second = (figures.save(figures.outcomes(states(3), SHAPE), tmp_path / name).read_bytes() for _ in "12")
        assert first == second


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match=r"must be \.png, \.pdf, \.svg"):
        figures.save(figures.outcomes(states(1), SHAPE), tmp_path / "a.jpg")


# Wrong input

GAP = states(2, 3)
GAP[1, 2, 4] = np.inf

WRONG: list[tuple[Callable[[], object], str]] = [
    (
        lambda: figures.noising_filmstrip(states(2), [0, 1], SHAPE),
        r"\(images, records, visible\), got float64 \(2, 15\)",
    ),
    (lambda: figures.generation_filmstrips(states(2, 3), [0, 1], SHAPE), "3 records need as many times, got 2"),
    (lambda: figures.generation_filmstrips(states(2, 3), [0, 2, 2], SHAPE), "times must increase"),
    (lambda: figures.generation_filmstrips(states(2, 3), [0, 1, 2], (4, 4)), "15 units .* 4 × 4 pixels needs 16"),
    (lambda: figures.generation_filmstrips(states(2, 3), [0, 1, 2], (-3, -5)), "15 units"),
    (lambda: figures.generation_filmstrips(GAP, [0, 1, 2], SHAPE), r"trajectories\[1, 2, 4\] is not finite"),
    (lambda: figures.generation_filmstrips(states(99, 9), range(9), SHAPE), f"pass at most {MAX_TILES}"),
    (lambda: figures.outcomes([[1, 2], [3]], (1, 2)), r"states must be real numbers of shape \(samples, visible\)"),
    (lambda: figures.outcomes(states(2) * 1j, SHAPE), "real numbers .* complex128"),
    (lambda: figures.outcomes(np.empty((0, 15)), SHAPE), r"got float64 \(0, 15\)"),
    (lambda: figures.outcomes(states(MAX_TILES + 1), SHAPE), "401 pictures do not fit"),
    (lambda: figures.outcomes(states(2), SHAPE, columns=0), "at least one column, got 0"),
    (lambda: figures.outcomes(states(2), SHAPE, titles=["a"]), "2 pictures need as many titles, got 1"),
    (lambda: figures.receptive_fields(states(4), SHAPE), "4 units .* 3 × 5 pixels needs 15"),
    (lambda: figures.receptive_fields(states(4).T, SHAPE, count=0), "count must be at least 1, got 0"),
    (lambda: figures.heat_histogram([], 0, 0), r"heat must be real numbers of shape \(samples\)"),
    (lambda: figures.heat_histogram([1, np.nan], 0, 0), r"heat\[1\] is not finite"),
    (lambda: figures.heat_histogram([1, 2], np.nan, 1), "the mean heat is nan"),
    (lambda: figures.convergence([1, 2], [1], "x", "y"), "same length, got 2 and 1"),
    (lambda: figures.coupling_histogram({}), "between 1 and 6 blocks"),
    (lambda: figures.coupling_histogram({"vh": [1.0], "hh": []}), r"hh must be real numbers of shape \(pairs\)"),
    (lambda: figures.mode_spectrum([1.0], 0.0), "must be positive, got 0"),
    (lambda: figures.mode_spectrum([1.0], np.nan), "must be positive, got nan"),
    (lambda: figures.mode_spectrum([[1.0]], 1.0), r"eigenvalues .* \(units\), got float64 \(1, 1\)"),
    (lambda: figures.class_histogram([1, 2], [1, 2], ["a"]), "2 upright and 2 inverted counts for 1 labels"),
    (lambda: figures.class_histogram([1, -2], [1, 2], ["a", "b"]), "must not be negative"),
    (lambda: figures.animation(states(2, 3), [0, 1], SHAPE, "never.gif"), "3 records need as many times"),
    (lambda: figures.animation(np.ones((1, 1, 10**6)), [0], (1000, 1000), "never.gif"), "1000000 pixels in a frame"),
]


@pytest.mark.parametrize(("draw", "message"), WRONG)
def test_wrong_input_is_refused_with_its_place(draw: Callable[[], object], message: str) -> None:
    with pytest.raises(DatasetError, match=message):
        draw()


def test_figures_touch_no_global_state(tmp_path: Path) -> None:
    code = """
import sys, matplotlib
before = dict(matplotlib.rcParams)
from thermohw import figures
figures.save(figures.mode_spectrum([1, 30], 24.5), sys.argv[1])
assert dict(matplotlib.rcParams) == before and "matplotlib.pyplot" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "a.svg")], cwd=ROOT, capture_output=True, check=True)
