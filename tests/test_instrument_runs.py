# SPDX-License-Identifier: Apache-2.0
"""Runs of an instrument, its states, and what it refuses (docs/protocol.md, section 4), driven in memory."""

from dataclasses import replace

import numpy as np
import pytest
from instrument_bench import DIVERGED, LOAD, PROGRAM, RAMP, STARTS, UNITS, Bench, HeldDevice, until

from thermohw import RunPlan, SimulatedDevice, open_device
from thermohw.device import ThermodynamicDevice
from thermohw.instrument.instrument import LIMITS
from thermohw.nonideal import NonidealDevice, TemperatureGradient
from thermohw.protocol import SampleLayout
from thermohw.protocol.payloads import (
    pack_biases,
    pack_schedule,
    pack_states,
    unpack_times,
)
from thermohw.samples import Readout
from thermohw.transport import block

# Runs

PLANS = {
    "defaults": ("", RunPlan(1.0, 1, seed=0)),
    "ensemble": ("RUN:DUR 0.5;SAMP 20;SEED 7;FIRS 5", RunPlan(0.5, 20, first_chain=5, seed=7)),
    "step": ("RUN:DUR 0.5;SAMP 6;DT 0.01;KEEP FIN", RunPlan(0.5, 6, 0.01, keep="final", seed=0)),
    "heat alone": ("RUN:SAMP 6;KEEP NONE", RunPlan(1.0, 6, keep="none", seed=0)),
    "unbiased": ("RUN:SAMP 6;INIT UNB", RunPlan(1.0, 6, initial="unbiased", seed=0)),
    "states": ("RUN:SAMP 6;INIT STAT", RunPlan(1.0, 6, initial=STARTS, seed=0)),
    "schedule": ("RUN:SAMP 6;SEED 3", RunPlan(1.0, 6, bias_schedule=RAMP, seed=3)),
    "trajectory": (
        "RUN:DUR 0.5;SAMP 6;DT 0.01;KEEP TRAJ;REC 7",
        RunPlan(0.5, 6, 0.01, keep="trajectory", record_every=7, seed=0),
    ),
    "trajectory of the device's step": ("RUN:SAMP 6;KEEP TRAJ", RunPlan(1.0, 6, keep="trajectory", seed=0)),
}


def device_of(kind: str) -> ThermodynamicDevice:
    if kind == "inertia":
        return open_device("mechanical_cantilever")
    if kind == "entropy":
        return NonidealDevice(SimulatedDevice(), [TemperatureGradient(span=0.5)], 3)
    return SimulatedDevice()


def assert_fetched(bench: Bench, expected: Readout, units: int) -> None:
    """Check that samples of the last run, in pieces, are those of the readout, bit for bit."""
    layout = replace(SampleLayout.of(expected), units=units)
    count = len(expected.heat)
    pieces = [bench.samples(layout, first, min(4, count - first)) for first in range(0, count, 4)]
    for name in pieces[0]:
        fetched = np.concatenate([piece[name] for piece in pieces])
        np.testing.assert_array_equal(fetched, getattr(expected, name), strict=False, err_msg=name)


@pytest.mark.parametrize("name", PLANS)
def test_samples_are_those_of_the_device_bit_for_bit(name: str) -> None:
    commands, plan = PLANS[name]
    with SimulatedDevice() as device:
        device.program(PROGRAM)
        expected = device.run(plan).readout()
    with Bench() as bench:
        bench.loaded()
        if plan.bias_schedule is not None:
            bench.done(b"PROG:SCH " + block(pack_schedule(plan.bias_schedule)))
        if not isinstance(plan.initial, str):
            bench.done(b"RUN:STAT " + block(pack_states(plan.initial)))
        bench.run(commands)
        assert_fetched(bench, expected, UNITS)
        assert float(bench.ask("RUN:DT?")) == expected.dt
        if expected.times is None:
            bench.refused("RUN:TIM?", -230)
        else:
            np.testing.assert_array_equal(unpack_times(bench.ask_block("RUN:TIM?")), expected.times)


@pytest.mark.parametrize("kind", ["inertia", "entropy"])
def test_velocities_and_entropy_are_among_the_samples(kind: str) -> None:
    with device_of(kind) as device:
        device.program(PROGRAM)
        expected = device.run(RunPlan(0.5, 6, keep="trajectory", record_every=9, seed=4)).readout()
    assert expected.velocities is not None if kind == "inertia" else expected.entropy is not None
    with Bench(device_of(kind)) as bench:
        bench.loaded().run("RUN:DUR 0.5;SAMP 6;KEEP TRAJ;REC 9;SEED 4")
        assert_fetched(bench, expected, UNITS)


def test_biases_replace_those_of_the_program() -> None:
    biases = np.linspace(0, 2, UNITS)
    with SimulatedDevice() as device:
        device.program(PROGRAM.with_biases(np.float32(biases)))
        expected = device.run(RunPlan(1.0, 5, seed=0)).readout()
    with Bench() as bench:
        bench.loaded().run("RUN:SAMP 5")
        bench.done(b"PROG:BIAS " + block(pack_biases(biases)))
        assert bench.ask("RUN:PROG?") == "1,DONE,5,5"
        with pytest.raises(AssertionError, match="states"):
            assert_fetched(bench, replace(expected, heat=bench.samples(SampleLayout(3, UNITS, 0), 0, 5)["heat"]), UNITS)
        bench.run()
        assert_fetched(bench, expected, UNITS)


def test_samples_are_there_as_often_as_wanted_and_no_others() -> None:
    limits = LIMITS.model_copy(update={"fetch_bytes": 400})
    with Bench(limits=limits) as bench:
        bench.refused("FETC? 0,1", -230, "IDLE")
        bench.loaded().refused("FETC? 0,1", -230, "READY")
        bench.run("RUN:SAMP 10")
        layout = SampleLayout(3, UNITS, 0)
        assert np.array_equal(bench.samples(layout, 2, 3)["heat"], bench.samples(layout, 0, 6)["heat"][2:5])
        bench.refused("FETC? 0,11", -222, "0 ... 9")
        bench.refused("FETC? 10,1", -222)
        bench.refused("FETC? 0,0", -222)
        bench.refused("FETC? 0,7", -223, "400 bytes")
        assert bench.send(b"FETC? 0,6" + b";FETC? 0,6" * 400 + b"\n")[:2] == b"#3"
        assert bench.error().startswith("-223")
        bench.done(LOAD)
        bench.refused("FETC? 0,1", -230)


def test_a_run_that_asks_for_too_much_is_refused_before_it_starts() -> None:
    limits = LIMITS.model_copy(update={"stored_bytes": 10_000})
    with Bench(limits=limits) as bench:
        bench.loaded().run("RUN:SAMP 10")
        bench.done("RUN:SAMP 200")
        bench.refused("INIT", -223, "10000 are there")
        bench.done("RUN:KEEP NONE;:INIT")
        until(lambda: not bench.instrument.running)
        bench.done("RUN:KEEP TRAJ;SAMP 1;DT 0.001")
        bench.refused("INIT", -223)
        bench.done("RUN:DT 0;DUR 1000")
        bench.refused("INIT", -223)


@pytest.mark.parametrize(
    ("commands", "number"),
    [
        ("RUN:DT 2", -221),
        ("RUN:DT 0.3", -221),
        ("RUN:FIRS 4294967295", -221),
        ("RUN:INIT STAT", -221),
        ("RUN:SAMP 5;INIT STAT", -221),
    ],
)
def test_settings_that_do_not_go_together_are_refused_at_the_start(commands: str, number: int) -> None:
    with Bench() as bench:
        bench.loaded()
        if "SAMP" in commands:
            bench.done(b"RUN:STAT " + block(pack_states(STARTS)))
        bench.done(commands)
        bench.refused("INIT", number)
        assert bench.ask("RUN:PROG?").split(",")[1] == "READY"


# States


def test_states_of_a_run() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        assert bench.ask("RUN:PROG?;:STAT:OPER?") == "0,IDLE,0,1;0"
        bench.loaded()
        assert bench.ask("RUN:PROG?;:STATus:OPERation:CONDition?") == "0,READY,0,1;32"
        bench.done("RUN:SAMP 6;:INIT 41")
        until(lambda: bench.ask("RUN:PROG?") == "41,RUNNING,1,6")
        assert bench.ask("STAT:OPER?") == "16"
        bench.done("*OPC")
        bench.done("INIT 41")
        for refused, number in (("INIT", -213), ("INIT 42", -213), ("RUN:SEED 1", -221), (LOAD, -221)):
            bench.refused(refused, number, "run 41 goes on")
        bench.refused(b"PROG:BIAS " + block(pack_biases(np.ones(UNITS))), -221)
        bench.refused("FETC? 0,1", -230, "RUNNING")
        assert bench.ask("*ESR?") == str(128 | 16)
        device.gate.set()
        until(lambda: not bench.instrument.running)
        assert bench.ask("RUN:PROG?;:STAT:OPER?;*ESR?") == "41,DONE,6,6;32;1"
        bench.done("INIT 41")
        assert device.began == 1
        bench.run("RUN:SEED 1")
        assert bench.ask("RUN:PROG?") == "42,DONE,6,6"


def test_completion_is_answered_at_the_end_and_lines_after_it_meanwhile() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        bench.loaded()
        assert bench.ask("RUN:SAMP 6;:INIT;*OPC?;RUN:DT?") == ""
        assert bench.ask("RUN:SEED?") == "0"
        device.gate.set()
        until(lambda: not bench.instrument.running)
        assert bench.answers() == b"1;" + bench.ask("RUN:DT?").encode() + b"\n"


def test_only_so_many_lines_wait() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        bench.loaded().done("INIT")
        for _ in range(16):
            assert bench.ask("*OPC?") == ""
        bench.refused("*OPC?", -350)
        bench.done("*CLS")
        device.gate.set()
        until(lambda: not bench.instrument.running)
        assert bench.answers() == b""
        assert bench.ask("*OPC?") == "1"


def test_a_run_can_be_stopped_and_its_samples_are_lost() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        bench.loaded().done("INIT 5")
        assert bench.ask("*OPC?") == ""
        assert bench.ask("ABORt") == "1"
        assert bench.ask("RUN:PROG?") == "5,READY,0,1"
        bench.refused("FETC? 0,1", -230)
        device.gate.set()
        bench.done("INIT 5")
        until(lambda: not bench.instrument.running)
        assert bench.ask("RUN:PROG?") == "5,DONE,1,1"
        bench.done("ABOR")
        assert bench.ask("RUN:PROG?") == "5,DONE,1,1"


def test_a_run_that_will_not_stop_does_not_block_the_line() -> None:
    device = HeldDevice(stubborn=True)
    with Bench(device) as bench:
        bench.loaded().done("INIT 1")
        until(lambda: device.began == 1)
        for number in range(2, 40):
            bench.done(f"ABOR;INIT {number}")
            assert bench.ask("RUN:PROG?") == f"{number},RUNNING,0,1"
        bench.done("ABOR")
        assert bench.ask("RUN:PROG?") == "39,READY,0,1"
        bench.done("INIT 40")
        device.gate.set()
        until(lambda: not bench.instrument.running)
        assert bench.ask("RUN:PROG?") == "40,DONE,1,1"
        assert device.began == 2


def test_a_load_waits_for_a_run_that_winds_down(monkeypatch: pytest.MonkeyPatch) -> None:
    device = HeldDevice(stubborn=True)
    with Bench(device) as bench:
        bench.loaded().done("INIT")
        until(lambda: device.began == 1)
        bench.done("ABOR")
        monkeypatch.setattr("thermohw.instrument.instrument.WIND_DOWN", 0.05)
        bench.refused(LOAD, -221, "winds down")
        device.gate.set()
        monkeypatch.setattr("thermohw.instrument.instrument.WIND_DOWN", 20.0)
        bench.done(LOAD)


@pytest.mark.parametrize(
    ("fault", "words"),
    [(DIVERGED, "unit 3 diverged"), (MemoryError("no 8 GB"), "no 8 GB"), (ZeroDivisionError("x"), "ZeroDivisionError")],
)
def test_a_run_that_fails_says_why(fault: Exception, words: str) -> None:
    device = HeldDevice(fault=fault)
    device.gate.set()
    with Bench(device) as bench:
        assert bench.ask("RUN:ERR?") == '""'
        assert bench.loaded().ask("INIT 3") == ""
        until(lambda: not bench.instrument.running)
        assert bench.ask("RUN:PROG?").split(",")[:2] == ["3", "FAILED"]
        assert bench.error() == f'-200,"Execution error; {bench.ask("RUN:ERR?")[1:-1]}"'
        assert words in bench.ask("RUN:ERR?")
        bench.refused("FETC? 0,1", -230, "FAILED")
        bench.done("INIT 3")
        assert device.began == 1
        device.fault = None
        bench.run()
        assert bench.ask("RUN:PROG?") == "4,DONE,1,1"


def test_reset_stops_and_forgets() -> None:
    device = HeldDevice()
    with Bench(device) as bench:
        bench.loaded().done("INIT")
        bench.done("*RST")
        assert bench.ask("RUN:PROG?;:PROG:CRC?") == "1,IDLE,0,1;#H00000000"
        bench.refused("INIT", -221)


def test_run_numbers_start_again_after_the_largest() -> None:
    with Bench() as bench:
        bench.loaded().done("INIT 4294967295")
        until(lambda: not bench.instrument.running)
        bench.run()
        assert bench.ask("RUN:PROG?") == "1,DONE,1,1"
        bench.refused("INIT 4294967296", -222)
