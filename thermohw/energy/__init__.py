# SPDX-License-Identifier: Apache-2.0
"""Energy per sample: ledgers of devices, digital baselines, and the advantage of one over the other."""

from thermohw.energy.advantage import Advantage as Advantage
from thermohw.energy.advantage import BreakEven as BreakEven
from thermohw.energy.advantage import break_even as break_even
from thermohw.energy.advantage import intrinsic_advantage as intrinsic_advantage
from thermohw.energy.advantage import system_advantage as system_advantage
from thermohw.energy.baseline_files import Baseline as Baseline
from thermohw.energy.baseline_files import baseline_names as baseline_names
from thermohw.energy.baseline_files import digital_costs as digital_costs
from thermohw.energy.baseline_files import load_baseline as load_baseline
from thermohw.energy.baseline_files import parse_baseline as parse_baseline
from thermohw.energy.baseline_files import read_baseline as read_baseline
from thermohw.energy.comparison import Comparison as Comparison
from thermohw.energy.comparison import TextTable as TextTable
from thermohw.energy.comparison import joules_text as joules_text
from thermohw.energy.digital import DigitalBaseline as DigitalBaseline
from thermohw.energy.digital import DigitalCost as DigitalCost
from thermohw.energy.ledger import ROW_NAMES as ROW_NAMES
from thermohw.energy.ledger import Ledger as Ledger
from thermohw.energy.ledger import Row as Row
from thermohw.energy.ledger import device_ledger as device_ledger
from thermohw.energy.simulation import LangevinBaseline as LangevinBaseline
from thermohw.energy.workload import Workload as Workload
