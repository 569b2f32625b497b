# SPDX-License-Identifier: Apache-2.0
"""Couplings that act differently in their two directions."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
from pydantic import Field
from scipy import sparse

from thermohw.langevin.as_built import AsBuilt
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class NonreciprocalCouplings(DynamicsEffect):
    """Unit i feels K_ij = J_ij (1 + δ_ij) from unit j > i, which feels K_ji = J_ij (1 − δ_ij); δ_ij = d + σ g_ij.

    There is no potential then: heat is the Stratonovich work of the forces, and a steady state goes on emitting it.
    """

    stage: ClassVar[Stage] = Stage.DYNAMICS

    std: float = Field(
        default=0.0, ge=0, le=10, description="σ, of the asymmetry δ of each coupler, fixed for the device"
    )
    common: float = Field(
        default=0.0, ge=-10, le=10, description="d, asymmetry of all couplers: 1 has them act one way only"
    )

    @property
    def active(self) -> bool:
        """Get whether any coupling is asymmetric."""
        return bool(self.std or self.common)

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Make the coupling matrix asymmetric."""
        entries = sparse.coo_array(built.couplings)
        row, column = entries.row.astype(np.int64), entries.col.astype(np.int64)
        low, high = np.minimum(row, column), np.maximum(row, column)
        asymmetry = self.common + self.std * device.normals("nonreciprocal", low, high)
        values = entries.data * (1 + np.where(row < column, asymmetry, -asymmetry))
        return replace(built, couplings=sparse.coo_array((values, (row, column)), shape=entries.shape))
