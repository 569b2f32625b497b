# SPDX-License-Identifier: Apache-2.0
"""Sweeps: strengths against the closed form, points that are measured once, and wrong input."""

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from training_examples import patterns

from thermohw import Program, RunPlan, SimulatedDevice, Topology, TrainingRun, open_device, train
from thermohw.device import DeviceWrapper, Progress, ThermodynamicDevice
from thermohw.errors import DeviceLimitError, PlanError, ThermoHWError, TrainingError
from thermohw.langevin.observer import Observer
from thermohw.nonideal import EFFECTS, CouplingDrift, CouplingMismatch, NonreciprocalCouplings, OnsiteMismatch
from thermohw.samples import Readout
from thermohw.sweep import Axis, Curve, Judge, Sweep, SweepSettings, sweep
from thermohw.training import score
from thermohw.training.moments import DenseMoments, LowRankMoments

SHORT = SweepSettings(devices=2, samples=4, duration=0.05, dt=0.005)
MISMATCH = Axis.of("coupling_mismatch", [0, 0.5])


@pytest.fixture(scope="module")
def run() -> TrainingRun:
    """Train 4 × 4 pixels with 64 hidden units."""
    return train(patterns(), "contrast", overrides={"hidden": 64, "crop_start": 3})


class Counter:
    """Opens devices and counts the runs on them."""

    def __init__(self) -> None:
        self.runs = 0

    def __call__(self, *, executor: Executor | None = None) -> ThermodynamicDevice:
        counter = self

        class Counting(DeviceWrapper):
            def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
                counter.runs += 1
                return super()._run(plan, observers, progress)

        return Counting(SimulatedDevice(executor=executor))


def means(curve: Curve, measure: Any) -> list[float]:
    return [level.measures[measure].mean for level in curve.levels]


def same(first: Sweep, second: Sweep) -> bool:
    return repr(first.curves) == repr(second.curves)  # repr: NaN equals NaN, and no digit is lost


# Axes


@pytest.mark.parametrize(
    ("name", "field"),
    [
        ("coupling_mismatch", "std"),
        ("quantization", "coupling_bits"),
        ("gain_offset", "gain_error"),
        ("rails", "limit"),
    ],
)
def test_an_effect_alone_means_its_first_number(name: str, field: str) -> None:
    assert Axis.of(name, [None]).name == f"{name}.{field}"


def test_every_effect_can_be_varied_from_off_on() -> None:
    """At its default, which is off, the first number of an effect leaves it without effect."""
    for name in EFFECTS:
        (effect,) = Axis.of(name, [None]).effects((), Axis.of(name, [None]).values[0])
        assert effect.name() == name
        assert not effect.active


def test_values_are_ordered_with_off_last_and_keep_their_type() -> None:
    assert Axis.of("quantization", [8, None, 2.0, 4]).values == (2, 4, 8, None)
    assert isinstance(Axis.of("quantization", [2.0]).values[0], int)
    assert Axis.of("coupling_mismatch", [0.2, None, 0]).values == (0.0, 0.2)  # its default is a number: zero


@pytest.mark.parametrize(
    ("name", "values", "words"),
    [
        ("coupling_mismatches", [0.1], "there are: quantization, "),
        ("coupling_mismatch.", [0.1], "coupling_mismatch alone means coupling_mismatch.std"),
        ("stuck_couplings.stuck_at", [0.1], "no number 'stuck_at'"),
        ("programming_noise.proportional", [1.0], "no number 'proportional'"),
        ("coupling_mismatch.source", [1.0], "no number 'source'"),
        ("coupling_mismatch", [], "at least one value"),
        ("coupling_mismatch", [-0.1], "greater than or equal to 0; got -0.1"),
        ("coupling_mismatch", [0.1, float("nan")], "finite"),
        ("coupling_mismatch", [float("inf")], "got inf"),
        ("quantization", [2.5], "coupling_bits"),
        ("quantization", [1], "greater than or equal to 2"),
    ],
)
def test_wrong_axes_are_refused(name: str, values: Sequence[float], words: str) -> None:
    with pytest.raises(DeviceLimitError) as caught:
        Axis.of(name, values)
    assert words in str(caught.value)


def test_a_strength_that_does_nothing_by_itself_is_refused() -> None:
    axis = Axis.of("coupling_drift.nu", [0, 0.05])
    assert axis.effects((), 0)
    with pytest.raises(DeviceLimitError, match="elapsed"):
        axis.effects((), 0.05)
    (drift,) = axis.effects((CouplingDrift(elapsed=3600.0),), 0.05)
    assert drift == CouplingDrift(elapsed=3600.0, nu=0.05)


def test_other_effects_of_the_background_stay() -> None:
    background = (CouplingMismatch(std=0.3, additive_std=0.01), OnsiteMismatch(J2_std=0.1))
    effects = MISMATCH.effects(background, 0.5)
    assert effects == (OnsiteMismatch(J2_std=0.1), CouplingMismatch(std=0.5, additive_std=0.01))


# Physics


def test_zero_strength_is_the_plain_device_bit_for_bit(run: TrainingRun) -> None:
    settings = replace(SHORT, devices=3, duration=0.5, samples=16)
    curve = sweep(run, [Axis.of("coupling_mismatch", [0, 0.3])], settings=settings).curves[0]
    heat: list[float] = []
    correlation: list[float] = []
    with SimulatedDevice() as device:
        device.program(run.program)
        for seed in settings.device_seeds:
            samples = device.run(RunPlan(0.5, 16, 0.005, seed=settings.run_seed(seed)))
            heat.append(float(samples.heat.mean()))
            correlation.append(score(samples.visible_states, run.references, run.reference_labels).correlation)
    plain, strong = curve.levels
    assert plain.measures["heat"].mean == np.mean(heat)
    assert plain.measures["correlation"].mean == np.mean(correlation)
    assert plain.measures["heat"].standard_deviation == np.std(heat, ddof=1)
    assert plain.measures["likelihood"].mean == 1.0
    assert strong.measures["heat"].mean != plain.measures["heat"].mean  # the control


def test_mismatch_costs_the_likelihood_that_the_closed_form_predicts(run: TrainingRun) -> None:
    """⟨gain⟩ = gain + σ² μ Σ J_ij² (S_ii + S_jj) / (4 kT): independent relative errors are a penalty on couplings."""
    settings = replace(SHORT, devices=48, samples=1)
    strengths = [0.2, 0.6, 1.5]
    curve = sweep(run, [Axis.of("coupling_mismatch", strengths)], settings=settings).curves[0]
    moments, gain = run.moments, Judge(run.program, run).gain
    assert moments is not None
    second = moments.second
    assert isinstance(second, DenseMoments | LowRankMoments)
    i, j = run.program.topology.pairs.T
    penalty = float((run.program.couplings**2 * (second.diagonal[i] + second.diagonal[j])).sum()) / 4
    for strength, level in zip(strengths, curve.levels, strict=True):
        found = level.measures["likelihood"]
        expected = (gain + strength**2 * penalty) / gain
        assert abs(found.mean - expected) < 4 * found.standard_error
        assert abs(found.mean - 1) > 20 * found.standard_error  # without the penalty: far outside
        assert abs(found.mean - (gain + 2 * strength**2 * penalty) / gain) > 20 * found.standard_error
    assert means(curve, "likelihood") == sorted(means(curve, "likelihood"), reverse=True)


def test_the_gain_is_that_of_the_training(run: TrainingRun) -> None:
    """Without biases the judge's gain is the one that training reports."""
    unbiased = run.program.with_biases(np.zeros(run.program.topology.units))
    assert Judge(unbiased, run).gain == pytest.approx(run.metrics["gain_per_time"], rel=1e-9)


def test_no_couplings_have_no_likelihood_to_gain(run: TrainingRun) -> None:
    program = run.program
    nothing = replace(program, couplings=np.zeros_like(program.couplings), biases=np.zeros_like(program.biases))
    judge = Judge(program, run)
    assert judge.likelihood(nothing) == 0
    assert judge.likelihood(replace(nothing, couplings=-program.couplings)) < 0
    assert judge.likelihood(program) == 1


def test_bits_are_swept_by_the_same_machinery(run: TrainingRun) -> None:
    curve = sweep(run, [Axis.of("quantization", [2, 8, None])], settings=SHORT).curves[0]
    two, eight, off = means(curve, "likelihood")
    assert two < eight < off == 1
    assert eight > 0.99
    assert curve.levels[0].measures["likelihood"].standard_error == 0  # rounding is the same on every device


def test_entropy_production_is_told_where_there_is_no_detailed_balance(run: TrainingRun) -> None:
    axis = Axis.of("nonreciprocal_couplings", [0, 0.5])
    found = sweep(run, [axis], settings=SHORT)
    still, driven = found.curves[0].levels
    assert "entropy_production" not in still.measures
    assert np.isfinite(driven.measures["entropy_production"].mean)
    assert any("nonreciprocal_couplings has no part" in remark for remark in found.remarks)


def test_devices_and_their_noise_differ_and_are_the_same_at_all_strengths(run: TrainingRun) -> None:
    seeds = {SHORT.run_seed(device) for device in range(1000)}
    assert len(seeds) == 1000
    assert replace(SHORT, seed=2).run_seed(1) != SHORT.run_seed(1) == replace(SHORT, devices=9).run_seed(1)
    curve = sweep(run, [MISMATCH], settings=SHORT).curves[0]
    assert all(level.measures["heat"].standard_deviation > 0 for level in curve.levels)


# Programs beside the run's


def test_programs_are_judged_by_the_run(run: TrainingRun) -> None:
    other = Topology.layered(16, 5)
    flat = Program(other, np.full(21, 10.0), np.full(21, 10.0), np.zeros(21), np.zeros(len(other.pairs)))
    rivals = {"table": run.quantize(bits=3).program, "flat": flat}
    found = sweep(run, [MISMATCH], rivals=rivals, settings=SHORT)
    own, table, uncoupled = found.curves
    assert [curve.label for curve in found.curves] == ["program", "table", "flat"]
    assert 0.9 < means(table, "likelihood")[0] < means(own, "likelihood")[0] == 1
    assert "likelihood" not in uncoupled.levels[0].measures
    assert "recognised" in uncoupled.levels[0].measures
    assert found.remarks == (
        "no likelihood of flat: it couples other pairs than the run's program, whose path moments are known",
    )


def test_of_a_program_alone_and_of_a_run_without_moments_less_is_told(run: TrainingRun) -> None:
    alone = sweep(run.program, [MISMATCH], settings=SHORT)
    assert alone.measures == ("heat",)
    assert "no fidelity and no likelihood" in alone.remarks[0]
    without = sweep(replace(run, moments=None), [MISMATCH], settings=SHORT)
    assert "heat" in without.measures
    assert "recognised" in without.measures
    assert "likelihood" not in without.measures
    assert "train it again" in without.remarks[0]


# Points


def test_results_depend_neither_on_workers_nor_on_the_order(run: TrainingRun) -> None:
    bits = Axis.of("quantization", [3, None])
    first = sweep(run, [MISMATCH, bits], settings=SHORT, workers=1)
    second = sweep(run, [MISMATCH, bits], settings=SHORT, workers=2)
    assert same(first, second)
    turned = sweep(run, [bits, MISMATCH], settings=SHORT, workers=2)
    assert repr(turned.curves[0]) == repr(first.curves[1])
    assert not same(first, sweep(run, [MISMATCH, bits], settings=replace(SHORT, seed=2)))  # the control


def test_points_are_measured_once(run: TrainingRun, tmp_path: Path) -> None:
    counter = Counter()
    first = sweep(run, [MISMATCH], settings=SHORT, opener=counter, folder=tmp_path)
    assert (counter.runs, first.measured, first.reused) == (4, 4, 0)
    again = sweep(run, [MISMATCH], settings=SHORT, opener=counter, folder=tmp_path)
    assert (counter.runs, again.measured, again.reused) == (4, 0, 4)
    assert same(first, again)
    wider = [Axis.of("coupling_mismatch", [0, 0.5, 1]), Axis.of("quantization", [4, None])]
    more = sweep(run, wider, settings=replace(SHORT, devices=3), opener=counter, folder=tmp_path)
    assert counter.runs == 4 + 2 + 3 + 3  # a device at two values, three at the new value, three at four bits
    assert more.reused == 4
    assert sweep(run, [MISMATCH], settings=SHORT, folder=tmp_path / "other").measured == 4


def other_seed(run: TrainingRun) -> dict[str, Any]:
    return {"settings": replace(SHORT, seed=2)}


def more_samples(run: TrainingRun) -> dict[str, Any]:
    return {"settings": replace(SHORT, samples=5)}


def a_background(run: TrainingRun) -> dict[str, Any]:
    return {"background": (OnsiteMismatch(J2_std=0.1),)}


def another_card(run: TrainingRun) -> dict[str, Any]:
    return {"opener": partial(open_device, "rc_board")}


def other_references(run: TrainingRun) -> dict[str, Any]:
    return {"subject": replace(run, references=run.references[::-1])}


@pytest.mark.parametrize("change", [other_seed, more_samples, a_background, another_card, other_references])
def test_a_point_of_other_settings_is_another_point(
    run: TrainingRun, tmp_path: Path, change: Callable[[TrainingRun], dict[str, Any]]
) -> None:
    asked: dict[str, Any] = {"subject": run, "axes": [MISMATCH], "settings": SHORT, "folder": tmp_path}
    assert sweep(**asked).measured == 4
    assert sweep(**{**asked, **change(run)}).measured == 4
    assert sweep(**asked).reused == 4  # the first are there still


def test_where_numbers_come_from_makes_no_other_point(run: TrainingRun, tmp_path: Path) -> None:
    for source in ("", "a data sheet"):
        background = (OnsiteMismatch(J2_std=0.1, source=source),)
        found = sweep(run, [MISMATCH], settings=SHORT, background=background, folder=tmp_path)
    assert found.reused == 4


def test_an_interrupted_sweep_goes_on(run: TrainingRun, tmp_path: Path) -> None:
    axis = Axis.of("coupling_mismatch", [0, 0.1, 0.2, 0.3])

    def interrupt(done: int, total: int) -> None:
        assert total == 8
        if done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sweep(run, [axis], settings=SHORT, folder=tmp_path, workers=1, progress=interrupt)
    seen: list[tuple[int, int]] = []
    rest = sweep(run, [axis], settings=SHORT, folder=tmp_path, progress=lambda done, total: seen.append((done, total)))
    assert 3 <= rest.reused < 8
    assert seen == [(done, 8) for done in range(rest.reused + 1, 9)]
    assert same(rest, sweep(run, [axis], settings=SHORT))


# Failures


def test_devices_that_cannot_run_are_counted(run: TrainingRun, tmp_path: Path) -> None:
    """At this time step the program runs, and diverges on some or all devices of strong mismatch."""
    settings = SweepSettings(devices=3, samples=2, duration=0.6, dt=0.01)
    axis = Axis.of("coupling_mismatch", [0, 5, 10])
    found = sweep(run, [axis], settings=settings, folder=tmp_path)
    sound, strong, wild = found.curves[0].levels
    assert (sound.measures["heat"].count, len(sound.failures)) == (3, 0)
    assert (strong.measures["heat"].count, len(strong.failures)) == (2, 1)
    assert (len(wild.measures), len(wild.failures)) == (0, 3)
    assert "use at most" in strong.failures[0]
    again = sweep(run, [axis], settings=settings, folder=tmp_path)
    assert again.measured == 0
    assert same(again, found)
    with pytest.raises(DeviceLimitError, match="no device of this sweep could run; the first one: chain"):
        sweep(run, [Axis.of("coupling_mismatch", [10])], settings=settings)


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"axes": []}, PlanError, "needs an effect"),
        ({"axes": [MISMATCH, Axis.of("coupling_mismatch.std", [1])]}, PlanError, "varied twice"),
        ({"workers": 0}, PlanError, "at least 1 worker"),
        ({"label": "a", "rivals": {"a": None}}, PlanError, "label of its own"),
        ({"background": (NonreciprocalCouplings(), NonreciprocalCouplings())}, DeviceLimitError, "2 times"),
    ],
)
def test_wrong_sweeps_are_refused(
    run: TrainingRun, tmp_path: Path, changes: dict[str, Any], error: type[ThermoHWError], words: str
) -> None:
    asked: dict[str, Any] = {"axes": [MISMATCH], "settings": SHORT, "folder": tmp_path / "none", **changes}
    with pytest.raises(error, match=words):
        sweep(run, **asked)
    assert not (tmp_path / "none").exists()


def test_what_no_point_could_do_is_refused_at_once(run: TrainingRun) -> None:
    counter = Counter()
    wide = Topology.layered(17, 5)
    other = Program(wide, np.full(22, 10.0), np.full(22, 10.0), np.zeros(22), np.zeros(len(wide.pairs)))
    with pytest.raises(TrainingError, match="other has 17 visible units, the references 16"):
        sweep(run, [MISMATCH], rivals={"other": other}, settings=SHORT, opener=counter)
    with pytest.raises(DeviceLimitError, match="mobility_mismatch changes the equation of motion"):
        sweep(run, [Axis.of("mobility_mismatch", [0, 0.1])], settings=SHORT, opener=counter)
    assert counter.runs == 0
    strong = replace(run.program, couplings=run.program.couplings * 1e4)
    with pytest.raises(DeviceLimitError, match="saturate with clip=True"):
        sweep(strong, [MISMATCH], settings=SHORT, opener=partial(open_device, "rc_board"))


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"devices": 0}, "at least 1 device"),
        ({"samples": 0}, "n_samples"),
        ({"duration": float("nan")}, "duration"),
        ({"dt": 0.3}, "whole number of steps"),
        ({"seed": -1}, "seed"),
        ({"first_device": 2**64 - 1}, "device seeds"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], words: str) -> None:
    with pytest.raises(PlanError, match=words):
        SweepSettings(**settings)
