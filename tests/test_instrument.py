# SPDX-License-Identifier: Apache-2.0
"""Commands, states and error numbers of an instrument (docs/protocol.md, sections 4 and 6), driven in memory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instrument_bench import DIVERGED, LOAD, PROGRAM, Bench, HeldDevice, until

from thermohw import BiasSchedule, RunPlan, SimulatedDevice, open_device
from thermohw.device import ThermodynamicDevice
from thermohw.instrument.instrument import LIMITS
from thermohw.nonideal import NonidealDevice, TemperatureGradient
from thermohw.program import Program
from thermohw.protocol import Capability, SampleLayout
from thermohw.protocol.payloads import (
    pack_biases,
    pack_program,
    pack_schedule,
    pack_states,
    unpack_times,
)
from thermohw.samples import Readout
from thermohw.tables import CouplingTable
from thermohw.topology import Topology
from thermohw.transport import block, with_checksum

UNITS = PROGRAM.units
RAMP = BiasSchedule(np.array([0.0, 0.4]), np.stack([np.zeros(UNITS), np.linspace(-1, 1, UNITS)]))
STARTS = np.linspace(-1, 1, 6 * UNITS, dtype=np.float32).reshape(6, UNITS)


def checksum_of(payload: bytes) -> str:
    return f"#H{int.from_bytes(payload[-4:], 'little'):08X}"


# What it is


def test_it_says_what_it_is() -> None:
    with Bench() as bench:
        assert bench.ask("*IDN?").startswith("thermohw,ideal,0,")
        assert bench.ask("*IDN?").endswith(" protocol 1.0")
        assert bench.ask("SYST:VERS?;*TST?;*OPC?") == "1.0;0;1"
        capability = Capability.read(bench.ask_block("SYSTem:CAPability?"), "bench")
        assert capability.spec == SimulatedDevice().spec
        assert capability.programs == ("table", "float64")
        assert capability.limits == LIMITS


def test_a_profile_of_many_effects_goes_over_a_line() -> None:
    device = NonidealDevice(SimulatedDevice(), [TemperatureGradient(span=0.1)], 7)
    with Bench(device) as bench:
        assert bench.ask("*IDN?").split(",")[2] == "7"
        assert Capability.read(bench.ask_block("SYST:CAP?"), "bench").spec == device.spec


def test_registers_say_what_happened() -> None:
    with Bench() as bench:
        assert bench.ask("*ESR?;*ESR?") == "128;0"
        bench.ask("*ESE 255;*SRE 32;NONSENSE")
        assert bench.ask("*ESE?;*SRE?") == "255;32"
        assert bench.ask("*STB?") == str(4 | 32 | 64)
        assert bench.ask("*IDN?;*STB?").split(";")[1] == str(4 | 16 | 32 | 64)
        bench.ask("*CLS")
        assert bench.ask("*STB?;*ESE?") == "0;255"
        bench.done("*OPC")
        assert bench.ask("*ESR?") == "1"
        bench.refused("*ESE 256", -222, "0 ... 255")


# Settings

DEFAULTS = {
    "DUR": "1.0",
    "DT": "0.0",
    "SAMP": "1",
    "FIRS": "0",
    "SEED": "0",
    "KEEP": "BOTH",
    "REC": "1",
    "INIT": "UNC",
}
OTHERS = {
    "DURation": "2.5",
    "DT": "0.125",
    "SAMPles": "16777216",
    "FIRSt": "4294967295",
    "SEED": "18446744073709551615",
    "KEEP": "TRAJ",
    "RECord": "7",
    "INITial": "STAT",
}


def settings(bench: Bench) -> dict[str, str]:
    return {name: bench.ask(f"RUN:{name}?") for name in DEFAULTS}


def test_settings_have_their_defaults_take_values_and_are_reset() -> None:
    with Bench() as bench:
        assert settings(bench) == DEFAULTS
        bench.done("RUN:" + ";".join(f"{name} {value}" for name, value in OTHERS.items()))
        assert list(settings(bench).values()) == list(OTHERS.values())
        bench.done("*RST")
        assert settings(bench) == DEFAULTS


@pytest.mark.parametrize(
    ("command", "number"),
    [
        ("RUN:DUR 0", -222),
        ("RUN:DUR -1", -222),
        ("RUN:DT -1", -222),
        ("RUN:SAMP 0", -222),
        ("RUN:SAMP 16777217", -222),
        ("RUN:FIRS 4294967296", -222),
        ("RUN:SEED 18446744073709551616", -222),
        ("RUN:REC 0", -222),
        ("RUN:KEEP SOME", -224),
        ("RUN:INIT BIASED", -224),
        ("RUN:SAMP 1.5", -104),
        ("RUN:SAMP", -109),
        ("RUN:SAMP 1,2", -108),
        ("RUN:SAMP 5 m", -131),
        ("RUN:SAMP " + "#13abc", -168),
        ("RUN:SAMMP 5", -113),
        ("RUN SAMP 5", -113),
        ("5", -102),
    ],
)
def test_a_wrong_setting_is_refused_and_changes_nothing(command: str, number: int) -> None:
    with Bench() as bench:
        bench.refused(command, number)
        assert settings(bench) == DEFAULTS


@given(st.floats(min_value=0, exclude_min=True, allow_infinity=False, allow_nan=False))
def test_a_float_reads_back_exactly(value: float) -> None:
    with Bench() as bench:
        bench.done(f"RUN:DUR {value!r}")
        assert float(bench.ask("RUN:DUR?")) == value


def test_what_follows_a_wrong_command_is_not_carried_out() -> None:
    with Bench() as bench:
        assert bench.ask("RUN:SEED?;SAMP 0;SEED 5") == "0"
        assert bench.error().startswith("-222")
        assert bench.ask("RUN:SEED?") == "0"


# Loads


def test_tables_and_programs_are_loaded_and_known_by_their_checksums() -> None:
    table = CouplingTable.quantize(PROGRAM, bits=6)
    with Bench() as bench:
        assert bench.ask("PROG:CRC?;BIAS:CRC?;:PROG:SCH:CRC?;:RUN:STAT:CRC?") == ";".join(["#H00000000"] * 4)
        for payload in (pack_program(table), pack_program(PROGRAM)):
            bench.done(b"PROG:DATA " + block(payload))
            assert bench.ask("PROG:CRC?") == checksum_of(payload)
            assert bench.ask("RUN:PROG?") == "0,READY,0,1"


def test_what_is_damaged_on_the_way_is_refused() -> None:
    with Bench() as bench:
        bench.loaded()
        for header, payload in (
            ("PROG:DATA", pack_program(PROGRAM)),
            ("PROG:BIAS", pack_biases(np.ones(UNITS))),
            ("PROG:SCH", pack_schedule(RAMP)),
            ("RUN:STAT", pack_states(STARTS)),
            ("UPL:DATA 0,", with_checksum(b"abc")),
        ):
            damaged = bytearray(payload)
            damaged[len(damaged) // 2] ^= 4
            bench.refused(header.encode() + b" " + block(damaged), -161)
            bench.refused(header.encode() + b" " + block(b""), -161)
        assert bench.ask("PROG:CRC?") == checksum_of(pack_program(PROGRAM))
        assert bench.ask("PROG:BIAS:CRC?") == "#H00000000"


def test_a_program_beyond_the_device_is_refused_in_its_own_words() -> None:
    large = Program.uncoupled(Topology.from_pairs(9, 0, []), 1e9, 0.0)
    with Bench(open_device("rc_board")) as bench:
        bench.refused(b"PROG:DATA " + block(pack_program(replace(large, biases=np.full(9, 1e9)))), -222, "rc_board")
        assert bench.ask("RUN:PROG?").split(",")[1] == "IDLE"
        bench.refused("INIT", -221, "no program")


def test_an_upload_in_pieces_is_loaded() -> None:
    payload = pack_program(PROGRAM)
    with Bench() as bench:
        for at in range(0, len(payload), 100):
            bench.done(f"UPL:DATA {at},".encode() + block(with_checksum(payload[at : at + 100])))
        bench.refused(f"PROG:LOAD {len(payload)},#H0", -161)
        bench.refused(f"PROG:LOAD {len(payload) - 1},{checksum_of(payload)}", -161)
        bench.refused(f"PROG:LOAD {len(payload)},12", -104)
        bench.done(f"PROG:LOAD {len(payload)},{checksum_of(payload).lower()}")
        assert bench.ask("PROG:CRC?") == checksum_of(payload)
        bench.refused(f"UPL:DATA {LIMITS.upload_bytes},".encode() + block(with_checksum(b"a")), -223)
        bench.refused(f"UPL:DATA {LIMITS.upload_bytes + 1},".encode() + block(with_checksum(b"a")), -222)
        bench.refused("UPL:DATA 0,5", -104)


def test_what_goes_with_a_program_comes_after_it_and_goes_with_it() -> None:
    loads = {"PROG:BIAS": pack_biases(np.ones(UNITS)), "PROG:SCH": pack_schedule(RAMP), "RUN:STAT": pack_states(STARTS)}
    with Bench() as bench:
        for header, payload in loads.items():
            bench.refused(f"{header} ".encode() + block(payload), -221, "after a program")
        bench.loaded()
        for header, payload in loads.items():
            bench.done(f"{header} ".encode() + block(payload))
            assert bench.ask(f"{header}:CRC?") == checksum_of(payload)
            bench.done(b"UPL:DATA 0," + block(with_checksum(payload)))
            bench.done(f"{header}:LOAD {len(payload)},{checksum_of(payload)}")
        for wrong in (pack_biases(np.ones(3)), pack_schedule(RAMP)[:-1], pack_states(STARTS[:, :2])):
            bench.refused(b"RUN:STAT " + block(wrong), -161)
        bench.done(LOAD)
        assert {bench.ask(f"{header}:CRC?") for header in loads} == {"#H00000000"}


def test_a_schedule_has_its_limits() -> None:
    limits = LIMITS.model_copy(update={"knots": 1})
    with Bench(limits=limits) as bench:
        bench.loaded().refused(b"PROG:SCH " + block(pack_schedule(RAMP)), -223, "1 knots")
        bench.done(b"PROG:SCH " + block(pack_schedule(None)))
    device = SimulatedDevice()
    device._spec = device.spec.model_copy(update={"schedules": False, "trajectories": False})  # pyright: ignore[reportPrivateUsage]
    with Bench(device) as bench:
        bench.loaded().refused(b"PROG:SCH " + block(pack_schedule(RAMP)), -221, "cannot change biases")
        bench.done(b"PROG:SCH " + block(pack_schedule(None)))
        bench.done("RUN:KEEP TRAJ")
        bench.refused("INIT", -222, "cannot read out")


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
