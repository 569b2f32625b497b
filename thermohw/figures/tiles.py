# SPDX-License-Identifier: Apache-2.0
"""Many small pictures on one sheet, under one colour scale."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from thermohw.errors import DatasetError
from thermohw.figures.canvas import symmetric_limit

MAX_TILES = 400
"""Most pictures that one sheet shows legibly."""

_INCHES = 0.75
_GAP = 0.08
_TITLE_ROOM = 0.22


@dataclass(frozen=True)
class ColourScale:
    """What the colours of a sheet mean: the map and the label of its colour bar."""

    colours: Colormap
    label: str


def sheet(
    pictures: NDArray[np.float64],
    columns: int,
    scale: ColourScale,
    *,
    titles: Sequence[str] | None = None,
    x_names: Sequence[str] = (),
    y_names: Sequence[str] = (),
) -> Figure:
    """Draw pictures line by line in one coordinate system, whose ticks stand at their centres.

    Args:
        pictures: (pictures, rows, columns) values; all share one colour scale, symmetric about zero.
        columns: Pictures in a line.
        scale: Colours and their label.
        titles: (pictures,) words above each.
        x_names: (columns,) words below the last line.
        y_names: (lines,) words left of each line.

    Raises:
        DatasetError: Too many pictures, fewer than one column, or not as many titles as pictures.
    """
    count = len(pictures)
    if count > MAX_TILES:
        raise DatasetError(f"{count} pictures do not fit one figure; pass at most {MAX_TILES}")
    if columns < 1:
        raise DatasetError(f"a figure needs at least one column, got {columns}")
    if titles is not None and len(titles) != count:
        raise DatasetError(f"{count} pictures need as many titles, got {len(titles)}")
    width, height = np.array(pictures.shape[:0:-1]) / max(pictures.shape[1:])
    room = _TITLE_ROOM if titles else 0.0
    left = np.arange(min(columns, count)) * (width + _GAP)
    top = room + np.arange(-(-count // columns)) * (height + _GAP + room)
    right, bottom = left[-1] + width, top[-1] + height

    figure = Figure(figsize=(max(_INCHES * right + 0.6, 3.2), _INCHES * bottom + 1.1), layout="constrained")
    axes = figure.add_subplot(aspect="equal")
    limit = symmetric_limit(pictures)
    for index, picture in enumerate(pictures):
        x, y = left[index % columns], top[index // columns]
        place = (x, x + width, y + height, y)
        axes.imshow(picture, scale.colours, vmin=-limit, vmax=limit, extent=place, origin="upper", interpolation="none")
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor="0.7", linewidth=0.5))
        if titles:
            axes.text(x + width / 2, y - 0.03, titles[index], ha="center", va="bottom", fontsize=7, parse_math=False)
    margin = 0.02
    axes.set(xlim=(-margin, right + margin), ylim=(bottom + margin, -margin))
    axes.set_xticks(left[: len(x_names)] + width / 2, list(x_names))
    axes.set_yticks(top[: len(y_names)] + height / 2, list(y_names))
    axes.tick_params(length=0, labelsize=8)
    axes.spines[:].set_visible(False)
    _add_colour_bar(figure, scale, limit, clipped=bool((np.abs(pictures) > limit).any()))
    return figure


def _add_colour_bar(figure: Figure, scale: ColourScale, limit: float, *, clipped: bool) -> None:
    mappable = ScalarMappable(Normalize(-limit, limit), scale.colours)
    extend = "both" if clipped else "neither"
    shrink = min(1.0, 2.4 / figure.get_figwidth())
    bar = figure.colorbar(mappable, ax=figure.axes, location="bottom", shrink=shrink, aspect=25, extend=extend)
    bar.set_label(scale.label, fontsize=8)
    bar.set_ticks([-limit, 0, limit], labels=[f"−{limit:.2g}", "0", f"{limit:.2g}"])
    bar.ax.tick_params(labelsize=8, width=0.5)
    bar.outline.set(linewidth=0.5, edgecolor="0.5")
