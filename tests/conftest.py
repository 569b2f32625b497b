# SPDX-License-Identifier: Apache-2.0
"""What all tests share: reproducible hypothesis examples, and figures that need no screen."""

import os

from hypothesis import settings

os.environ["MPLBACKEND"] = "Agg"  # before anything imports matplotlib

# The first call of a compiled kernel takes seconds, hence no deadline; no retries, hence the same examples every time.
settings.register_profile("thermohw", derandomize=True, deadline=None, database=None)
settings.load_profile("thermohw")
