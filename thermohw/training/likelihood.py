# SPDX-License-Identifier: Apache-2.0
"""Training in closed form: the most likely couplings solve a linear system."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import Bounds, OptimizeResult, minimize
from scipy.sparse.linalg import LinearOperator, cg

from thermohw.errors import TrainingError
from thermohw.training.quadratic import PathQuadratic

Floats = NDArray[np.float64]
TOLERANCE = 5e-7
"""Relative size of the gradient at which conjugate gradients stop."""
MAX_ITERATIONS = 2000
BOUNDED_TOLERANCE = 1e-5
"""Largest component of the projected gradient, in units of the curvature, relative to its value at zero."""


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
    """Minimise f: solve ∂f/∂z = 0 by conjugate gradients with the Hessian's diagonal as preconditioner.

    Where the device's range is limited and the solution exceeds it, minimise f within the range.

    Raises:
        TrainingError: No convergence: the system is singular, as with too few samples; raise `ridge`.
    """
    free = _solve_free(quadratic)
    limit = quadratic.errors.limit
    if limit is None or np.abs(free.z[: len(quadratic.topology.pairs)]).max(initial=0.0) <= limit:
        return free
    return _solve_within(quadratic, limit, free.z)


def _solve_within(quadratic: PathQuadratic, limit: float, start: Floats) -> Solution:
    """Minimise f for couplings |J| ≤ limit by L-BFGS-B, in units of the curvature, from the clipped free solution.

    Raises:
        TrainingError: No convergence.
    """
    size = np.sqrt(quadratic.curvature)
    bound = np.full(quadratic.size, np.inf)
    bound[: len(quadratic.topology.pairs)] = limit
    scale = float(np.abs(quadratic.linear / size).max())
    curve = [0.0]

    def evaluate(scaled: Floats) -> tuple[float, Floats]:
        z = scaled / size
        product = quadratic.hessian_product(z)
        return float(quadratic.linear @ z + 0.5 * (z @ product)), (quadratic.linear + product) / size

    def follow(intermediate_result: OptimizeResult) -> None:
        curve.append(float(intermediate_result.fun))

    found = minimize(
        evaluate,
        np.clip(start, -bound, bound) * size,
        jac=True,
        method="L-BFGS-B",
        bounds=Bounds(-bound * size, bound * size),
        callback=follow,
        options={
            "maxiter": MAX_ITERATIONS,
            "maxfun": 2 * MAX_ITERATIONS,
            "ftol": 0.0,
            "gtol": BOUNDED_TOLERANCE * scale,
        },
    )
    # what lies on a bound in the scaled coordinates must lie on it exactly, not a rounding inside
    z = np.where(np.abs(found.x) >= bound * size, np.copysign(bound, found.x), found.x / size)
    missing = _projected_gradient(quadratic.gradient(z), z, bound) / size
    gradient = float(np.linalg.norm(missing) / np.linalg.norm(quadratic.linear / size))
    if gradient > 100 * BOUNDED_TOLERANCE:
        raise TrainingError(f"no convergence within |J| ≤ {limit:g} in {len(curve) - 1} iterations: {found.message}")
    return Solution(z, np.stack([np.arange(len(curve)), curve], axis=1), gradient)


def _projected_gradient(gradient: Floats, z: Floats, bound: Floats) -> Floats:
    """Get the gradient where f could still fall: zero where a bound is in the way."""
    blocked = ((z >= bound) & (gradient < 0)) | ((z <= -bound) & (gradient > 0))
    return np.where(blocked, 0.0, gradient)


def _solve_free(quadratic: PathQuadratic) -> Solution:
    """Solve ∂f/∂z = 0.

    Raises:
        TrainingError: No convergence.
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
