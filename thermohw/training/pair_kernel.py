# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Products of symmetric couplings on a list of pairs with low-rank moments; numba infers the argument types."""

from typing import Any

from thermohw.langevin.jit import compiled


@compiled
def project(pairs: Any, couplings: Any, G: Any, projected: Any) -> None:
    """Add J G to projected, J symmetric on the pairs."""
    for p in range(pairs.shape[0]):
        i, j, z = pairs[p, 0], pairs[p, 1], couplings[p]
        for a in range(G.shape[1]):
            projected[i, a] += z * G[j, a]
            projected[j, a] += z * G[i, a]


@compiled
def expand(pairs: Any, couplings: Any, D: Any, G: Any, T: Any, out: Any) -> None:
    """Set out_ij = (D_i + D_j) J_ij + [T Gᵀ + G Tᵀ]_ij on the pairs."""
    for p in range(pairs.shape[0]):
        i, j = pairs[p, 0], pairs[p, 1]
        total = 0.0
        for a in range(G.shape[1]):
            total += T[i, a] * G[j, a] + G[i, a] * T[j, a]
        out[p] = (D[i] + D[j]) * couplings[p] + total
