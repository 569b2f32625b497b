# SPDX-License-Identifier: Apache-2.0
"""Where the folders that a lab edits are found: `devices/` and `calibration/`.

They stand at the root of a checkout, beside the package. A wheel carries a copy of them inside the package.
"""

from pathlib import Path
from typing import Literal

from thermohw.errors import StorageError

ShippedName = Literal["devices", "calibration"]
"""Names of the folders that ship with the package."""


def shipped_folder(name: ShippedName) -> Path:
    """Get a folder that ships with the package: the wheel's copy, or the checkout's own where there is no copy.

    Args:
        name: `devices` (device cards) or `calibration` (recipes and records).

    Raises:
        StorageError: The installation lacks the folder.
    """
    package = Path(__file__).resolve().parent
    checkout = package.parent
    installed = package / "_shipped" / name
    if installed.is_dir():
        return installed
    # In an installation the package's parent is site-packages, where a folder `devices` would be somebody else's.
    if (checkout / "pyproject.toml").is_file() and (checkout / name).is_dir():
        return checkout / name
    raise StorageError(
        f"no folder {name!r}: neither {installed} nor a checkout's {checkout / name}; reinstall thermohw"
    )
