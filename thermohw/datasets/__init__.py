# SPDX-License-Identifier: Apache-2.0
"""Where images come from: drawn glyphs, scikit-learn's digits, MNIST files, and stacks of one's own."""

from thermohw.datasets.built_in import digits, glyphs
from thermohw.datasets.mnist_files import MNIST_MIRROR, Mirror, mnist
from thermohw.datasets.sources import load
from thermohw.datasets.stacks import stack

__all__ = ["MNIST_MIRROR", "Mirror", "digits", "glyphs", "load", "mnist", "stack"]
