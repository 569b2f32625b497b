# SPDX-License-Identifier: Apache-2.0
"""Images that need no file: characters drawn like MNIST digits, and scikit-learn's digits."""

from pathlib import Path
from typing import Any, cast

import matplotlib
import numpy as np
from matplotlib.backends.backend_agg import RendererAgg
from matplotlib.font_manager import FontProperties
from matplotlib.ft2font import FT2Font
from matplotlib.path import Path as Outline
from matplotlib.textpath import TextToPath
from matplotlib.transforms import Affine2D
from numpy.typing import NDArray

from thermohw.errors import DatasetError
from thermohw.images import Images

BOX = 20 / 28
"""Larger side of a character's bounding box over the side of the image, as in MNIST."""

SIZES = (8, 512)
"""Smallest and largest side of a drawn image, pixels."""


def glyphs(characters: str = "012", *, size: int = 28) -> Images:
    """Draw characters as MNIST presents its digits: larger side 20 of 28 pixels, centre of mass in the middle.

    The font is DejaVu Sans, which comes with matplotlib. Its digits cover 13.4 % of the image, MNIST's 13.3 % (the bold
    weight: 22 %). The images are the same on every machine with the same matplotlib, whatever its settings.

    Args:
        characters: What to draw, one image a character, none twice.
        size: Side of the images, pixels.

    Returns:
        Images with pixels 0 (paper) … 255 (ink), anti-aliased. Labels are the digits themselves where all characters
        are digits 0 … 9, and positions in `characters` otherwise.

    Raises:
        DatasetError: Nothing to draw, a character that the font lacks or leaves blank, or an unusable size.
    """
    if not characters:
        raise DatasetError("glyphs need at least one character, such as '012'")
    if not SIZES[0] <= size <= SIZES[1]:
        raise DatasetError(f"size must lie in {SIZES[0]} … {SIZES[1]} pixels, got {size}")
    twice = next((character for character in characters if characters.count(character) > 1), None)
    if twice is not None:
        raise DatasetError(f"character {twice!r} stands twice in {characters!r}; every glyph must be another pattern")
    are_digits = characters.isascii() and characters.isdigit()
    labels = [int(character) if are_digits else index for index, character in enumerate(characters)]
    pixels = np.stack([_draw(_outline(character), size) for character in characters])
    return Images(pixels, np.array(labels, np.int64), f"glyphs:{characters} ({size} × {size})")


def digits() -> Images:
    """Get scikit-learn's 1797 handwritten digits, 8 × 8 pixels 0 … 16, labels 0 … 9 (UCI, Alpaydin & Kaynak 1998).

    Raises:
        DatasetError: scikit-learn is not installed.
    """
    try:
        from sklearn.datasets import load_digits  # an optional extra, and slow to import
    except ImportError as error:
        raise DatasetError("these digits come with scikit-learn: pip install thermohw[data]") from error
    bunch = cast(Any, load_digits())
    return Images(bunch.images, bunch.target, "scikit-learn digits")


def _outline(character: str) -> Outline:
    """Get a character's outline from the font file itself: a family name could mean another font elsewhere."""
    font = Path(matplotlib.get_data_path()) / "fonts" / "ttf" / "DejaVuSans.ttf"
    if not FT2Font(str(font)).get_char_index(ord(character)):
        raise DatasetError(f"DejaVu Sans has no character {character!r} (U+{ord(character):04X})")
    vertices, codes = TextToPath().get_text_path(FontProperties(fname=font), character)
    if not len(codes) or not np.ptp(vertices, axis=0).all():
        raise DatasetError(f"character {character!r} (U+{ord(character):04X}) leaves no ink")
    return Outline(np.array(vertices), codes)


def _draw(outline: Outline, size: int) -> NDArray[np.float64]:
    """Draw an outline twice: in the middle of the image, then with its centre of mass there."""
    box = outline.get_extents()
    scale = BOX * size / max(box.width, box.height)
    middle = Affine2D().translate(-(box.x0 + box.width / 2), -(box.y0 + box.height / 2)).scale(scale)
    middle.translate(size / 2, size / 2)
    ink = _rasterize(outline, middle, size)
    offset = np.arange(size) + 0.5 - size / 2
    margin = (1 - BOX) / 2 * size
    right, down = np.clip(np.array([ink.sum(axis=0) @ offset, ink.sum(axis=1) @ offset]) / ink.sum(), -margin, margin)
    return _rasterize(outline, middle.translate(-right, down), size)


def _rasterize(outline: Outline, transform: Affine2D, size: int) -> NDArray[np.float64]:
    """Get the ink (size, size), 0 … 255, with the Agg renderer alone: a figure would take global settings."""
    renderer = RendererAgg(size, size, dpi=72)
    context = renderer.new_gc()
    context.set_linewidth(0)
    context.set_snap(False)
    renderer.draw_path(context, outline, transform, (0.0, 0.0, 0.0))
    return np.asarray(renderer.buffer_rgba(), np.float64)[..., 3]
