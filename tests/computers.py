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


def cosine(topology: Topology) -> AsBuilt:
    """Josephson-like units: a stiff parabola and a cosine that nearly cancel, wells on both sides in some."""
    computer = built(topology, J4=0.0)
    units = np.arange(computer.units)
    return replace(
        computer, J2=np.full(computer.units, 8.0), cosine=4.0 + units % 3, wavenumber=1.5 + 0.1 * (units % 5)
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
    "cosine": lambda: cosine(Topology.complete(53)),
    "cosine in layers": lambda: cosine(Topology.layered(22, 9)),
}


def inertial(computer: AsBuilt, mass: float) -> AsBuilt:
    """The same computer with inertia, unequal among its units."""
    return replace(computer, mass=mass * (1 + 0.2 * (np.arange(computer.units) % 4)))


INERTIAL: dict[str, Callable[[], AsBuilt]] = {
    "one heavy unit": lambda: inertial(COMPUTERS["one unit"](), 5.0),
    "full": lambda: inertial(COMPUTERS["full"](), 0.5),
    "full, nearly overdamped": lambda: inertial(COMPUTERS["full"](), 1e-4),
    "layered": lambda: inertial(COMPUTERS["layered"](), 0.5),
    "layered without hidden couplings": lambda: inertial(COMPUTERS["layered without hidden couplings"](), 1.0),
    "uncoupled": lambda: inertial(COMPUTERS["uncoupled"](), 1.0),
    "grid": lambda: inertial(COMPUTERS["grid"](), 0.1),
    "not reciprocal": lambda: inertial(COMPUTERS["not reciprocal"](), 1.0),
    "cosine": lambda: inertial(COMPUTERS["cosine"](), 1.0),
    "cosine in layers": lambda: inertial(COMPUTERS["cosine in layers"](), 1.0),
}


def starts(computer: AsBuilt, chains: int, dtype: Precision = np.float64) -> NDArray[Any]:
    """Some initial states (chains, units), the same in either precision."""
    states = np.random.default_rng(3).normal(size=(chains, computer.units)).astype(np.float32)
    return states.astype(dtype)
