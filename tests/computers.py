# SPDX-License-Identifier: Apache-2.0
"""Computers of every kind that the engines must integrate, as built."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from thermohw import Program, Topology
from thermohw.langevin.as_built import AsBuilt

Precision = type[np.float32] | type[np.float64]


def random_program(topology: Topology, strength: float = 1.0, J4: float = 1.5, seed: int = 0) -> Program:
    """A program with random couplings and biases, whose collective forces are of the size `strength`."""
    generator = np.random.default_rng(seed)
    scale = strength * np.sqrt(topology.units / max(1, 2 * len(topology.pairs)))
    couplings = scale * generator.normal(size=len(topology.pairs))
    J2 = generator.uniform(1.0, 2.0, topology.units)
    return Program(topology, J2, np.full(topology.units, J4), generator.normal(size=topology.units), couplings)


def built(topology: Topology, J4: float = 1.5) -> AsBuilt:
    return AsBuilt.from_program(random_program(topology, J4=J4), mobility=0.7, kT=0.8)


def not_reciprocal(units: int) -> AsBuilt:
    matrix = np.random.default_rng(1).normal(size=(units, units)) / np.sqrt(units)
    np.fill_diagonal(matrix, 0)
    return replace(built(Topology.complete(units)), couplings=sparse.csr_array(matrix))


def unequal(units: int) -> AsBuilt:
    generator = np.random.default_rng(2)
    return replace(
        built(Topology.complete(units)),
        mobility=generator.uniform(0.2, 2.0, units),
        kT=np.where(np.arange(units) % 3 == 0, 0.0, generator.uniform(0.2, 2.0, units)),
        J4=generator.uniform(0.0, 2.0, units),
        J2=np.full(units, 3.0),
    )


COMPUTERS: dict[str, Callable[[], AsBuilt]] = {
    "one unit": lambda: built(Topology.complete(1)),
    "odd pair and a half": lambda: built(Topology.from_pairs(2, 1, [(0, 2)])),
    "uncoupled": lambda: built(Topology.from_pairs(6, 0, [])),
    "full": lambda: built(Topology.complete(53)),
    "layered": lambda: built(Topology.layered(31, 22)),
    "layered without hidden couplings": lambda: built(Topology.layered(22, 31, hidden_couplings=False)),
    "hidden only": lambda: built(Topology.layered(0, 9)),
    "grid": lambda: built(Topology.grid(7, 9, periodic=True)),
    "linear": lambda: built(Topology.complete(10), J4=0.0),
    "not reciprocal": lambda: not_reciprocal(21),
    "unequal units": lambda: unequal(21),
}


def starts(computer: AsBuilt, chains: int, dtype: Precision = np.float64) -> NDArray[Any]:
    """Some initial states (chains, units), the same in either precision."""
    states = np.random.default_rng(3).normal(size=(chains, computer.units)).astype(np.float32)
    return states.astype(dtype)
