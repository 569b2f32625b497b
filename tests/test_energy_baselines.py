# SPDX-License-Identifier: Apache-2.0
"""Digital baselines: the paper's numbers, operations counted in the kernels themselves, and damaged files."""

import ast
import inspect
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thermohw import energy as energy_package
from thermohw.energy import (
    DigitalBaseline,
    LangevinBaseline,
    Workload,
    baseline_names,
    digital_costs,
    load_baseline,
    parse_baseline,
    read_baseline,
)
from thermohw.energy.simulation import NORMAL_NUMBER, Operations
from thermohw.errors import FileFormatError, PlanError, StorageError
from thermohw.langevin import noise_kernel
from thermohw.units import joules_to_kT

MACS = 10 * (784 * 128 + 128 * 128 + 128 * 784)
FOLDER = Path(energy_package.__file__).parent / "baselines"
PAPER_TEXT = (FOLDER / "whitelam2025.toml").read_text(encoding="utf-8")


def simulation(name: str = "langevin_7nm_fp32") -> LangevinBaseline:
    baseline = read_baseline(name)
    assert isinstance(baseline, LangevinBaseline)
    return baseline


def test_the_baseline_is_the_papers() -> None:
    baseline = load_baseline()
    assert baseline.macs == MACS
    assert baseline.macs / 10 == pytest.approx(2.2e5, rel=0.02)
    assert joules_to_kT(baseline.energy_per_mac.value) == pytest.approx(2.4e8, rel=0.01)
    assert baseline.energy_kT == pytest.approx(5e14, rel=0.06)
    assert baseline.energy == pytest.approx(2.17088e-6)
    assert baseline.cost.kT == pytest.approx(baseline.energy_kT)


@pytest.mark.parametrize("name", baseline_names())
def test_every_shipped_baseline_has_a_source_and_says_what_it_counts(name: str) -> None:
    baseline = read_baseline(name)
    assert baseline.source
    assert baseline.remark
    # A chip at its peak is not what a user gets.
    assert ("peak" in baseline.remark) == ("h100" in name or "tpu" in name)


@pytest.mark.parametrize(
    ("name", "picojoules", "memory"),
    [
        ("denoiser_45nm_fp32", 3.7 + 0.9, 100 / 2),
        ("denoiser_7nm_fp32", 1.31 + 0.38, 14 / 2),
        ("denoiser_7nm_int8", 0.07 + 0.03, 14 / 8),
        ("denoiser_h100_bf16", 700 / 989.4 * 2, None),
        ("denoiser_tpuv4i_bf16", 175 / 138 * 2, None),
    ],
)
def test_the_same_denoiser_on_other_computers(name: str, picojoules: float, memory: float | None) -> None:
    cost = load_baseline(name).cost
    assert cost.energy == pytest.approx(MACS * picojoules * 1e-12, rel=0.02)
    assert cost.memory == (None if memory is None else pytest.approx(MACS * memory * 1e-12))


# The Langevin computer, simulated


def operators(function: object) -> Counter[str]:
    """Count the arithmetic operators in a kernel's source; a loop over a tuple or range counts as often as it runs."""
    assert inspect.isfunction(function)
    found: Counter[str] = Counter()

    def visit(node: ast.AST, times: int) -> None:
        match node:
            case ast.For(iter=ast.Tuple(elts=items)):
                times *= len(items)
            case ast.For(iter=ast.Call(args=[ast.Constant(value=int(rounds))])):
                times *= rounds
            case ast.BinOp(op=op) | ast.AugAssign(op=op):
                names = [part.id for part in ast.walk(node) if isinstance(part, ast.Name)]
                if set(names) - {"_F", "_I", "_U", "_W", "np"}:  # constants are folded when compiling
                    found[type(op).__name__] += times
            case _:
                pass
        for child in ast.iter_child_nodes(node):
            visit(child, times)

    visit(ast.parse(inspect.getsource(function).replace("@inlined", "")), 1)
    return found


def test_the_price_of_a_normal_number_is_what_the_kernel_does() -> None:
    kernel = getattr(noise_kernel, "_box_muller_single")  # noqa: B009 (private)
    pair = operators(kernel)
    integers = pair["RShift"] + pair["BitAnd"] + 3  # three of the additions take a float's exponent apart
    floats = pair["Add"] + pair["Sub"] - 3
    text = inspect.getsource(kernel)
    assert (pair["Div"], text.count("np.sqrt(")) == (1, 1)
    conversions = text.count("_F(_I(radius") + text.count("_F(_I(angle") + text.count("_F((shifted")
    assert conversions == 3
    assert 2 * NORMAL_NUMBER.float_multiply == pair["Mult"] + 2 * 4
    assert 2 * NORMAL_NUMBER.float_add == floats + 2 * 4 + conversions + text.count("max(")
    words = inspect.getsource(noise_kernel).split("def fill_words")[1].split("def box_muller")[0]
    assert words.count("range(10)") == 1
    products, exclusive, additions = (
        words.count("* _W("),
        words.count(" ^ "),
        words.count("_U(a + ") + words.count("_U(b + "),
    )
    assert (products, exclusive, additions) == (2, 4, 2)
    assert 4 * NORMAL_NUMBER.integer_multiply == 10 * products
    assert NORMAL_NUMBER.integer_add == 10 * (exclusive + additions) / 4 + integers / 2


def test_a_simulation_costs_two_MACs_a_pair_and_four_and_a_normal_number_a_unit() -> None:
    count = LangevinBaseline.operations(pairs=70, units=30, steps=11)
    assert count.mac == 11 * (2 * 70 + 4 * 30)
    assert count.integer_multiply == 11 * 30 * 5
    assert LangevinBaseline.operations(70, 30, 0) == Operations()
    by_hand = 1.31 * NORMAL_NUMBER.float_multiply + 0.38 * NORMAL_NUMBER.float_add
    by_hand += 1.48 * NORMAL_NUMBER.integer_multiply + 0.03 * NORMAL_NUMBER.integer_add
    expected = 11 * (260 * 1.69 + 30 * by_hand) * 1e-12
    assert simulation().energy(70, 30, 11) == pytest.approx(expected)
    assert simulation().cost(70, 30, 11).memory == pytest.approx(11 * 70 * 7e-12)
    with pytest.raises(PlanError, match="must not be negative"):
        simulation().energy(70, -1, 11)


def test_couplings_dominate_a_dense_simulation_and_noise_a_sparse_one() -> None:
    noise = simulation().energy(0, 1296, 1)
    assert simulation().energy(532_224, 1296, 1) > 30 * noise
    assert simulation().energy(2 * 1296, 1296, 1) < 2 * noise


def test_simulations_take_their_cost_from_the_workload() -> None:
    short, long = (digital_costs(Workload(30, 70, steps, 0, 0)) for steps in (100, 200))
    assert len(short) == len(baseline_names())
    ratios = {(cost.kind, round(twice.energy / cost.energy, 9)) for cost, twice in zip(short, long, strict=True)}
    assert ratios == {("denoiser", 1.0), ("simulation", 2.0)}


# Files


def test_the_papers_baseline_comes_first() -> None:
    names = baseline_names()
    assert names[0] == "whitelam2025"
    assert names[1:] == sorted(names[1:])


@pytest.mark.parametrize("name", ["nvidia", "", "../baselines/whitelam2025", "whitelam2025\0"])
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(FileFormatError, match=r"no digital baseline .*there are whitelam2025, "):
        read_baseline(name)


def test_a_file_of_ones_own_is_read(tmp_path: Path) -> None:
    own = tmp_path / "own.toml"
    own.write_text(PAPER_TEXT.replace("steps = 10", "steps = 20"), encoding="utf-8")
    assert load_baseline(own).macs == 2 * MACS
    with pytest.raises(StorageError, match="absent"):
        read_baseline(tmp_path / "absent.toml")
    own.write_bytes(b"\xff\xfe")
    with pytest.raises(FileFormatError, match="UTF-8"):
        read_baseline(str(own))


def test_a_simulation_is_no_denoiser() -> None:
    with pytest.raises(FileFormatError, match="simulates a program"):
        load_baseline("langevin_7nm_fp32")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("kind = ", "sort = ", "kind"),
        ('"denoiser"', '"oracle"', "oracle"),
        ("steps = 10", "steps = 0", "steps"),
        ("steps = 10", "steps = 10\nluck = 7", "luck"),
        ("[784, 128, 128, 784]", "[784]", "layers"),
        ("[784, 128, 128, 784]", "[784, 0]", "layers"),
        ('unit = "J"', 'unit = "pJ"', "between 0 and 1 J, got 1e-12 pJ"),
        ("value = 1e-12", "value = -1e-12", "energy_per_mac"),
        ("value = 1e-12", "value = nan", "energy_per_mac"),
        ("temperature = 300.0", "temperature = inf", "temperature"),
        ("[energy_per_mac]", "[energy_per_mac", "not TOML"),
        ("steps = 10", "steps = 10\nsteps = 10", "not TOML"),
    ],
)
def test_a_damaged_file_is_refused_by_key(old: str, new: str, message: str) -> None:
    assert old in PAPER_TEXT
    with pytest.raises(FileFormatError, match=rf"(?s)mine\.toml: .*{message}"):
        parse_baseline(PAPER_TEXT.replace(old, new), "mine.toml")


@settings(deadline=None, max_examples=300)
@given(start=st.integers(0, len(PAPER_TEXT)), length=st.integers(0, 40), text=st.text(max_size=12))
def test_arbitrary_edits_end_in_a_baseline_or_a_clear_error(start: int, length: int, text: str) -> None:
    try:
        found = parse_baseline(PAPER_TEXT[:start] + text + PAPER_TEXT[start + length :], "mine.toml")
    except FileFormatError as error:
        assert "mine.toml" in str(error)
    else:
        assert isinstance(found, DigitalBaseline)
        assert 0 < found.cost.energy < float("inf")
