# SPDX-License-Identifier: Apache-2.0
"""A virtual instrument: any device behind the line that a board has (docs/protocol.md), as `thermohw serve` runs it."""

from thermohw.instrument.instrument import Instrument as Instrument
