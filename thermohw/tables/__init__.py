# SPDX-License-Identifier: Apache-2.0
"""Coupling tables: programs quantized to the codes that a board loads, and their file formats."""

from thermohw.tables.grids import Grid as Grid
from thermohw.tables.judging import SpuriousModesWarning as SpuriousModesWarning
from thermohw.tables.table import CouplingTable as CouplingTable
