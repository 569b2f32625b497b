# SPDX-License-Identifier: Apache-2.0
"""A virtual instrument: any device behind the line that a board has (docs/protocol.md), as `thermohw serve` runs it."""

from thermohw.instrument.faults import FaultRates as FaultRates
from thermohw.instrument.instrument import Instrument as Instrument
from thermohw.instrument.server import Server as Server
from thermohw.instrument.tcp import TcpEndpoint as TcpEndpoint
from thermohw.instrument.tcp import parse_address as parse_address
from thermohw.instrument.terminal import TerminalEndpoint as TerminalEndpoint
