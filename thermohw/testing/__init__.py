# SPDX-License-Identifier: Apache-2.0
"""Tools for testing devices, of this package and of others: needs pytest (`pip install "thermohw[test]"`)."""

import pytest

pytest.register_assert_rewrite("thermohw.testing.contract", "thermohw.testing.contract_physics")

from thermohw.testing.boltzmann import Boltzmann as Boltzmann  # noqa: E402
from thermohw.testing.contract import DeviceContract as DeviceContract  # noqa: E402
from thermohw.testing.expected_exchange import expected_exchange as expected_exchange  # noqa: E402
from thermohw.testing.means import assert_mean as assert_mean  # noqa: E402
from thermohw.testing.scripted_transport import ScriptedTransport as ScriptedTransport  # noqa: E402
