# SPDX-License-Identifier: Apache-2.0
"""What all tests share: reproducible hypothesis examples, figures that need no screen, and kernels of this source."""

import hashlib
import os
import tempfile
from pathlib import Path

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

# numba notices an edit of a kernel's own file, but not of a file whose functions the kernel calls: one cache a source.
kernels = sorted((Path(__file__).parents[1] / "thermohw").rglob("*.py"))
digest = hashlib.sha256(
    b"".join(file.read_bytes() for file in kernels if file.stem.endswith(("_kernel", "jit", "noise")))
)
os.environ["NUMBA_CACHE_DIR"] = str(Path(tempfile.gettempdir()) / f"thermohw-kernels-{digest.hexdigest()[:16]}")

# The first call of a compiled kernel takes seconds, hence no deadline; no retries, hence the same examples every time.
settings.register_profile("thermohw", derandomize=True, deadline=None, database=None)
settings.load_profile("thermohw")
