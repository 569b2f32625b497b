# SPDX-License-Identifier: Apache-2.0
"""Checkpoints: an interrupted training resumes where it was, or says why it cannot."""

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw import __version__
from thermohw.errors import TrainingError
from thermohw.images import Images
from thermohw.storage import digest_arrays, load_arrays, save_arrays
from thermohw.training.config import TrainingConfig

SCHEMA = "thermohw-checkpoint/1"
FILE = "checkpoint.npz"
INTERVAL = 5.0
"""Seconds between saves."""


def fingerprint(images: Images, config: TrainingConfig, device: str) -> str:
    """Get a digest of all that a training depends on, 64 hex digits."""
    arrays = digest_arrays({"pixels": images.pixels, "labels": images.labels})
    return hashlib.sha256(f"{__version__}|{arrays}|{config.model_dump_json()}|{device}".encode()).hexdigest()


@dataclass
class Checkpoint:
    """Arrays saved from time to time in a training's folder; without a folder nothing is saved.

    Attributes:
        folder: Where `checkpoint.npz` stands, or None.
        fingerprint: Of the training that it belongs to.
    """

    folder: Path | None
    fingerprint: str
    _saved_at: float = field(default_factory=time.monotonic, init=False)

    def load(self, shapes: Mapping[str, tuple[int, ...]]) -> dict[str, NDArray[Any]]:
        """Get the saved arrays, or none if nothing was saved.

        Raises:
            TrainingError: The checkpoint belongs to another training.
            FileFormatError: The checkpoint is damaged.
        """
        if self.folder is None or not (self.folder / FILE).exists():
            return {}
        arrays = load_arrays(self.folder / FILE, SCHEMA, ("fingerprint",))
        if str(arrays.pop("fingerprint")) != self.fingerprint:
            raise TrainingError(
                f"{self.folder / FILE} belongs to a training with other images, settings, device or version of "
                "thermohw; repeat those to resume it, choose another folder, or delete the file"
            )
        if {name: array.shape for name, array in arrays.items()} != dict(shapes):
            raise TrainingError(f"{self.folder / FILE} does not hold {', '.join(shapes)} of the shapes expected")
        return arrays

    def save(self, arrays: Mapping[str, NDArray[Any]], last: bool = False) -> None:
        """Save the arrays if the last save is old, or if this is the last."""
        if self.folder is None or (not last and time.monotonic() - self._saved_at < INTERVAL):
            return
        save_arrays(self.folder / FILE, SCHEMA, {**arrays, "fingerprint": np.array(self.fingerprint)})
        self._saved_at = time.monotonic()

    def discard(self) -> None:
        """Delete the checkpoint, and what killed processes left of one, when the training has been saved as a whole."""
        if self.folder is not None:
            for file in (self.folder / FILE, *self.folder.glob(f".{FILE}.*.part")):
                file.unlink(missing_ok=True)
