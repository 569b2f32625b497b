# SPDX-License-Identifier: Apache-2.0
"""Commands, states and error numbers of an instrument (docs/protocol.md, sections 4 and 6), driven in memory."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from instrument_bench import LOAD, PROGRAM, RAMP, STARTS, UNITS, Bench

from thermohw import SimulatedDevice, open_device
from thermohw.errors import DeviceLimitError
from thermohw.instrument.instrument import LIMITS
from thermohw.nonideal import NonidealDevice, load_profile
from thermohw.program import Program
from thermohw.protocol import Capability
from thermohw.protocol.payloads import (
    pack_biases,
    pack_program,
    pack_schedule,
    pack_states,
)
from thermohw.tables import CouplingTable
from thermohw.topology import Topology
from thermohw.transport import block, with_checksum


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


class NamedDevice(SimulatedDevice):
    """A device of some name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._spec = self._spec.model_copy(update={"name": name})


def test_a_profile_of_many_effects_goes_over_a_line() -> None:
    device = NonidealDevice(SimulatedDevice(), load_profile("pessimistic").effects, 7)
    with Bench(device) as bench:
        assert bench.ask("*IDN?").split(",")[2] == "7"
        assert Capability.read(bench.ask_block("SYST:CAP?"), "bench").spec == device.spec
    with pytest.raises(DeviceLimitError, match="cannot be told over a line"):
        Bench(NamedDevice("two\nlines"))


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


class HalfwayDevice(SimulatedDevice):
    """A device that breaks off while it takes a program in, if it is told to."""

    broken = False

    def _program(self, program: Program) -> None:
        if self.broken:
            raise DeviceLimitError("a coupler does not answer")
        super()._program(program)


def test_a_load_that_fails_halfway_leaves_no_program() -> None:
    device = HalfwayDevice()
    with Bench(device) as bench:
        bench.loaded()
        device.broken = True
        bench.refused(LOAD, -222, "a coupler does not answer")
        assert bench.ask("RUN:PROG?;:PROG:CRC?") == "0,IDLE,0,1;#H00000000"


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
