# SPDX-License-Identifier: Apache-2.0
"""An exported netlist against the Boltzmann density: covariances of three coupled nonlinear units in ngspice.

    python benchmarks/spice.py [--runs 16] [--duration 5e-3]

C = 1 nF, k_BT_eff = 2.5 pJ, one unit bistable, biases, all-to-all couplings. ngspice draws the noise, held for 1/50 of
C/g1 = 1 µs. The reference is a quadrature of exp(−W/θ), θ = k_BT_eff g_n/C, over three
dimensions; errors come from batch means. Exit status 1 where a covariance is more than 3 % of √(C_ii C_jj) off.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.rc_circuit import RCComponents
from thermohw.spice import Netlist, run

UNITS = 3
NOISE_INTERVAL = 20e-9
BURN_IN, BATCH = 50e-6, 250e-6
TOLERANCE = 0.03
PAIRS = [(i, j) for i in range(UNITS) for j in range(i, UNITS)]
MOMENTS = [*((i,) for i in range(UNITS)), *PAIRS]


def network() -> RCComponents:
    """Get one monostable and one soft unit and a bistable one, with biases and couplings."""
    return RCComponents(
        capacitance=1e-9,
        noise_conductance=1e-3,
        thermal_energy=2.5e-12,
        linear_conductance=np.array([1e-3, 0.5e-3, -0.5e-3]),
        cubic_conductance=np.array([0.1, 0.2, 0.2]),
        bias_current=np.array([10e-6, -20e-6, 15e-6]),
        pairs=np.array([[0, 1], [0, 2], [1, 2]], np.int32),
        coupling_conductance=np.array([-0.4e-3, 0.2e-3, -0.3e-3]),
    )


def moments(states: NDArray[np.float64], weights: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get ⟨V_i⟩ and ⟨V_i V_j⟩ in the order of MOMENTS from states (points, units) with weights that sum to 1."""
    return np.array([weights @ np.prod(states[:, indices], axis=1) for indices in MOMENTS])


def boltzmann_moments(components: RCComponents, points: int = 161, reach: float = 0.35) -> NDArray[np.float64]:
    """Get the exact moments by the trapezoidal rule within ±`reach` (V)."""
    axis = np.linspace(-reach, reach, points)
    states = np.stack(np.meshgrid(*[axis] * UNITS, indexing="ij"), axis=-1).reshape(-1, UNITS)
    onsite = (components.linear_conductance / 2 + components.cubic_conductance / 4 * states**2) * states
    energy = ((onsite + components.bias_current) * states).sum(axis=1)
    for (i, j), conductance in zip(components.pairs, components.coupling_conductance, strict=True):
        energy += conductance * states[:, i] * states[:, j]
    theta = components.thermal_energy * components.noise_conductance / components.capacitance
    weights = np.exp(-(energy - energy.min()) / theta)
    assert weights.reshape(points, -1)[[0, -1]].max() < 1e-12  # the density ends well within the box
    return moments(states, weights / weights.sum())


def batch_moments(folder: Path, components: RCComponents, duration: float, seed: int) -> list[NDArray[np.float64]]:
    """Simulate once and get the moments of each batch of time, equilibration left out."""
    netlist = Netlist(components, duration=duration, noise_interval=NOISE_INTERVAL, seed=seed)
    voltages = run(netlist.save(folder / "network.cir"), timeout=1200).resample(NOISE_INTERVAL).values
    voltages = voltages[round(BURN_IN / NOISE_INTERVAL) :]
    batches = len(voltages) // round(BATCH / NOISE_INTERVAL)
    return [moments(batch, np.full(len(batch), 1 / len(batch))) for batch in np.array_split(voltages, batches)]


def covariance(mean: NDArray[np.float64], centre: NDArray[np.float64]) -> NDArray[np.float64]:
    """Get the covariances (i ≤ j) from moments `mean`, about the means in `centre`."""
    return np.array([
        mean[k] - mean[i] * centre[j] - centre[i] * mean[j] + centre[i] * centre[j]
        for k, (i, j) in enumerate(PAIRS, UNITS)
    ])  # fmt: skip


def report(exact: NDArray[np.float64], batches: NDArray[np.float64]) -> float:
    """Print means and covariances (batches, moments) beside the exact ones; get the worst covariance's difference."""
    mean, root = batches.mean(axis=0), len(batches) ** 0.5
    print("| unit | exact mean (mV) | ngspice (mV) |\n|---|---|---|")
    for unit, error in enumerate(batches[:, :UNITS].std(axis=0, ddof=1) / root):
        print(f"| {unit} | {exact[unit] * 1e3:.2f} | {mean[unit] * 1e3:.2f} ± {error * 1e3:.2f} |")
    truth, found = covariance(exact, exact), covariance(mean, mean)
    # about the overall means, whose own errors matter in second order only
    errors = np.array([covariance(batch, mean) for batch in batches]).std(axis=0, ddof=1) / root
    deviation = {i: truth[k] ** 0.5 for k, (i, j) in enumerate(PAIRS) if i == j}
    scale = np.array([deviation[i] * deviation[j] for i, j in PAIRS])
    print("| pair | exact covariance (mV²) | ngspice (mV²) | difference / √(C_ii C_jj) (%) |\n|---|---|---|---|")
    for (i, j), true, value, error, unit in zip(PAIRS, truth, found, errors, scale, strict=True):
        difference = f"{(value - true) / unit * 100:.2f} ± {error / unit * 100:.2f}"
        print(f"| {i}, {j} | {true * 1e6:.1f} | {value * 1e6:.1f} | {difference} |")
    return float(np.abs((found - truth) / scale).max())


def main() -> None:
    """Print the tables; see the module's docstring."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=16, help="runs of ngspice, each with a seed of its own")
    parser.add_argument("--duration", type=float, default=5e-3, help="simulated time of each, s")
    arguments = parser.parse_args()
    components, start = network(), time.perf_counter()
    batches: list[NDArray[np.float64]] = []
    with tempfile.TemporaryDirectory() as folder:
        for seed in range(1, arguments.runs + 1):
            batches += batch_moments(Path(folder), components, arguments.duration, seed)
    print(f"{len(batches)} batches of {BATCH * 1e6:.0f} µs, {time.perf_counter() - start:.0f} s")
    worst = report(boltzmann_moments(components), np.array(batches))
    print(f"worst difference {worst * 100:.2f} %, bound {TOLERANCE * 100:.0f} %")
    sys.exit(worst > TOLERANCE)


if __name__ == "__main__":
    main()
