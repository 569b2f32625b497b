# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Piecewise-linear biases inside compiled kernels; numba infers the argument types."""

import numpy as np

from thermohw.langevin.jit import inlined


@inlined
def biases_at(step, knot_steps, knot_biases, out):
    """Interpolate the biases (units,) at a step number; constant outside the knots."""
    last = knot_steps.size - 1
    if step <= knot_steps[0]:
        out[:] = knot_biases[0]
    elif step >= knot_steps[last]:
        out[:] = knot_biases[last]
    else:
        right = np.searchsorted(knot_steps, step, side="right")
        share = (step - knot_steps[right - 1]) / (knot_steps[right] - knot_steps[right - 1])
        for j in range(out.size):
            out[j] = knot_biases[right - 1, j] + share * (knot_biases[right, j] - knot_biases[right - 1, j])
