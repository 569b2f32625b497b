# SPDX-License-Identifier: Apache-2.0
"""The shipped folders are found in a checkout and in an installation. `.ci/run` does the same with a built wheel."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from thermohw.shipped import ShippedName, shipped_folder

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", ["devices", "calibration"])
def test_checkout_uses_its_own_folders(name: ShippedName) -> None:
    assert shipped_folder(name) == ROOT / name
    assert (shipped_folder(name) / "README.md").is_file()


@pytest.fixture
def site_packages(tmp_path: Path) -> Path:
    """Lay out the least of the package as an installer would, beside a `devices` folder of somebody else's."""
    package = tmp_path / "thermohw"
    package.mkdir()
    for module in ("errors.py", "shipped.py"):
        shutil.copy(ROOT / "thermohw" / module, package)
    (package / "__init__.py").touch()
    (tmp_path / "devices").mkdir()
    return tmp_path


def ask(site_packages: Path) -> subprocess.CompletedProcess[str]:
    code = "from thermohw.shipped import shipped_folder; print(shipped_folder('devices'))"
    return subprocess.run([sys.executable, "-c", code], cwd=site_packages, capture_output=True, text=True, check=False)


def test_installation_uses_its_copy(site_packages: Path) -> None:
    copy = site_packages / "thermohw" / "_shipped" / "devices"
    copy.mkdir(parents=True)
    assert ask(site_packages).stdout.strip() == str(copy.resolve())


def test_installation_without_a_copy_takes_no_stranger_folder(site_packages: Path) -> None:
    answer = ask(site_packages)
    assert answer.returncode == 1
    assert "StorageError: no folder 'devices'" in answer.stderr
