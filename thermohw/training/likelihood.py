# SPDX-License-Identifier: Apache-2.0
"""Training in closed form: the most likely couplings solve a linear system."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, cg

from thermohw.errors import TrainingError
from thermohw.training.quadratic import PathQuadratic

Floats = NDArray[np.float64]
TOLERANCE = 5e-7
"""Relative size of the gradient at which conjugate gradients stop."""
MAX_ITERATIONS = 2000


@dataclass(frozen=True, eq=False)
class Solution:
    """A trained parameter vector and how it was reached.

    Attributes:
        z: (size,) parameters; see `PathQuadratic`.
        curve: (points, 2) convergence: iteration or descent time, and f(z) − f(0) per unit time.
        gradient_norm: |∂f/∂z| at z, relative to its value at zero.
    """

    z: Floats
    curve: Floats
    gradient_norm: float


def maximize_likelihood(quadratic: PathQuadratic) -> Solution:
    """Solve ∂f/∂z = 0 by conjugate gradients with the Hessian's diagonal as preconditioner.

    Raises:
        TrainingError: No convergence: the system is singular, as with too few samples; raise `ridge`.
    """
    curve: list[float] = [0.0]
    z_before, product_at_z, direction, product = (np.zeros(quadratic.size) for _ in range(4))

    def multiply(z: Floats) -> Floats:
        direction[:] = z.ravel()
        product[:] = quadratic.hessian_product(direction)
        return product.copy()

    def follow(z: Floats) -> None:
        # an iterate moves along the direction multiplied last, so that H z needs no product of its own
        moved = float((z - z_before) @ direction) / float(direction @ direction)
        product_at_z[:] += moved * product
        z_before[:] = z
        curve.append(float((0.5 * product_at_z + quadratic.linear) @ z))

    shape = (quadratic.size, quadratic.size)
    hessian = LinearOperator(shape, matvec=multiply, dtype=np.float64)
    inverse = LinearOperator(shape, matvec=lambda z: z.ravel() / quadratic.curvature, dtype=np.float64)
    z, unconverged = cg(hessian, -quadratic.linear, rtol=TOLERANCE, maxiter=MAX_ITERATIONS, M=inverse, callback=follow)
    if unconverged:
        raise TrainingError(
            f"conjugate gradients did not converge in {MAX_ITERATIONS} iterations: the statistics do not determine "
            f"all {quadratic.size} parameters; use more trajectories or a ridge above {quadratic.ridge:g}"
        )
    gradient = np.linalg.norm(quadratic.gradient(z)) / np.linalg.norm(quadratic.linear)
    return Solution(z, np.stack([np.arange(len(curve)), curve], axis=1), float(gradient))
