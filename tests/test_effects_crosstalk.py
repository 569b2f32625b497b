# SPDX-License-Identifier: Apache-2.0
"""Crosstalk between neighbouring lines, against products of dense matrices."""

from typing import Any

import numpy as np
import pytest
from nonideal_examples import quartic, random_program, written
from numpy.typing import NDArray

from thermohw import Program, Topology
from thermohw.nonideal import Crosstalk

Floats = NDArray[np.float64]


def dense_crosstalk(program: Program, coupling: float, bias: float) -> tuple[Floats, Floats]:
    topology, units = program.topology, program.units
    neighbours = np.eye(units, k=1) + np.eye(units, k=-1)
    neighbours[: topology.visible, topology.visible :] = neighbours[topology.visible :, : topology.visible] = 0
    matrix: Any = topology.symmetric_matrix(program.couplings).toarray()
    leaked = matrix + coupling * (neighbours @ matrix + matrix @ neighbours)
    np.testing.assert_allclose(leaked, leaked.T)
    return leaked[*topology.pairs.T], program.biases + bias * neighbours @ program.biases


@pytest.mark.parametrize("strength", [-0.25, 1e-3, 0.25])
@pytest.mark.parametrize(
    "topology",
    [
        Topology.complete(1),
        Topology.complete(2),
        Topology.complete(5, 4),
        Topology.layered(6, 3),
        Topology.layered(0, 5),
        Topology.grid(3, 4, periodic=True),
        Topology.random_regular(9, 8, 3, 2),
        Topology.from_pairs(4, 3, []),
    ],
    ids=lambda topology: f"{topology.units} units, {len(topology.pairs)} pairs",
)
def test_crosstalk_is_the_product_with_the_neighbours(topology: Topology, strength: float) -> None:
    program = random_program(topology)
    leaky = written(Crosstalk(coupling=strength, bias=2 * strength), program)
    couplings, biases = dense_crosstalk(program, strength, 2 * strength)
    np.testing.assert_allclose(leaky.couplings, couplings, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(leaky.biases, biases, rtol=1e-12, atol=1e-14)


def test_crosstalk_does_not_cross_the_border_between_the_layers() -> None:
    topology = Topology.complete(3, 3)
    single = (topology.pairs == [0, 2]).all(axis=1).astype(np.float64)
    program = quartic(topology, single).with_biases([0, 0, 1, 0, 0, 0])
    leaky = written(Crosstalk(coupling=0.1, bias=0.2), program)
    hit = {tuple(pair): value for pair, value in zip(topology.pairs.tolist(), leaky.couplings, strict=True) if value}
    assert hit == {(0, 2): 1.0, (0, 1): 0.1, (1, 2): 0.1}
    assert leaky.biases.tolist() == [0, 0.2, 1, 0, 0, 0]
