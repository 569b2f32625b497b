# SPDX-License-Identifier: Apache-2.0
"""Small programs and coupling tables of every kind, for the tests of the tables."""

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermohw import CouplingTable, Program, Topology

BITS = st.integers(2, 16)
PROVENANCE_TEXT = (
    st.text(st.characters(categories=("L", "N", "P", "S", "Zs")), max_size=20)
    .map(str.strip)
    .filter(str.isprintable)
    .filter(lambda text: text == text.strip())
)
PROVENANCE = st.dictionaries(
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,9}", fullmatch=True), PROVENANCE_TEXT, max_size=3
)

SMALL = CouplingTable.quantize(
    Program(Topology.layered(2, 1), np.array(1.0), np.array(1.0), np.array([0.5, -1, 2]), np.array([1.5, -2.25])), 4
)
"""Two pairs, three units, one topology block."""


def numbers(count: int, strategy: st.SearchStrategy[float]) -> st.SearchStrategy[NDArray[np.float64]]:
    return st.lists(strategy, min_size=count, max_size=count).map(lambda values: np.array(values, np.float64))


@st.composite
def topologies(draw: st.DrawFn) -> Topology:
    visible, hidden = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    if visible + hidden == 0:
        visible = 1
    kind = draw(st.sampled_from(["layered", "bipartite", "complete", "listed"]))
    if kind == "layered":
        return Topology.layered(visible, hidden)
    if kind == "bipartite":
        return Topology.layered(visible, hidden, hidden_couplings=False)
    everything = Topology.complete(visible, hidden)
    if kind == "complete":
        return everything
    kept = draw(st.lists(st.booleans(), min_size=len(everything.pairs), max_size=len(everything.pairs)))
    return Topology(visible, hidden, everything.pairs[np.array(kept, bool)])


@st.composite
def programs(draw: st.DrawFn) -> Program:
    topology = draw(topologies())
    size = 10.0 ** draw(st.integers(-9, 9))
    energies = st.just(0.0) if draw(st.booleans()) and draw(st.booleans()) else st.floats(-size, size)
    return Program(
        topology,
        J2=draw(numbers(topology.units, st.floats(-20, 20))),
        J4=draw(numbers(topology.units, st.floats(1e-3, 20))),
        biases=draw(numbers(topology.units, energies)),
        couplings=draw(numbers(len(topology.pairs), energies)),
    )


@st.composite
def tables(draw: st.DrawFn) -> CouplingTable:
    """Draw a table with any codes and scales, as another rounding than `quantize` may give."""
    program = draw(programs())
    shape = CouplingTable.quantize(program, draw(BITS), bias_bits=draw(BITS))
    if draw(st.booleans()):
        return shape
    fraction = st.floats(-1, 1)
    largest = np.zeros(len(program.couplings))
    for block, mask in program.topology.blocks.items():
        largest[mask] = 2 ** (shape.bits[block] - 1) - 1
    bias_largest = 2 ** (shape.bits["biases"] - 1) - 1
    return CouplingTable(
        program.topology,
        np.rint(draw(numbers(len(largest), fraction)) * largest).astype(np.int32),
        np.rint(draw(numbers(program.topology.units, fraction)) * bias_largest).astype(np.int32),
        program.J2,
        program.J4,
        {block: draw(st.floats(1e-300, 1e300)) for block in shape.scales},
        shape.bits,
        method=draw(st.sampled_from(["nearest", "stochastic-descent.2"])),
        provenance=draw(PROVENANCE),
    )


def example_table() -> CouplingTable:
    """Build a table with every block, negative and positive codes, and text that is awkward to write."""
    topology = Topology.complete(3, 2)
    rng = np.random.default_rng(7)
    program = Program(
        topology,
        J2=rng.normal(size=5),
        J4=rng.uniform(0.5, 2, size=5),
        biases=rng.normal(size=5),
        couplings=rng.normal(size=len(topology.pairs)),
    )
    table = CouplingTable.quantize(program, 8, bias_bits=12)
    awkward = {"note": 'board "A" */ ??/ \\ {x}; # ünits, a=b: µs 🧪', "empty": ""}
    return CouplingTable(
        topology, table.codes, table.bias_codes, table.J2, table.J4, table.scales, table.bits, "nearest", awkward
    )


def assert_same(table: CouplingTable, other: CouplingTable) -> None:
    assert other.topology.same_as(table.topology)
    for name, array in table.arrays.items():
        assert other.arrays[name].dtype == array.dtype
        assert other.arrays[name].tobytes() == array.tobytes()
    for name in ("scales", "bits", "method", "provenance", "digest"):
        assert getattr(other, name) == getattr(table, name)
