# SPDX-License-Identifier: Apache-2.0
"""Figures of states, couplings, heat and spectra, as matplotlib objects that touch no global state."""

from thermohw.figures.calibration_charts import calibration, calibration_differences, line_gains, pair_knowledge
from thermohw.figures.canvas import save
from thermohw.figures.charts import class_histogram, convergence, coupling_histogram, heat_histogram, mode_spectrum
from thermohw.figures.energy_charts import break_even_curves, energy_ledgers
from thermohw.figures.movie import animation
from thermohw.figures.pictures import generation_filmstrips, noising_filmstrip, outcomes, receptive_fields
from thermohw.figures.robustness import robustness

__all__ = [
    "animation",
    "break_even_curves",
    "calibration",
    "calibration_differences",
    "class_histogram",
    "convergence",
    "coupling_histogram",
    "energy_ledgers",
    "generation_filmstrips",
    "heat_histogram",
    "line_gains",
    "mode_spectrum",
    "noising_filmstrip",
    "outcomes",
    "pair_knowledge",
    "receptive_fields",
    "robustness",
    "save",
]
