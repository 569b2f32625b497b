# SPDX-License-Identifier: Apache-2.0
"""Quantization: the laws of rounding, the least-squares scale against exhaustive search, and what is refused."""

import itertools
import pickle
from dataclasses import fields, replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from tables_examples import BITS, SMALL, example_table, numbers, programs

from thermohw import CouplingTable, Program, Topology
from thermohw.errors import TableError
from thermohw.tables import quantize
from thermohw.tables.quantize import ScaleRule, block_errors, choose_scale, nearest_codes

RULES: tuple[ScaleRule, ...] = ("max", "mse")
VALUES = st.integers(1, 12).flatmap(lambda count: numbers(count, st.floats(-1e6, 1e6)))


def levels(bits: int) -> int:
    return 2 ** (bits - 1) - 1


def squared_error(values: NDArray[np.float64], scale: float, bits: int) -> float:
    return float(np.sum((values - nearest_codes(values, scale, bits) * scale) ** 2))


def exhaustive_error(values: NDArray[np.float64], bits: int) -> float:
    """Least squared error over every assignment of codes, each with its own best scale."""
    best = float(np.sum(values**2))
    for codes in itertools.product(range(levels(bits) + 1), repeat=len(values)):
        code = np.array(codes, np.float64)
        if code.any():
            scale = np.abs(values) @ code / (code @ code)
            best = min(best, float(np.sum((np.abs(values) - scale * code) ** 2)))
    return best


@given(VALUES, BITS)
def test_max_rounds_to_half_a_step(values: NDArray[np.float64], bits: int) -> None:
    scale = choose_scale(values, bits)
    codes = nearest_codes(values, scale, bits)
    slack = 4 * np.finfo(float).eps * np.abs(values)
    assert np.all(np.abs(values - codes * scale) <= scale / 2 + slack)
    if np.abs(values).max() > 1e-300:
        assert np.abs(codes).max() == levels(bits)


@given(st.integers(1, 4).flatmap(lambda count: numbers(count, st.floats(-100, 100))), st.integers(2, 3))
def test_mse_is_the_global_minimum(values: NDArray[np.float64], bits: int) -> None:
    scale = choose_scale(values, bits, "mse")
    assert squared_error(values, scale, bits) <= exhaustive_error(values, bits) + 1e-13 * np.sum(values**2)


@given(VALUES, st.integers(2, 8))
def test_mse_is_at_least_as_good_as_any_scanned_scale(values: NDArray[np.float64], bits: int) -> None:
    found = squared_error(values, choose_scale(values, bits, "mse"), bits)
    largest = np.abs(values).max()
    scan = [squared_error(values, scale, bits) for scale in np.linspace(1e-3, 1.1, 300) * largest if scale > 0]
    plain = squared_error(values, choose_scale(values, bits), bits)
    assert found <= min([*scan, plain]) + 1e-13 * np.sum(values**2)


@pytest.mark.parametrize("bits", [3, 8, 12])
@pytest.mark.parametrize("law", ["normal", "heavy tails", "few distinct"])
def test_mse_of_many_values(law: str, bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    if law != "few distinct":  # whose error is rough as a function of the scale, so that it needs the whole sweep
        monkeypatch.setattr(quantize, "_MAX_SWEPT", 20_000)  # so that scans narrow the interval first
    rng = np.random.default_rng(1)
    values = {
        "normal": rng.normal(size=20_000),
        "heavy tails": rng.standard_t(3, size=20_000),
        "few distinct": rng.normal(size=500)[rng.integers(500, size=20_000)],
    }[law]
    scale = choose_scale(values, bits, "mse")
    least = squared_error(values, scale, bits)
    start = float(np.abs(values).max()) / levels(bits)
    scan = np.concatenate([np.geomspace(start / 100, 100 * start, 200), scale * np.linspace(0.97, 1.03, 201)])
    assert least <= min(squared_error(values, s, bits) for s in scan) * (1 + 1e-6)
    assert least <= squared_error(values, start, bits)


def test_mse_clips_outliers_and_max_does_not() -> None:
    values = np.append(np.random.default_rng(0).normal(size=5000), 50.0)
    by_rule: dict[str, quantize.BlockErrors] = {}
    for rule in RULES:
        scale = choose_scale(values, 4, rule)
        by_rule[rule] = block_errors(values, nearest_codes(values, scale, 4), scale, 4)
    assert (by_rule["max"].clipped, by_rule["mse"].clipped > 0) == (0, True)
    assert by_rule["mse"].rms < 0.8 * by_rule["max"].rms


@given(programs(), BITS, st.sampled_from(RULES))
def test_sign_symmetry(program: Program, bits: int, rule: ScaleRule) -> None:
    mirror = Program(program.topology, program.J2, program.J4, -program.biases, -program.couplings)
    table, mirrored = (CouplingTable.quantize(each, bits, scale=rule) for each in (program, mirror))
    assert table.scales == mirrored.scales
    assert np.array_equal(table.codes, -mirrored.codes)
    assert np.array_equal(table.bias_codes, -mirrored.bias_codes)


@given(programs())
def test_16_bits_are_nearly_exact(program: Program) -> None:
    table = CouplingTable.quantize(program, 16)
    for block, mask in program.topology.blocks.items():
        largest = np.abs(program.couplings[mask]).max()
        found = np.abs(table.program.couplings[mask] - program.couplings[mask]).max()
        assert found <= max(largest / 65534 * (1 + 1e-9), 1e-300), block


@given(programs(), BITS, BITS, st.sampled_from(RULES))
def test_the_program_of_a_table_is_code_times_scale(
    program: Program, bits: int, bias_bits: int, rule: ScaleRule
) -> None:
    table = CouplingTable.quantize(program, bits, bias_bits=bias_bits, scale=rule)
    for pair, (code, value) in enumerate(zip(table.codes, table.program.couplings, strict=True)):
        (block,) = (name for name, mask in program.topology.blocks.items() if mask[pair])
        assert value == int(code) * table.scales[block]
        assert abs(int(code)) <= levels(bits)
    assert np.array_equal(table.program.biases, table.bias_codes * table.scales["biases"])
    assert np.abs(table.bias_codes).max() <= levels(bias_bits)
    assert np.array_equal(table.program.J2, program.J2)
    assert np.array_equal(table.program.J4, program.J4)
    again = CouplingTable.quantize(program, bits, bias_bits=bias_bits, scale=rule)
    assert again.digest == table.digest


def test_quantizing_a_quantized_program_changes_nothing() -> None:
    table = example_table()
    again = CouplingTable.quantize(table.program, 8, bias_bits=12)
    assert np.array_equal(again.codes, table.codes)
    assert np.array_equal(again.bias_codes, table.bias_codes)


@pytest.mark.parametrize("size", [0.0, 5e-324, 1e-308])
@pytest.mark.parametrize("rule", RULES)
def test_a_block_of_zeros_has_the_scale_one(size: float, rule: ScaleRule) -> None:
    topology = Topology.layered(2, 2)
    program = Program(topology, np.array(1.0), np.array(1.0), np.full(4, size), np.full(len(topology.pairs), size))
    table = CouplingTable.quantize(program, 8, scale=rule)
    assert set(table.scales.values()) == {1.0}
    assert not table.codes.any()
    assert not table.bias_codes.any()
    assert all(errors.clipped == 0 for errors in table.report(program).values())


def test_clip_sets_the_outermost_level_and_the_report_counts_what_saturates() -> None:
    topology = Topology.complete(4)
    couplings = np.array([1.0, -1.0, 0.52, 0.5, 0.1, 0.0])
    program = Program(topology, np.array(1.0), np.array(1.0), np.zeros(4), couplings)
    table = CouplingTable.quantize(program, 4, clip=0.5)
    assert table.scales["visible-visible"] == 0.5 / 7
    assert table.codes.tolist() == [7, -7, 7, 7, 1, 0]
    report = table.report(program)["visible-visible"]
    errors = np.array([0.5, 0.5, 0.02, 0.0, 0.1 - 0.5 / 7, 0.0])
    assert (report.values, report.clipped) == (6, 2)
    assert report.largest == pytest.approx(0.5, rel=1e-12)
    assert report.rms == pytest.approx(np.sqrt(np.mean(errors**2)), rel=1e-12)
    assert report.relative_rms == pytest.approx(np.sqrt(np.sum(errors**2) / np.sum(couplings**2)), rel=1e-12)
    assert table.provenance["relative-rms-error.visible-visible"] == f"{report.relative_rms:.3g}"
    assert table.provenance["program"] == program.digest


@pytest.mark.parametrize("exponent", [-1000, -500, 0, 500, 1000])
def test_relative_errors_do_not_depend_on_the_unit(exponent: int) -> None:
    values = np.ldexp(np.array([1.0, -0.5, 0.25]), exponent)
    errors = block_errors(values, np.array([1, 0, 0], np.int32), 2.0**exponent, 2)
    assert errors.relative_rms == pytest.approx(np.sqrt(0.3125 / 1.3125), rel=1e-12)
    assert errors.rms == pytest.approx(np.ldexp(np.sqrt(0.3125 / 3), exponent), rel=1e-12)


@pytest.mark.parametrize("bits", [1, 0, -3, 17, 8.0, "8", None])
def test_impossible_bits_are_refused(bits: int) -> None:
    for units in (1, 2):
        program = Program.uncoupled(Topology.complete(units))
        with pytest.raises(TableError, match=r"bits must be an integer in 2 … 16"):
            CouplingTable.quantize(program, bits, bias_bits=8)
    with pytest.raises(TableError, match=r"bits must be an integer in 2 … 16"):
        CouplingTable.quantize(SMALL.program, 8, bias_bits=bits or 99)


def test_unknown_rules_and_clips_are_refused() -> None:
    program = Program.uncoupled(Topology.complete(2))
    with pytest.raises(TableError, match="unknown scale rule 'median'; known: max, mse"):
        CouplingTable.quantize(program, scale="median")  # pyright: ignore[reportArgumentType]
    for clip in (0.0, -1.0, 1.5, float("nan")):
        with pytest.raises(TableError, match="clip is the fraction"):
            CouplingTable.quantize(program, clip=clip)
    with pytest.raises(TableError, match="leave clip at 1"):
        CouplingTable.quantize(program, scale="mse", clip=0.5)


def test_rounding_that_unbinds_the_energy_is_refused() -> None:
    couplings = np.array([-1.0, -0.6, -0.6])  # lowest eigenvalue −1.48; rounded to −1, −1, −1 it is −2
    program = Program(Topology.complete(3), np.array(0.8), np.array(0.0), np.zeros(3), couplings)
    with pytest.raises(TableError, match="not bounded below"):
        CouplingTable.quantize(program, 2)
    assert CouplingTable.quantize(program, 8).program.couplings[0] == pytest.approx(-1)


def test_energies_at_the_end_of_the_number_range_are_held_or_refused() -> None:
    largest = float(np.finfo(float).max)
    program = Program(Topology.complete(2), np.array(1.0), np.array(1.0), np.array([largest, 1.0]), np.array([1.0]))
    for bits in range(2, 17):
        try:
            table = CouplingTable.quantize(program, bits)
        except TableError as error:
            assert "biases" in str(error)
        else:
            assert table.program.biases[0] == pytest.approx(largest)


def test_a_table_refuses_parts_that_do_not_fit() -> None:
    table = example_table()

    beyond = table.codes.copy()
    beyond[3] = 128
    with pytest.raises(TableError, match=r"code 128 of the pair \(0, 4\) is outside −127 … 127"):
        replace(table, codes=beyond)
    with pytest.raises(TableError, match="codes must be integers"):
        replace(table, codes=table.codes * 1.0)
    with pytest.raises(TableError, match="codes must be integers of shape"):
        replace(table, codes=table.codes[:-1])
    with pytest.raises(TableError, match="codes hold the magnitude 4294967423"):
        replace(table, codes=table.codes.astype(np.int64) + 2**32)
    with pytest.raises(TableError, match=r"bias code .* of unit \d is outside −1 … 1"):
        replace(table, bits={**table.bits, "biases": 2})
    with pytest.raises(TableError, match="bits are given for"):
        replace(table, bits={"biases": 2})
    for scale in (0.0, -1.0, float("inf"), float("nan")):
        with pytest.raises(TableError, match="the scale of biases is"):
            replace(table, scales={**table.scales, "biases": scale})
    with pytest.raises(TableError, match="the method"):
        replace(table, method="two words")
    for text in ("a\nb", " a", "x" * 1025, "\x00", "\ud800"):
        with pytest.raises(TableError, match="one printable line"):
            replace(table, provenance={"note": text})
    with pytest.raises(TableError, match="is not a name"):
        replace(table, provenance={"a b": ""})
    with pytest.raises(TableError, match="at most 64 are allowed"):
        replace(table, provenance={str(key): "" for key in range(65)})


def test_report_refuses_another_topology() -> None:
    with pytest.raises(TableError, match="other units or pairs"):
        example_table().report(Program.uncoupled(Topology.complete(5)))


def test_every_part_counts_for_the_digest() -> None:
    table = example_table()
    bias_codes = table.bias_codes.copy()
    bias_codes[0] -= np.sign(bias_codes[0])
    codes = table.codes.copy()
    codes[0] -= np.sign(codes[0])
    changes = {
        "topology": Topology.complete(2, 3),
        "codes": codes,
        "bias_codes": bias_codes,
        "J2": table.J2 + 1e-12,
        "J4": np.nextafter(table.J4, 9),
        "scales": {**table.scales, "biases": np.nextafter(table.scales["biases"], 1)},
        "bits": {**table.bits, "biases": 13},
        "method": "other",
        "provenance": {"note": "other"},
    }
    assert set(changes) == {field.name for field in fields(table)}
    digests = {replace(table, **{name: value}).digest for name, value in changes.items()}
    assert len(digests | {table.digest}) == len(changes) + 1


def test_tables_are_frozen_and_travel_between_processes() -> None:
    table = example_table()
    for array in table.arrays.values():
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 0
    assert pickle.loads(pickle.dumps(table)).digest == table.digest
