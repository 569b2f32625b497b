# SPDX-License-Identifier: Apache-2.0
"""What `record` does: a short session with a board, written down as a test that replays it."""

import secrets
from pathlib import Path
from typing import Annotated

import numpy as np
import typer

from thermohw.backends import SerialDevice
from thermohw.cli.console import clear_failure, out
from thermohw.device import DeviceSpec
from thermohw.errors import InstrumentError
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Samples
from thermohw.storage import digest_arrays, write_atomically
from thermohw.topology import Topology
from thermohw.transport import RecordingTransport, SerialTransport, Transport
from thermohw.transport.recording import Exchange

SAMPLES = 8
WIDTH = 104
"""Characters of a line of bytes: with indentation, quotes and comma those of this package's lines."""

_ESCAPES = [chr(byte) if 32 <= byte < 127 and byte not in b'"\\' else f"\\x{byte:02x}" for byte in range(256)]
_ESCAPES[10] = "\\n"

_TEST = '''# SPDX-License-Identifier: Apache-2.0
"""An exchange with {name}, written down by `thermohw record`: the client still says what it said then."""

from dataclasses import replace

from thermohw import Program, RunPlan, SerialDevice, Topology
from thermohw.storage import digest_arrays
from thermohw.testing import expected_exchange

INSTRUMENT = "{instrument}"
STATES = "{digest}"
RUN = {run}
EXCHANGE = [
{exchange}]


def test_the_recorded_exchange_replays() -> None:
    """Byte for byte what was sent, and the states that came back."""
    uncoupled = Program.uncoupled(Topology.complete(2), {energy!r}, {energy!r}, {biases!r})
    program = replace(uncoupled, couplings={couplings!r})
    with (
        expected_exchange(EXCHANGE) as transport,
        SerialDevice("recorded", transport=lambda: transport, run_numbers=iter([RUN])) as device,
    ):
        assert device.spec.details["instrument"] == INSTRUMENT
        device.program(program)
        samples = device.run(RunPlan({duration!r}, {samples}, seed=1))
    assert digest_arrays({{"initial": samples.initial_states, "final": samples.states}}) == STATES
'''


def record(
    url: Annotated[str, typer.Argument(help="The board's line: a serial port, or a pyserial URL.")],
    file: Annotated[Path, typer.Option("--out", help="Test to write, .py.")],
    baudrate: Annotated[int, typer.Option(min=1, help="Of a serial port.")] = 115_200,
) -> None:
    """Hold a short session with a board and write it down as a test, which needs no board."""
    with clear_failure():
        recorders: list[RecordingTransport] = []

        def opener() -> Transport:
            if recorders:
                raise InstrumentError(f"{url}: the line broke; a recording needs one that holds, try again")
            recorders.append(RecordingTransport(SerialTransport(url, baudrate)))
            return recorders[0]

        run = 1 + secrets.randbelow(2**32 - 1)
        with SerialDevice(url, transport=opener, run_numbers=iter([run])) as device:
            spec = device.spec
            device.program(example(spec))
            samples = device.run(plan(spec))
        write_atomically(file, recorded_test(spec, run, samples, recorders[0].exchanges))
        exchanges = recorders[0].exchanges
        size = sum(len(sent) + len(answer) for sent, answer in exchanges)
        out.print(f"{len(exchanges)} exchanges, {size} bytes, in {file}: python -m pytest {file}", soft_wrap=True)


def example(spec: DeviceSpec) -> Program:
    """Get a program of two units within a device's limits, of energies with few digits in units of its kT."""
    energy, biases, couplings = _energies(spec)
    return Program(Topology.complete(2), np.array(energy), np.array(energy), np.array(biases), np.array(couplings))


def plan(spec: DeviceSpec) -> RunPlan:
    """Get a short run: one relaxation time or so."""
    return RunPlan(_duration(spec), SAMPLES, seed=1)


def recorded_test(spec: DeviceSpec, run: int, samples: Samples, exchanges: list[Exchange]) -> str:
    """Get the source of the test that replays a session."""
    energy, biases, couplings = _energies(spec)
    entries = "".join(f"    (\n{_literal(sent)},\n{_literal(answer)},\n    ),\n" for sent, answer in exchanges)
    return _TEST.format(
        name="".join(letter for letter in spec.name if letter.isascii() and (letter.isalnum() or letter in " _-"))[:40],
        instrument="".join(_ESCAPES[byte] for byte in spec.details["instrument"].encode("ascii", "replace")),
        digest=digest_arrays({"initial": samples.initial_states, "final": samples.states}),
        run=run,
        exchange=entries,
        energy=energy,
        biases=biases,
        couplings=couplings,
        duration=_duration(spec),
        samples=SAMPLES,
    )


def _energies(spec: DeviceSpec) -> tuple[float, list[float], list[float]]:
    bias = min(0.5 * spec.kT, spec.bias_limit or np.inf)
    coupling = min(0.25 * spec.kT, spec.coupling_limit or np.inf)
    return spec.kT, [float(bias), float(-0.5 * bias)], [float(coupling)]


def _duration(spec: DeviceSpec) -> float:
    return 1 / (spec.mobility * spec.kT)


def _literal(data: bytes) -> str:
    """Get bytes as a literal, or several lines of them in parentheses, as formatter and linter want them."""
    pieces = [""]
    for byte in data:
        if len(pieces[-1]) + len(_ESCAPES[byte]) > WIDTH:
            pieces.append("")
        pieces[-1] += _ESCAPES[byte]
    if len(pieces) == 1:
        return f'        b"{pieces[0]}"'
    return "\n".join(["        (", *(f'            b"{piece}"' for piece in pieces), "        )"])
