# SPDX-License-Identifier: Apache-2.0
"""Random numbers that belong to a coupler, a unit or a reading: each a function of the seed and of what it is for."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import ndtri

from thermohw.langevin.noise import words

DEVICE, WRITING, READING = 16, 17, 18
"""Streams of the counter-based noise: a device's fixed errors, those of writing a program, and those of a reading."""


@dataclass(frozen=True)
class Draws:
    """Numbers keyed by a seed and a stream, by the name of what they are for, and by one or two indices.

    The error of the coupler of units i and j is the same whatever other pairs a program has, so that a device keeps
    its identity from program to program.

    Attributes:
        seed: The device seed, or a run's.
        stream: DEVICE, WRITING or READING.
    """

    seed: int
    stream: int

    def uniforms(self, name: str, first: ArrayLike, second: ArrayLike = 0) -> NDArray[np.float64]:
        """Get uniform numbers in (0, 1) for indices, which broadcast; returns their shape."""
        word = words(self.seed, first, crc32(name.encode()), second, self.stream)[..., 0]
        return (word.astype(np.float64) + 0.5) * 2.0**-32

    def normals(self, name: str, first: ArrayLike, second: ArrayLike = 0) -> NDArray[np.float64]:
        """Get standard normal numbers for indices, which broadcast; returns their shape."""
        return np.asarray(ndtri(self.uniforms(name, first, second)))


def positive_factors(relative: float, normals: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get log-normal factors of mean 1 and standard deviation `relative`: errors of quantities that stay positive."""
    variance = np.log1p(relative**2)
    return np.exp(np.sqrt(variance) * normals - variance / 2)
