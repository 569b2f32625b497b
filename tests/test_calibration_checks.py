# SPDX-License-Identifier: Apache-2.0
"""Calibration against programs of others: thermox's paths and likelihood of linear computers, circuits in ngspice."""

import shutil
from functools import reduce
from importlib import import_module
from importlib.util import find_spec
from operator import add
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.stats import chi2

from thermohw import Program, Topology
from thermohw.backends import RCCircuit
from thermohw.estimation import Estimates, LaggedMoments, estimate
from thermohw.estimation.excitation import applied_biases
from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.engine import Dynamics
from thermohw.langevin.observer import TrajectoryPiece
from thermohw.spice import Netlist, run
from thermohw.spice.netlist import INTERVALS
from thermohw.spice.network import fastest_relaxation

Floats = NDArray[np.float64]
GROUPS = 20


def moments_of(paths: Floats, program: Program, applied: Floats, interval: float) -> LaggedMoments:
    """Get the moments of readings (readings, chains, units) under applied biases."""
    moments = LaggedMoments(applied, GROUPS)
    moments.observe(TrajectoryPiece(paths, Dynamics(AsBuilt.from_program(program), interval), 0, 0, 1))
    return moments


# thermox: exact paths and likelihood of Ornstein–Uhlenbeck processes


LINEAR = Program(
    Topology.complete(3), np.array([1.5, 1.0, 2.0]), np.zeros(3), np.array([0.3, -0.2, 0.5]), np.array([-1.2, 0.8, 0.5])
)
MOBILITY, KT, INTERVAL = 0.8, 1.2, 0.1
TRUTH = np.concatenate([LINEAR.J2, LINEAR.couplings, LINEAR.biases, np.full(3, np.log(MOBILITY)), [np.log(KT)]])
APPLIED = applied_biases(8, LINEAR.topology, LINEAR.biases, 5.0, None)


class OrnsteinUhlenbeck:
    """dx = −μ(K x + b + B) dt + √(2 μ kT) dW under each pattern of applied biases B, by thermox.

    Parameters θ: J2, couplings, biases, ln μ, each of all units or pairs, and ln kT, one for all units: with it and
    reciprocal couplings D^−½ A D^½ is symmetric, without which thermox's transition covariances are not exact.
    """

    def __init__(self, readings: int, chains: int) -> None:
        self._jax: Any = import_module("jax")
        self._thermox: Any = import_module("thermox")
        self._jax.config.update("jax_enable_x64", True)
        self._times = INTERVAL * self._jax.numpy.arange(readings)
        keys = self._jax.random.split(self._jax.random.key(1), (len(APPLIED), chains))
        self.paths: Floats = np.asarray(self._jax.jit(self._draw)(keys))
        self._likelihood: Any = self._jax.jit(self._jax.value_and_grad(self._log_likelihood))

    def log_likelihood(self, theta: Floats) -> float:
        """Get the log-likelihood of the paths."""
        return float(self._likelihood(theta)[0])

    def most_likely(self) -> Floats:
        """Get the most likely parameters, in search from the true ones."""
        scale = 1e-3  # of some ten thousand readings

        def cost(theta: Floats) -> tuple[float, Floats]:
            value, slope = self._likelihood(theta)
            return -scale * float(value), -scale * np.asarray(slope, np.float64)

        found: Any = minimize(cost, TRUTH, jac=True, method="BFGS", options={"gtol": 1e-4})
        assert found.success, found.message
        return np.asarray(found.x, np.float64)

    def _law(self, theta: Any) -> Any:
        """Get K and thermox's matrices A and D."""
        jnp: Any = self._jax.numpy
        J2, couplings, _, mobility = theta[:12].reshape(4, 3)
        i, j = LINEAR.topology.pairs.T
        K = jnp.diag(2 * J2).at[i, j].set(couplings).at[j, i].set(couplings)
        return K, self._thermox.preprocess(jnp.exp(mobility)[:, None] * K, jnp.diag(2 * jnp.exp(mobility + theta[12])))

    def _means(self, K: Any, theta: Any) -> Any:
        return -self._jax.numpy.linalg.solve(K, (theta[6:9] + APPLIED).T).T

    def _draw(self, keys: Any) -> Any:
        """Get paths (patterns, chains, readings, units) from equilibrium."""
        K, (A, D) = self._law(self._jax.numpy.asarray(TRUTH))
        root = self._jax.numpy.linalg.cholesky(KT * self._jax.numpy.linalg.inv(K))

        def path(key: Any, mean: Any) -> Any:
            first, later = self._jax.random.split(key)
            start = mean + root @ self._jax.random.normal(first, (3,))
            return self._thermox.sample(later, self._times, start, A, mean, D)

        each = self._jax.vmap(self._jax.vmap(path, (0, None)))
        return each(keys, self._means(K, self._jax.numpy.asarray(TRUTH)))

    def _log_likelihood(self, theta: Any) -> Any:
        K, (A, D) = self._law(theta)

        def of_path(path: Any, mean: Any) -> Any:
            return self._thermox.log_prob(self._times, path, A, mean, D)

        each = self._jax.vmap(self._jax.vmap(of_path, (0, None)))
        return each(self._jax.numpy.asarray(self.paths), self._means(K, theta)).sum()


def as_theta(found: Estimates) -> tuple[Floats, Floats]:
    """Get estimates and their standard errors as parameters of the likelihood."""
    values = [found.values[name] for name in ("J2", "couplings", "biases")]
    errors = [found.standard_error(name) for name in ("J2", "couplings", "biases")]
    mobility, kT = found.values["mobility"], found.values["kT"].mean()
    errors += [found.standard_error("mobility") / mobility, [np.sqrt(found.covariance("kT").mean()) / kT]]
    return np.concatenate([*values, np.log(mobility), [np.log(kT)]]), np.concatenate(errors)


@pytest.mark.skipif(find_spec("thermox") is None, reason='thermox is not installed (extra "reference")')
def test_thermox_finds_the_same_by_maximum_likelihood() -> None:
    process = OrnsteinUhlenbeck(readings=60, chains=40)
    moments = [
        moments_of(paths.swapaxes(0, 1), LINEAR, applied, INTERVAL)
        for paths, applied in zip(process.paths, APPLIED, strict=True)
    ]
    found = estimate(reduce(add, moments), LINEAR.topology, "trajectories", noise=0.0)
    ours, errors = as_theta(found)
    best = process.most_likely()
    bound = float(chi2.isf(1e-3, len(TRUTH)))

    def missing(theta: Floats) -> float:
        return 2 * (process.log_likelihood(best) - process.log_likelihood(theta))

    assert np.abs((ours - best) / errors).max() < 3
    assert 0 <= missing(TRUTH) < bound
    assert 0 <= missing(ours) < bound
    for wrong in np.diag(7 * errors)[[0, 4, 7, 9, 12]]:  # the control
        assert missing(ours + wrong) > bound


# ngspice: circuits of nonlinear conductances


CIRCUIT = Program(Topology.complete(3), np.array([10.0, 5.0, -5.0]), np.array([1.0, 10.0, 15.0]),
                  biases=np.array([2.0, -1.0, 0.5]), couplings=np.array([-4.0, 2.0, -3.0]))  # fmt: skip
HOLDS, READINGS, SEGMENT = 10, 10_000, 500
"""Noise intervals between readings, readings of a waveform, and those of a part of it that counts as a chain."""


def waveforms(folder: Path, device: RCCircuit, noise: float, applied: Floats, seed: int) -> LaggedMoments:
    """Run the netlist of the circuit with bias currents added, and get the moments of its voltages.

    Args:
        folder: Where the netlist goes.
        device: With the scale of voltages and times.
        noise: Interval for which noise currents are held, s.
        applied: (units,) biases to add.
        seed: Of ngspice.
    """
    interval, settled = HOLDS * noise, SEGMENT
    components = device.components(CIRCUIT.with_biases(CIRCUIT.biases + applied))
    netlist = Netlist(components, duration=(settled + READINGS) * interval, noise_interval=noise, seed=seed)
    voltages = run(netlist.save(folder / "net.cir")).resample(interval).values[-READINGS:]
    paths = (voltages / device.scale.length).reshape(-1, SEGMENT, 3).swapaxes(0, 1)
    return moments_of(paths, CIRCUIT, applied, interval / device.scale.time)


@pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")
def test_the_conductances_of_a_netlist_are_found(tmp_path: Path) -> None:
    with RCCircuit("rc_board") as device:
        truth = device.components(CIRCUIT)
        noise = fastest_relaxation(truth) / INTERVALS
        patterns = applied_biases(4, CIRCUIT.topology, CIRCUIT.biases, 5.0, None)
        moments = [waveforms(tmp_path, device, noise, applied, 1 + number) for number, applied in enumerate(patterns)]
        found = estimate(reduce(add, moments), CIRCUIT.topology, "trajectories", noise=0.0)
        values, errors = (by_conductance(device, found, shift) for shift in (0, 1))
        errors = {name: errors[name] - values[name] for name in values}

        def deviations(name: str, expected: Floats) -> Floats:
            return (values[name] - expected) / errors[name]

        for name in values:
            expected = getattr(truth, name)
            assert np.abs(deviations(name, expected)).max() < 3, (name, values[name], expected, errors[name])
            assert np.abs(deviations(name, 1.5 * expected)).max() > 5, name  # the control
        for name in ("mobility", "kT"):  # capacitance and noise
            assert np.abs((found.values[name] - 1) / found.standard_error(name)).max() < 3, name


def by_conductance(device: RCCircuit, found: Estimates, shift: int) -> dict[str, Floats]:
    """Get what estimates, with so many standard errors added, are in components: S, A/V³, A, S."""
    J2, J4, biases, couplings = (
        found.values[name] + shift * found.standard_error(name) for name in ("J2", "J4", "biases", "couplings")
    )
    components = device.components(Program(CIRCUIT.topology, J2, J4, biases, couplings))
    names = ("linear_conductance", "cubic_conductance", "bias_current", "coupling_conductance")
    return {name: getattr(components, name) for name in names}
