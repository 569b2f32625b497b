# SPDX-License-Identifier: Apache-2.0
"""A short film of noise turning into images, as a GIF."""

import io
import math
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import ArrayLike, NDArray
from PIL import Image

from thermohw.errors import DatasetError
from thermohw.figures.canvas import STATES, TIME_LABEL, as_records, symmetric_limit
from thermohw.storage import write_atomically

MAX_FRAMES = 60
"""Most frames of a film; of more records, evenly chosen ones are shown."""
BUDGET = 1_500_000
"""Most frames × pixels × magnification: the size of a film of pure noise goes with it, at 0.8 bytes each (measured)."""
WIDTH, GAP, CAPTION = 364, 6, 34
"""Greatest width of a grid, gap between pictures and height of the caption, screen pixels."""

_FRAME_SECONDS, _LAST_SECONDS = 0.08, 2.0
_BLUES, _GREYS = 16, 16
_WHITE, _FRAME_GREY = _BLUES + _GREYS - 1, _BLUES + 11


@dataclass(frozen=True)
class _Layout:
    """How many pictures stand side by side, and how many screen pixels a pixel is wide."""

    across: int
    zoom: int

    @staticmethod
    def of(chains: int, rows: int, columns: int) -> "_Layout":
        across = min(chains, math.ceil(math.sqrt(chains * rows / columns)))
        return _Layout(across, max(1, (WIDTH // across - GAP) // columns))


def animation(trajectories: ArrayLike, times: ArrayLike, shape: tuple[int, int], path: str | os.PathLike[str]) -> Path:
    """Write an endless GIF of trajectories side by side in a grid with the time below, atomically, and get its path.

    The last frame stands for two seconds. At most 60 records are shown, fewer where the file would exceed 1.5 MB.

    Args:
        trajectories: (chains, records, visible) states, dimensionless.
        times: (records,) times, 1/(μ k_BT), increasing.
        shape: (rows, columns) of one image.
        path: The file to write.

    Raises:
        DatasetError: Wrong shapes, numbers that are not finite, or too many pixels for a film.
        StorageError: The file cannot be written.
    """
    pictures, clock = as_records(trajectories, times, "chains, records, visible", shape)
    layout = _Layout.of(len(pictures), *shape)
    cost = layout.zoom * pictures[:, 0].size
    if 2 * cost > BUDGET:
        raise DatasetError(f"{pictures[:, 0].size} pixels in a frame are too many for a film; pass fewer chains")
    length = min(len(clock), MAX_FRAMES, BUDGET // cost)
    shown = np.linspace(0, len(clock) - 1, length).round().astype(int)
    limit = symmetric_limit(pictures)
    levels = np.clip((pictures[:, shown] / limit + 1) / 2 * _BLUES, 0, _BLUES - 1).astype(np.uint8)
    decimals = math.ceil(-math.log10(np.diff(clock).min())) if len(clock) > 1 else 2
    decimals = min(max(decimals, 2), 9)
    captions = [f"{TIME_LABEL}  =  {clock[record]:.{decimals}f}" for record in shown]
    frames = [_compose(levels[:, index], layout, caption) for index, caption in enumerate(captions)]
    return write_atomically(path, _encode(frames))


def _compose(levels: NDArray[np.uint8], layout: _Layout, caption: str) -> NDArray[np.uint8]:
    """Compose a frame of palette indices from pictures (chains, rows, columns) of blue levels."""
    chains, rows, columns = levels.shape
    across, zoom = layout.across, layout.zoom
    height, width = zoom * rows + GAP, zoom * columns + GAP
    down = math.ceil(chains / across)
    frame = np.full((height * down + GAP + CAPTION, max(width * across + GAP, WIDTH // 2)), _WHITE, np.uint8)
    margin = (frame.shape[1] - width * across + GAP) // 2
    for index, picture in enumerate(levels):
        top, left = GAP + height * (index // across), margin + width * (index % across)
        frame[top - 1 : top + zoom * rows + 1, left - 1 : left + zoom * columns + 1] = _FRAME_GREY
        frame[top : top + zoom * rows, left : left + zoom * columns] = picture.repeat(zoom, 0).repeat(zoom, 1)
    frame[-CAPTION:] = _letter(caption, frame.shape[1])
    return frame


def _letter(caption: str, width: int) -> NDArray[np.uint8]:
    """Get a caption as grey palette indices (CAPTION, width)."""
    figure = Figure(figsize=(width / 100, CAPTION / 100), dpi=100, facecolor="white")
    figure.text(0.5, 0.5, caption, ha="center", va="center", fontsize=9, color="black")
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    ink = np.asarray(canvas.buffer_rgba(), np.uint16)[..., 0]
    return (_BLUES + ink * (_GREYS - 1) // 255).astype(np.uint8)


def _encode(frames: list[NDArray[np.uint8]]) -> bytes:
    blues = STATES(np.linspace(0, 1, _BLUES))[:, :3]
    greys = np.linspace(0, 1, _GREYS)[:, None].repeat(3, 1)
    palette = np.rint(255 * np.concatenate([blues, greys])).astype(int).ravel().tolist()
    images = [Image.fromarray(frame) for frame in frames]
    for image in images:
        image.putpalette(palette)
    milliseconds = [round(1000 * _FRAME_SECONDS)] * (len(images) - 1) + [round(1000 * _LAST_SECONDS)]
    buffer = io.BytesIO()
    images[0].save(buffer, "GIF", save_all=True, append_images=images[1:], duration=milliseconds, loop=0)
    return buffer.getvalue()
