# SPDX-License-Identifier: Apache-2.0
"""RC networks in SPICE: netlists for ngspice, its runs in batch mode, and its raw files."""

from thermohw.spice.netlist import Netlist as Netlist
from thermohw.spice.ngspice import run as run
from thermohw.spice.rawfile import RawFile as RawFile
