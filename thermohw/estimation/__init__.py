# SPDX-License-Identifier: Apache-2.0
"""What a device really is, estimated from its own readings, with errors: the forward half of the least squares."""

from thermohw.estimation.estimates import Estimates as Estimates
from thermohw.estimation.estimates import Method as Method
from thermohw.estimation.estimates import estimate as estimate
from thermohw.estimation.lines import LineMoments as LineMoments
from thermohw.estimation.lines import estimate_lines as estimate_lines
from thermohw.estimation.moments import LaggedMoments as LaggedMoments
from thermohw.estimation.pair_moments import PairMoments as PairMoments
from thermohw.estimation.pairs import PairEstimates as PairEstimates
from thermohw.estimation.pairs import PairPrior as PairPrior
from thermohw.estimation.pairs import estimate_pairs as estimate_pairs
from thermohw.estimation.probing import probe as probe
from thermohw.estimation.recipes import Recipe as Recipe
from thermohw.estimation.recipes import load_recipe as load_recipe
from thermohw.estimation.record import CalibrationRecord as CalibrationRecord
from thermohw.estimation.regression import Law as Law
