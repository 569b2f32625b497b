# SPDX-License-Identifier: Apache-2.0
"""`thermohw serve`: any device as an instrument on a line."""

import logging
import os
import signal
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from thermohw.cli.console import clear_failure, err, out
from thermohw.cli.options import Clip, DeviceName, DeviceSeed, Effects, IntegratorName, Overdamped, open_device
from thermohw.device import ThermodynamicDevice
from thermohw.errors import TransportError
from thermohw.instrument import FaultRates, Server, TcpEndpoint, TerminalEndpoint, parse_address
from thermohw.langevin.noise import choose_seed

TerminalLink = Annotated[
    Path | None, typer.Option("--pty", help="Link to make to a pseudo-terminal, which is what is offered by default.")
]
Address = Annotated[
    str | None, typer.Option("--tcp", help="HOST:PORT to listen at; PORT alone: for this machine; 0: any free port.")
]
Baud = Annotated[
    int | None,
    typer.Option("--line-rate", min=300, max=10**9, help="Speed of the line, bits a second at 10 bits a byte."),
]
Faults = Annotated[
    str | None,
    typer.Option(
        "--faults",
        help="Faults of the line: flips=1e-5,drops=1e-5,duplicates=1e-5 a byte; delays=S,stalls=S,disconnects=S "
        "with S seconds between two, on average.",
    ),
]
FaultSeed = Annotated[int | None, typer.Option("--fault-seed", min=0, help="Of the faults; chosen if not given.")]


def serve(
    device: DeviceName = "ideal",
    effects: Effects = None,
    device_seed: DeviceSeed = None,
    integrator: IntegratorName = None,
    overdamped: Overdamped = False,
    clip: Clip = False,
    terminal: TerminalLink = None,
    address: Address = None,
    line_rate: Baud = None,
    faults: Faults = None,
    fault_seed: FaultSeed = None,
) -> None:
    """Serve a device as an instrument on a line, as a board would be (docs/protocol.md), until Ctrl-C."""
    with clear_failure():
        rates = _rates(faults, fault_seed)
        _require_one_line(terminal, address, rates)
        seed = choose_seed() if fault_seed is None else fault_seed
        opened = open_device(
            device, integrator=integrator, overdamped=overdamped, clip=clip, effects=effects, device_seed=device_seed
        )
        with opened:
            endpoint = TerminalEndpoint(terminal) if address is None else _listen(address)
            server = Server(opened, endpoint, baud=line_rate, faults=rates, fault_seed=seed)
            if rates is not None:
                err.print(f"faults of the line: {faults}, seed {seed}", markup=False, soft_wrap=True)
            with _stopped_by_signals(server):
                _tell(opened, server)
                released = server.serve()
    err.print("closed")
    if not released:
        os._exit(0)  # Python would wait for the threads of the run, which compiled code does not let stop


def _rates(faults: str | None, fault_seed: int | None) -> FaultRates | None:
    """Read the faults.

    Raises:
        TransportError: They make no sense, or a seed without faults.
    """
    if faults is None and fault_seed is not None:
        raise TransportError("--fault-seed is the seed of faults: give --faults too")
    return None if faults is None else FaultRates.parse(faults)


def _require_one_line(terminal: Path | None, address: str | None, rates: FaultRates | None) -> None:
    """Refuse lines that do not go.

    Raises:
        TransportError: Two lines, or one that would be found no more.
    """
    if terminal is not None and address is not None:
        raise TransportError("--pty and --tcp are two kinds of line: give one")
    if rates is not None and rates.disconnects is not None and terminal is None and address is None:
        raise TransportError("after a disconnect a pseudo-terminal has another name: give a link, --pty LINK")


def _listen(address: str) -> TcpEndpoint:
    """Listen at a TCP address; one that other machines reach is warned of.

    Raises:
        TransportError: It is no address, or cannot be had.
    """
    endpoint = TcpEndpoint(*parse_address(address))
    if not endpoint.loopback:
        err.print(
            f"note: whoever reaches {endpoint.url} can use the device; there is no password",
            markup=False,
            soft_wrap=True,
        )
    return endpoint


def _tell(device: ThermodynamicDevice, server: Server) -> None:
    """Say in one line what to connect to."""
    logging.getLogger("thermohw.instrument").setLevel(logging.INFO)  # who comes and goes
    out.print(
        f"{device.spec.name} at {server.url} | try: thermohw generate RUN --out samples.npz --device {server.url}",
        markup=False,
        soft_wrap=True,
    )


@contextmanager
def _stopped_by_signals(server: Server) -> Generator[None]:
    """Let Ctrl-C and the signal to terminate end the server in order."""
    signals = (signal.SIGINT, signal.SIGTERM)

    def stop(number: int, frame: object) -> None:
        server.stop()

    before = [signal.signal(number, stop) for number in signals]
    try:
        yield
    finally:
        for number, handler in zip(signals, before, strict=True):
            signal.signal(number, handler)
