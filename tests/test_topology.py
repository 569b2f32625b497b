# SPDX-License-Identifier: Apache-2.0
"""Topologies against brute force, and what a wrong pair is told."""

from itertools import combinations
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw import Topology
from thermohw.errors import ProgramError

Pairs = list[tuple[int, int]]
counts = st.integers(0, 6)


def listed(topology: Topology) -> Pairs:
    return [(int(i), int(j)) for i, j in topology.pairs]


@st.composite
def graphs(draw: st.DrawFn) -> tuple[int, int, Pairs]:
    visible, hidden = draw(counts), draw(st.integers(1, 5))
    every = list(combinations(range(visible + hidden), 2))
    return visible, hidden, draw(st.lists(st.sampled_from(every), unique=True)) if every else []


@given(visible=counts, hidden=st.integers(1, 6))
def test_layered_and_complete_are_all_pairs_asked_for(visible: int, hidden: int) -> None:
    every = list(combinations(range(visible + hidden), 2))
    assert listed(Topology.complete(visible, hidden)) == every
    assert listed(Topology.layered(visible, hidden)) == [(i, j) for i, j in every if j >= visible]
    restricted = Topology.layered(visible, hidden, hidden_couplings=False)
    assert listed(restricted) == [(i, j) for i, j in every if i < visible <= j]
    assert (restricted.visible, restricted.hidden, restricted.units) == (visible, hidden, visible + hidden)


def test_the_papers_topology_has_its_couplings() -> None:
    assert len(Topology.layered(784, 512).pairs) == 784 * 512 + 512 * 511 // 2 == 532_224


@given(rows=st.integers(1, 5), columns=st.integers(1, 5), periodic=st.booleans(), diagonals=st.booleans())
def test_grid_couples_neighbours(rows: int, columns: int, periodic: bool, diagonals: bool) -> None:
    def apart(a: int, b: int, size: int) -> int:
        return min(abs(a - b), size - abs(a - b)) if periodic else abs(a - b)

    expected: Pairs = []
    for i, j in combinations(range(rows * columns), 2):
        down, right = apart(i // columns, j // columns, rows), apart(i % columns, j % columns, columns)
        if (down, right) in {(0, 1), (1, 0)} or (diagonals and (down, right) == (1, 1)):
            expected.append((i, j))
    assert listed(Topology.grid(rows, columns, periodic=periodic, diagonals=diagonals)) == expected


@given(units=st.integers(1, 40), share=st.floats(0, 1, exclude_max=True), seed=st.integers(0, 99))
def test_random_regular_bounds_the_degree(units: int, share: float, seed: int) -> None:
    degree = int(share * units)
    topology = Topology.random_regular(units - units // 3, units // 3, degree, seed)
    assert topology.same_as(Topology.random_regular(units - units // 3, units // 3, degree, seed))
    assert np.bincount(topology.pairs.ravel(), minlength=1).max() <= degree
    assert len(topology.pairs) <= units * degree // 2


def test_random_regular_is_nearly_regular_and_random() -> None:
    first, second = (Topology.random_regular(500, 0, 6, seed) for seed in (1, 2))
    assert not first.same_as(second)
    assert np.mean(np.bincount(first.pairs.ravel(), minlength=500) == 6) > 0.9
    assert len(Topology.random_regular(5, 0, 0, 1).pairs) == 0


@given(visible=counts, hidden=counts, share=st.floats(0, 1), seed=st.integers(0, 99), within=st.booleans())
def test_sparse_layered_gives_each_hidden_unit_its_partners(
    visible: int, hidden: int, share: float, seed: int, within: bool
) -> None:
    if not visible + hidden:
        return
    partners = int(share * visible)
    topology = Topology.sparse_layered(visible, hidden, partners, seed, hidden_couplings=within)
    assert topology.same_as(Topology.sparse_layered(visible, hidden, partners, seed, hidden_couplings=within))
    across = topology.pairs[topology.blocks.get("visible-hidden", np.zeros(len(topology.pairs), bool))]
    inside = topology.pairs[topology.blocks.get("hidden-hidden", np.zeros(len(topology.pairs), bool))] - visible
    assert np.bincount(across[:, 1] - visible, minlength=hidden).tolist() == [partners] * hidden
    assert len(across) + len(inside) == len(topology.pairs)
    assert np.bincount(inside.ravel(), minlength=1).max() <= (min(partners, max(hidden - 1, 0)) if within else 0)


def test_sparse_layered_is_random_and_reaches_all_pairs() -> None:
    first, second = (Topology.sparse_layered(50, 20, 6, seed) for seed in (1, 2))
    assert not first.same_as(second)
    assert "hidden-hidden" in first.blocks
    assert Topology.sparse_layered(5, 4, 5, 1, hidden_couplings=False).same_as(
        Topology.layered(5, 4, hidden_couplings=False)
    )


@given(graph=graphs(), turns=st.randoms(use_true_random=False))
def test_from_pairs_takes_any_order_and_orientation(graph: tuple[int, int, Pairs], turns: Any) -> None:
    visible, hidden, pairs = graph
    shuffled = [pair[:: turns.choice((1, -1))] for pair in pairs]
    turns.shuffle(shuffled)
    topology = Topology.from_pairs(visible, hidden, shuffled)
    assert listed(topology) == sorted(pairs)
    assert topology.pairs.dtype == np.int32
    assert topology.same_as(Topology(visible, hidden, topology.pairs))


@given(graph=graphs())
def test_blocks_part_the_pairs(graph: tuple[int, int, Pairs]) -> None:
    topology = Topology.from_pairs(*graph)
    names = ["visible-visible", "visible-hidden", "hidden-hidden"]
    wanted = [names[(i >= topology.visible) + (j >= topology.visible)] for i, j in listed(topology)]
    assert set(topology.blocks) == set(wanted)
    for name, mask in topology.blocks.items():
        assert mask.tolist() == [want == name for want in wanted]


@given(graph=graphs(), seed=st.integers(0, 9))
def test_symmetric_matrix_holds_each_value_twice(graph: tuple[int, int, Pairs], seed: int) -> None:
    topology = Topology.from_pairs(*graph)
    values = np.random.default_rng(seed).normal(size=len(topology.pairs))
    expected = np.zeros((topology.units, topology.units))
    for (i, j), value in zip(topology.pairs, values, strict=True):
        expected[i, j] = expected[j, i] = value
    assert np.array_equal(topology.symmetric_matrix(values).toarray(), expected)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [
        ([(0, 1), (2, 4)], r"pair \(2, 4\) \(row 1\) names a unit outside 0 … 3"),
        ([(-1, 2)], r"pair \(-1, 2\) \(row 0\) names a unit outside 0 … 3"),
        ([(0, 1), (2, 2)], r"pair \(2, 2\) \(row 1\) must have i < j; a unit has no self-coupling"),
        ([(0, 3), (1, 2), (3, 0)], r"pair \(0, 3\) \(row 1\) stands twice"),
        ([(0, 1, 2)], r"shape \(pairs, 2\), got int64 \(1, 3\)"),
        ([0, 1], r"shape \(pairs, 2\), got int64 \(2,\)"),
        ([(0.0, 1.0)], "integers .* got float64"),
        ([(0, 1), (2,)], "integers of shape"),
        ([("a", "b")], "integers of shape"),
        ([(0, 2**31)], "unit numbers must lie in"),
    ],
)
def test_a_wrong_pair_is_named(pairs: list[Any], words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        Topology.from_pairs(3, 1, pairs)


@pytest.mark.parametrize(
    ("pairs", "words"),
    [([(1, 0)], r"pair \(1, 0\) \(row 0\) must have i < j"), ([(1, 2), (0, 1)], r"pair \(0, 1\) \(row 1\) is out of")],
)
def test_the_constructor_takes_ordered_pairs_only(pairs: Pairs, words: str) -> None:
    with pytest.raises(ProgramError, match=words):
        Topology(3, 0, np.array(pairs, np.int32))
    assert listed(Topology.from_pairs(3, 0, pairs)) == sorted((min(pair), max(pair)) for pair in pairs)


def test_impossible_sizes_are_refused() -> None:
    for visible, hidden in ((0, 0), (-1, 3), (3, -1)):
        with pytest.raises(ProgramError, match=f"at least one unit, got {visible} visible and {hidden} hidden"):
            Topology.from_pairs(visible, hidden, [])
    for rows, columns in ((0, 3), (3, 0)):
        with pytest.raises(ProgramError, match=f"got {rows} × {columns}"):
            Topology.grid(rows, columns)
    for degree in (-1, 4):
        with pytest.raises(ProgramError, match=f"0 … 3, got {degree}"):
            Topology.random_regular(3, 1, degree, seed=0)
    for partners in (-1, 4):
        with pytest.raises(ProgramError, match=f"0 … 3, the number of visible units, got {partners}"):
            Topology.sparse_layered(3, 1, partners, seed=0)


def test_a_topology_is_its_own() -> None:
    pairs = np.array([[0, 1], [1, 2]], np.int32)
    topology = Topology(3, 0, pairs)
    pairs[0] = 7
    assert listed(topology) == [(0, 1), (1, 2)]
    with pytest.raises(ValueError, match="read-only"):
        topology.pairs[0] = 0
    assert not topology.same_as(Topology(2, 1, topology.pairs))
    assert not topology.same_as(Topology(3, 0, topology.pairs[:1]))
