# SPDX-License-Identifier: Apache-2.0
"""The energy of a sample: ledgers by hand, unknown costs, propagated errors, and the paper's advantage."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from thermohw import Program, Topology
from thermohw.cards import EnergyCosts, card_names, load_card
from thermohw.energy import (
    ROW_NAMES,
    Comparison,
    DigitalCost,
    Ledger,
    Workload,
    break_even,
    device_ledger,
    digital_costs,
    intrinsic_advantage,
    joules_text,
    load_baseline,
    system_advantage,
)
from thermohw.errors import PlanError
from thermohw.statistics import Estimate
from thermohw.units import BOLTZMANN, Quantity, joules_to_kT, kT_to_joules

PAPER_HEAT = Estimate(2.9e3, 350 / 1000**0.5, 350, 1000)
WORKLOAD = Workload(units=30, pairs=70, steps=100, values_written=160, values_read=20, samples_per_programming=40)
UNITS = {"static_power": "W", "dac_write": "J", "adc_conversion": "J", "cooling_overhead": "W/W"}


def costs(**values: float) -> EnergyCosts:
    """Build costs; those left out are unknown."""
    quantities = {
        name: Quantity(value=values[name], unit=unit, source=f"handbook of {name}", status="assumed")
        if name in values
        else None
        for name, unit in UNITS.items()
    }
    return EnergyCosts.model_validate(quantities)


ALL = costs(static_power=2e-3, dac_write=5e-9, adc_conversion=3e-9, cooling_overhead=7.0)


def ledger_of(
    heat: Estimate = PAPER_HEAT,
    stated: EnergyCosts = ALL,
    energy: float = 1e-12,
    duration: float | None = 1e-5,
    workload: Workload = WORKLOAD,
) -> Ledger:
    return device_ledger("board", stated, heat, energy, duration, workload)


def digital(energy: float) -> DigitalCost:
    return DigitalCost("chip", "denoiser", energy, None, "by hand")


def means(ledger: Ledger) -> list[float | None]:
    return [None if row.energy is None else row.energy.mean for row in ledger.rows]


# Ledgers


def test_a_ledger_is_what_one_computes_by_hand() -> None:
    ledger = ledger_of()
    heat, programming, readout, static = 2.9e-9, 160 * 5e-9 / 40, 20 * 3e-9, 2e-3 * 1e-5
    assert [row.name for row in ledger.rows] == list(ROW_NAMES)
    assert means(ledger) == pytest.approx([heat, programming, readout, static, 7 * (heat + static)])
    assert ledger.total.mean == pytest.approx(8 * (heat + static) + programming + readout)
    assert ledger.row("heat").kT == pytest.approx(2.9e-9 / (300 * BOLTZMANN))
    assert ledger.intrinsic.mean == pytest.approx(heat)
    assert (ledger.dominant, ledger.lower_bound, ledger.missing) == ("cooling", False, {})
    assert "handbook of dac_write" in ledger.row("programming").source
    assert "assumed" in ledger.row("programming").source


@pytest.mark.parametrize(("temperature", "joules"), [(300.0, 2.9e3 * 4.141947e-21), (4.2, 2.9e3 * 5.798726e-23)])
def test_heat_in_joules_is_the_devices_own(temperature: float, joules: float) -> None:
    ledger = ledger_of(energy=BOLTZMANN * temperature)
    assert ledger.intrinsic.mean == pytest.approx(joules, rel=1e-6)
    assert ledger.row("heat").kT == pytest.approx(2.9e3 * temperature / 300)
    assert ledger.heat_kT.mean == 2.9e3


def test_a_cost_that_nobody_states_is_unknown_and_never_zero() -> None:
    ledger = ledger_of(stated=costs())
    assert means(ledger) == [pytest.approx(2.9e-9), None, None, None, None]
    assert list(ledger.missing) == list(ROW_NAMES[1:])
    assert all("not stated" in reason for reason in ledger.missing.values())
    assert ledger.lower_bound
    assert ledger.total == ledger.intrinsic
    assert ledger.dominant == "heat"


@pytest.mark.parametrize("name", card_names())
def test_every_shipped_card_has_a_ledger_whose_unknown_rows_are_those_it_leaves_out(name: str) -> None:
    stated = load_card(name).energy
    ledger = ledger_of(stated=stated)
    rows = {
        "static_power": "static",
        "dac_write": "programming",
        "adc_conversion": "readout",
        "cooling_overhead": "cooling",
    }
    unknown = {row for cost, row in rows.items() if getattr(stated, cost) is None}
    assert {row.name for row in ledger.rows if row.energy is None} == unknown


@pytest.mark.parametrize("name", UNITS)
def test_each_missing_cost_makes_the_total_a_lower_bound(name: str) -> None:
    ledger = ledger_of(stated=ALL.model_copy(update={name: None}))
    assert ledger.lower_bound
    assert ledger.total.mean < ledger_of().total.mean


def test_cooling_without_static_power_is_known_in_part() -> None:
    ledger = ledger_of(stated=ALL.model_copy(update={"static_power": None}))
    cooling = ledger.row("cooling")
    assert cooling.energy is not None
    assert cooling.energy.mean == pytest.approx(7 * 2.9e-9)
    assert "static power" in cooling.missing
    warm = ledger_of(stated=costs(dac_write=5e-9, adc_conversion=3e-9, cooling_overhead=0.0))
    assert list(warm.missing) == ["static"]
    assert means(warm)[4] == 0


def test_an_unknown_duration_leaves_static_power_unknown_unless_there_is_none() -> None:
    unknown = ledger_of(duration=None)
    assert means(unknown)[3] is None
    assert "seconds" in unknown.missing["static"]
    passive = ledger_of(
        duration=None, stated=ALL.model_copy(update={"static_power": costs(static_power=0).static_power})
    )
    assert means(passive)[3] == 0
    assert not passive.lower_bound


def test_nothing_written_or_read_costs_nothing_whatever_the_converters() -> None:
    idle = replace(WORKLOAD, values_written=0, values_read=0)
    assert means(ledger_of(stated=costs(), workload=idle))[1:3] == [0, 0]


def test_one_sample_has_no_standard_error_and_the_ledger_says_why() -> None:
    ledger = ledger_of(heat=Estimate.of([2900.0]))
    assert math.isnan(ledger.total.standard_error)
    entry = ledger.as_dict()["rows"]["heat"]
    assert entry["standard_error"] is None
    assert "two are needed" in entry["remark"]
    gain = system_advantage(ledger, digital(1e-6))
    assert math.isnan(gain.standard_error)
    assert "fewer than two" in gain.reason


def test_no_sample_gives_no_number() -> None:
    ledger = ledger_of(heat=Estimate(math.nan, math.nan, math.nan, 0))
    assert break_even(ledger, digital(1.0)).samples is None
    assert math.isnan(system_advantage(ledger, digital(1.0)).ratio)
    json.dumps(ledger.as_dict(), allow_nan=False)


def test_a_program_is_written_with_couplings_biases_and_on_site_energies() -> None:
    topology = Topology.layered(6, 4)
    quartic = Workload.of(Program.uncoupled(topology), 50)
    pairs = len(topology.pairs)
    assert quartic == Workload(10, pairs, 50, pairs + 30, 6, 1000)
    assert Workload.of(Program.uncoupled(topology, J4=0.0), 50, 7).values_written == pairs + 20


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: replace(WORKLOAD, pairs=-1), "pairs must not be negative, got -1"),
        (lambda: replace(WORKLOAD, samples_per_programming=0.5), "at least one sample"),
        (lambda: replace(WORKLOAD, samples_per_programming=math.nan), "at least one sample"),
        (lambda: ledger_of(energy=0.0), "board: k_BT_eff must be a positive number of joules"),
        (lambda: ledger_of(energy=math.inf), "k_BT_eff"),
        (lambda: ledger_of(duration=-1.0), "at least zero seconds"),
    ],
)
def test_an_impossible_use_is_refused(make: Callable[[], object], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        make()


# Errors, against repeated estimates

REPEATS = 4000
SPREAD = 5 / (2 * REPEATS) ** 0.5
"""Five standard errors of the logarithm of a standard deviation estimated from the repeats."""


def test_errors_are_those_of_repeated_estimates() -> None:
    rng = np.random.default_rng(11)
    stated = costs(static_power=1e-6, dac_write=1e-9, adc_conversion=1e-12, cooling_overhead=1.0)
    ledgers = [ledger_of(Estimate.of(rng.normal(1000, 200, 100)), stated) for _ in range(REPEATS)]
    truth = ledger_of(Estimate(1000, 20, 200, 100), stated)
    spread = np.std([ledger.total.mean for ledger in ledgers])
    assert abs(np.log(spread / truth.total.standard_error)) < SPREAD
    # Heat and its cooling rise and fall together; as if independent, their errors would add up to 1/√2 of that.
    wrong = math.hypot(*(row.energy.standard_error for row in truth.rows if row.energy is not None))
    assert abs(np.log(spread / wrong)) > 5 * SPREAD

    gains = [system_advantage(ledger, digital(1e-6)) for ledger in ledgers]
    error = np.mean([gain.standard_error for gain in gains])
    assert abs(np.log(np.std([gain.ratio for gain in gains]) / error)) < SPREAD + 1e-3

    points = [break_even(ledger, digital(1e-8)) for ledger in ledgers]
    samples = [point.samples for point in points if point.samples is not None]
    assert len(samples) == REPEATS
    error = np.mean([point.standard_error for point in points])
    assert abs(np.log(np.std(samples) / error)) < SPREAD + 1e-3


# Advantage


def test_the_papers_heat_gives_its_advantage() -> None:
    advantage = intrinsic_advantage(PAPER_HEAT, load_baseline())
    assert advantage.ratio > 1e11
    assert advantage.ratio == pytest.approx(5.24e14 / 2.9e3, rel=1e-3)
    assert advantage.standard_error / advantage.ratio == pytest.approx(350 / 1000**0.5 / 2.9e3)


def test_the_intrinsic_advantage_compares_joules() -> None:
    paper = intrinsic_advantage(PAPER_HEAT, load_baseline())
    room = intrinsic_advantage(PAPER_HEAT, load_baseline(), 300 * BOLTZMANN)
    cold = intrinsic_advantage(PAPER_HEAT, load_baseline(), 4.2 * BOLTZMANN)
    board = intrinsic_advantage(PAPER_HEAT, load_baseline(), 2e-12)
    assert room.ratio == pytest.approx(paper.ratio)
    assert cold.ratio == pytest.approx(paper.ratio * 300 / 4.2)
    assert board.ratio == pytest.approx(2.17088e-6 / (2.9e3 * 2e-12))
    assert board.standard_error / board.ratio == pytest.approx(paper.standard_error / paper.ratio)


def test_the_system_advantage_counts_every_row_and_is_a_bound_where_one_is_unknown() -> None:
    whole, partial = ledger_of(), ledger_of(stated=ALL.model_copy(update={"dac_write": None}))
    gain, bound = system_advantage(whole, digital(1e-6)), system_advantage(partial, digital(1e-6))
    assert gain.ratio == pytest.approx(1e-6 / whole.total.mean)
    assert (gain.upper_bound, gain.reason) == (False, "")
    assert bound.upper_bound
    assert "programming" in bound.reason
    assert bound.ratio > gain.ratio
    assert str(bound).startswith("≤ ")
    assert not str(gain).startswith("≤")


@pytest.mark.parametrize("mean", [0.0, -4.0, math.nan])
def test_no_advantage_is_claimed_where_no_heat_is_emitted(mean: float) -> None:
    advantage = intrinsic_advantage(Estimate(mean, 1.0, 30.0, 900), load_baseline())
    assert np.isnan(advantage.ratio)
    assert np.isnan(advantage.standard_error)
    assert "not positive" in advantage.reason
    assert str(advantage) == "undefined"


def test_no_error_is_claimed_where_the_heat_may_be_zero() -> None:
    advantage = intrinsic_advantage(Estimate(2.0, 1.0, 30.0, 900), load_baseline())
    assert math.isnan(advantage.standard_error)
    assert "standard errors of zero" in advantage.reason
    assert not math.isnan(intrinsic_advantage(Estimate(4.0, 1.0, 30.0, 900), load_baseline()).standard_error)


# Break-even


def test_at_break_even_both_computers_need_the_same() -> None:
    point = break_even(ledger_of(), digital(3e-7))
    assert point.samples is not None
    there = ledger_of(workload=replace(WORKLOAD, samples_per_programming=point.samples))
    assert there.total.mean == pytest.approx(3e-7)
    assert break_even(there, digital(3e-7)).samples == pytest.approx(point.samples)


def test_break_even_says_why_there_is_none() -> None:
    never = break_even(ledger_of(), digital(1e-9))
    assert (never.samples, str(never)) == (None, "never")
    assert "never" in never.reason
    unknown = break_even(ledger_of(stated=ALL.model_copy(update={"dac_write": None})), digital(1e-6))
    assert (unknown.samples, str(unknown)) == (None, "unknown")
    bound = break_even(ledger_of(stated=ALL.model_copy(update={"adc_conversion": None})), digital(1e-6))
    assert bound.lower_bound
    assert str(bound).startswith("≥ ")
    whole = break_even(ledger_of(), digital(1e-6))
    assert bound.samples is not None
    assert whole.samples is not None
    assert bound.samples < whole.samples
    assert str(break_even(ledger_of(), digital(1.0))) == "1"


# Comparison


def test_a_comparison_fills_every_cell_and_is_JSON() -> None:
    ledgers = [ledger_of(), replace(ledger_of(stated=costs(), duration=None), device="ideal")]
    comparison = Comparison.of(ledgers, WORKLOAD)
    for table in comparison.tables():
        assert table.rows
        assert all(len(row) == len(table.columns) for row in table.rows)
        assert all(cell for row in table.rows for cell in row)
    energies, _, advantages, points = comparison.tables()
    assert energies.rows[1][3:7] == ("unknown",) * 4
    assert energies.rows[0][-1] == "cooling"
    assert advantages.columns == ("advantage", "board", "ideal")
    assert len(advantages.rows) == len(points.rows) + 1 == len(digital_costs(WORKLOAD)) + 1
    again = json.loads(json.dumps(comparison.as_dict(), allow_nan=False))
    board = again["devices"][0]
    assert board["total"]["joules"] == pytest.approx(ledgers[0].total.mean)
    assert board["dominant"] == "cooling"
    assert set(board["against"]) == {cost["name"] for cost in again["digital"]}
    assert again["devices"][1]["rows"]["cooling"]["joules"] is None


@pytest.mark.parametrize(
    ("energy", "error", "text"),
    [
        (4.19e-9, 0.0, "4.19 nJ"),
        (4.19e-9, 2e-11, "(4.19 ± 0.02) nJ"),
        (4.19e-9, 1e-15, "(4.19 ± <0.1 %) nJ"),
        (4.19e-9, math.nan, "(4.19 ± undefined) nJ"),
        (9.9999e-10, 0.0, "1 nJ"),
        (0.0, 0.0, "0 J"),
        (-2e-6, 0.0, "-2 µJ"),
        (1e-26, 0.0, "0.01 yJ"),
        (math.nan, 0.0, "undefined"),
    ],
)
def test_energies_are_written_with_a_prefix(energy: float, error: float, text: str) -> None:
    assert joules_text(energy, error) == text


def test_reduced_and_SI_energies_convert_both_ways() -> None:
    assert kT_to_joules(1, 300) == pytest.approx(300 * 1.380649e-23)
    assert joules_to_kT(kT_to_joules(2.9e3, 4.2), 4.2) == pytest.approx(2.9e3)
    assert BOLTZMANN == 1.380649e-23
