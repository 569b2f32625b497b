# SPDX-License-Identifier: Apache-2.0
"""The short form in which a command line names its images."""

from thermohw.datasets.built_in import digits, glyphs
from thermohw.datasets.mnist_files import mnist
from thermohw.datasets.stacks import stack
from thermohw.errors import DatasetError
from thermohw.images import Images

FORMS = (
    "mnist:DIR (a folder with MNIST files)",
    "glyphs:012 (characters to draw)",
    "digits (scikit-learn's)",
    "npz:FILE (an .npz or .npy stack)",
)


def load(spec: str, *, download: bool = False) -> Images:
    """Get the images that a short form names: `mnist:DIR`, `glyphs:012`, `digits` or `npz:FILE`.

    Args:
        spec: The short form.
        download: Fetch MNIST into its folder if it is not there.

    Raises:
        DatasetError: Another form, or images that cannot be used.
        StorageError: A file that cannot be read.
        FileFormatError: A file that is damaged.
    """
    kind, colon, argument = spec.partition(":")
    match kind:
        case "digits" if not colon:
            return digits()
        case "glyphs" if argument:
            return glyphs(argument)
        case "mnist" if argument and "\0" not in argument:
            return mnist(argument, download=download)
        case "npz" if argument and "\0" not in argument:
            return stack(argument)
        case _:
            raise DatasetError(f"cannot take images from {spec!r}; say {', '.join(FORMS[:-1])} or {FORMS[-1]}")
