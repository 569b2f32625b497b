# SPDX-License-Identifier: Apache-2.0
"""Small images, protocols and paths that the tests of training share: 4 × 4 pixels, 6 hidden units."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw import Images, RunPlan, SimulatedDevice, ThermodynamicDevice, Topology
from thermohw.training import load_config
from thermohw.training.noising import NoisingProtocol, build_protocol

Floats = NDArray[np.float64]
SMALL: dict[str, Any] = {"hidden": 6, "duration": 0.25, "dt": 0.005, "crop_start": 3}
TOPOLOGIES = {
    "layered": Topology.layered(16, 6),
    "visible-hidden only": Topology.layered(16, 6, hidden_couplings=False),
    "grid without hidden units": Topology.grid(4, 4),
    "complete": Topology.complete(16, 6),
    "listed pairs": Topology.from_pairs(16, 6, [[0, 3], [21, 2], [7, 5], [16, 21], [5, 21], [9, 10]]),
}


def patterns(count: int = 3, seed: int = 0) -> Images:
    """Make unlike images: each has half of its pixels bright, a random half, at random grey levels."""
    rng = np.random.default_rng([seed, count])
    bright = rng.permuted(np.tile(np.repeat([0.0, 1.0], 8), (count, 1)), axis=1)
    pixels = bright + 0.3 * rng.random((count, 16))
    return Images(pixels.reshape(count, 4, 4), np.arange(count), f"patterns {seed}")


def small_protocol(
    overrides: Mapping[str, Any] | None = None, images: Images | None = None, topology: Topology | None = None
) -> NoisingProtocol:
    """Build the protocol of some images; another topology takes the fields of its first units."""
    config = load_config("contrast", {**SMALL, **(overrides or {})})
    protocol = build_protocol(images or patterns(), config)
    if topology is None:
        return protocol
    return replace(protocol, topology=topology, fields=protocol.fields[:, : topology.units])


def noising_paths(
    protocol: NoisingProtocol, image: int, chains: int, seed: int = 1, device: ThermodynamicDevice | None = None
) -> Floats:
    """Run noising trajectories of an image; returns (steps + 1, chains, units)."""
    plan = RunPlan(1.0, chains, keep="trajectory", seed=seed, first_chain=protocol.chain(image, 0))
    trajectory = protocol.run(device or SimulatedDevice(), image, plan).trajectory
    assert trajectory is not None
    return trajectory.transpose(1, 0, 2).astype(np.float64)
