# SPDX-License-Identifier: Apache-2.0
"""What the engine is measured against: bare matrix products, PyTorch, JAX and a bond-by-bond C++ loop.

Each function takes the size of the problem and returns a callable that advances all chains by some steps, or None
where what it needs is not installed.
"""

import importlib.util
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Step = Callable[[int], object]
Matrix = NDArray[np.float32]
J2, J4, DT = 10.0, 10.0, 1e-3


def bare_products(couplings: Matrix, visible: int, chains: int) -> Step:
    """Advance nothing: only the three float32 matrix products of a step, in NumPy, on all BLAS threads."""
    down, up = np.ascontiguousarray(couplings[visible:, :visible]), np.ascontiguousarray(couplings[:visible, visible:])
    across = np.ascontiguousarray(couplings[visible:, visible:])
    rng = np.random.default_rng(0)
    xv = rng.standard_normal((chains, visible), np.float32)
    xh = rng.standard_normal((chains, len(couplings) - visible), np.float32)
    if chains == 1:
        xv, xh = xv[0], xh[0]
    fv, fh, fhh = np.empty_like(xv), np.empty_like(xh), np.empty_like(xh)

    def step(steps: int) -> None:
        for _ in range(steps):
            np.dot(xh, down, out=fv)
            np.dot(xv, up, out=fh)
            np.dot(xh, across, out=fhh)

    return step


def torch_eager(couplings: Matrix, chains: int) -> Step | None:
    """Step with PyTorch, eagerly: one full product, `torch.randn`, element-wise updates."""
    if importlib.util.find_spec("torch") is None:
        return None
    import torch

    torch.set_num_threads(2)
    matrix = torch.from_numpy(couplings)
    state = torch.zeros(chains, len(couplings))

    def step(steps: int) -> Any:
        x = state
        with torch.no_grad():
            for _ in range(steps):
                force = 2 * J2 * x + 4 * J4 * x**3 + x @ matrix
                x = x - DT * force + (2 * DT) ** 0.5 * torch.randn_like(x)
        return x

    return step


def jax_scan(couplings: Matrix, chains: int, steps: int) -> Step | None:
    """Step with JAX: `jit` of a `lax.scan` over the steps (their number is fixed when it is compiled)."""
    if importlib.util.find_spec("jax") is None:
        return None
    import jax
    import jax.numpy as jnp

    matrix, key = jnp.asarray(couplings), jax.random.key(0)

    @jax.jit
    def advance(x: Any) -> Any:
        def body(x: Any, k: Any) -> Any:
            force = 2 * J2 * x + 4 * J4 * x**3 + x @ matrix
            noise = jax.random.normal(jax.random.fold_in(key, k), x.shape, x.dtype)
            return x - DT * force + (2 * DT) ** 0.5 * noise, None

        return jax.lax.scan(body, x, jnp.arange(steps))[0]

    state = jnp.zeros((chains, len(couplings)), jnp.float32)
    return lambda _: advance(state).block_until_ready()


def bond_by_bond(steps: int) -> float | None:
    """Get the time per chain and step of the C++ loop, µs; None without a C++ compiler."""
    compiler = shutil.which("c++") or shutil.which("g++")
    if compiler is None:
        return None
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "bond_by_bond"
        source = Path(__file__).with_name("bond_by_bond.cpp")
        subprocess.run([compiler, "-O3", "-march=native", "-o", str(program), str(source)], check=True)
        printed = subprocess.run([str(program), str(steps)], check=True, capture_output=True, text=True).stdout
    return float(printed.split()[0])
