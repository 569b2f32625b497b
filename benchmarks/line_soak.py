# SPDX-License-Identifier: Apache-2.0
"""A board on a bad line: samples fetched through byte errors and disconnects must be those of the backend, bit for bit.

    python benchmarks/line_soak.py [--samples 100000] [--rates 0,1e-6,1e-5,1e-4] [--disconnects 3]
        [--line-rate 12000000]

16 units, all-to-all; 144 bytes a sample. `thermohw serve` runs in a process of its own. A byte is flipped in one bit,
lost, or doubled with a third of the rate each. Each rate is run over TCP without other faults, and with the line's
speed limited and the line broken every few seconds; one row goes over a pseudo-terminal. A client that gives up with
an error of the package passes, since nothing wrong came out, and the row says so.
"""

import argparse
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from serving import line_options, serving

from thermohw import Program, RunPlan, Samples, SerialDevice, SimulatedDevice, Topology
from thermohw.errors import ThermoHWError

UNITS = 16
SEED = 5
ARRAYS = ("states", "initial_states", "heat", "work")


@dataclass(frozen=True)
class Case:
    """A line and its faults: bytes hit, mean time between disconnects (s), speed (bits a second)."""

    line: str
    rate: float
    disconnects: float | None = None
    baud: int | None = None

    def options(self, folder: Path, seed: int) -> list[str]:
        """Get the options of the server."""
        faults = [f"{kind}={self.rate / 3!r}" for kind in ("flips", "drops", "duplicates") if self.rate]
        faults += [] if self.disconnects is None else [f"disconnects={self.disconnects}"]
        return [
            *line_options(self.line, folder),
            *(["--faults", ",".join(faults), "--fault-seed", str(seed)] if faults else []),
            *([] if self.baud is None else ["--line-rate", str(self.baud)]),
        ]

    def __str__(self) -> str:
        speed = "" if self.baud is None else f", {self.baud / 1e6:g} MBd"
        broken = "" if self.disconnects is None else f", broken every {self.disconnects:g} s"
        return f"{self.line}{speed}{broken}"


def program() -> Program:
    """Get random couplings and biases of the size of kT."""
    topology, generator = Topology.complete(UNITS), np.random.default_rng(1)
    couplings = 0.3 * generator.standard_normal(len(topology.pairs))
    return Program(topology, np.array(1.0), np.array(1.0), generator.standard_normal(UNITS), couplings)


def wrong(samples: Samples, expected: Samples) -> int:
    """Get at how many numbers another sample stands than the one expected, in any bit of any array."""
    differs = np.zeros(len(expected.heat), np.bool_)
    for name in ARRAYS:
        mine, its = (getattr(each, name).reshape(len(differs), -1) for each in (samples, expected))
        differs |= (mine.view(np.uint8) != its.view(np.uint8)).any(axis=1)
    return int(differs.sum())


def attempt(case: Case, plan: RunPlan, expected: Samples, folder: Path, number: int) -> bool:
    """Run a plan on a line, print a row, and tell whether nothing wrong came out."""
    with serving(*case.options(folder, number)) as url:
        started = time.perf_counter()
        try:
            with SerialDevice(url) as device:
                device.program(program())
                marks: list[tuple[float, int]] = []
                samples = device.run(plan, progress=lambda done, _: marks.append((time.perf_counter(), done)))
                statistics = device.statistics
        except ThermoHWError as error:
            print(f"{case!s:36s} {case.rate:6.0e}  gave up: {error}", flush=True)
            return True
        seconds = time.perf_counter() - started
    fetching = [moment for moment, done in marks if 2 * done > plan.n_samples]
    size = sum(getattr(samples, name).nbytes for name in ARRAYS)
    faulty = wrong(samples, expected)
    print(
        f"{case!s:36s} {case.rate:6.0e} {len(samples.heat) - faulty:8d} {faulty:6d} {statistics.exchanges:9d}"
        f" {statistics.retries:8d} {statistics.reconnects:10d} {size / (fetching[-1] - fetching[0]) / 1e6:7.2f}"
        f" {seconds:7.1f}",
        flush=True,
    )
    return faulty == 0


def cases(rates: list[float], disconnects: float, baud: int) -> list[Case]:
    """Get the rows."""
    return [
        *(Case("tcp", rate) for rate in rates),
        *(Case("tcp", rate, disconnects, baud) for rate in rates),
        Case("pty", rates[-1], disconnects, baud),
    ]


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--samples", type=int, default=100_000)
    parser.add_argument("--rates", default="0,1e-6,1e-5,1e-4", help="faults a byte; the last one also over a terminal")
    parser.add_argument("--disconnects", type=float, default=3.0, help="mean time between two, s")
    parser.add_argument("--line-rate", type=int, default=12_000_000, help="of the lines that break, bits a second")
    arguments = parser.parse_args()
    plan = RunPlan(0.5, arguments.samples, 0.01, seed=SEED)
    with SimulatedDevice() as emulator:
        emulator.program(program())
        expected, other = (emulator.run(RunPlan(0.5, arguments.samples, 0.01, seed=seed)) for seed in (SEED, SEED + 1))
    if wrong(other, expected) != arguments.samples:
        sys.exit("FAILED: samples of other noise pass for the expected ones")
    header = (
        f"{'line':36s} {'faults':6s} {'right':>8s} {'wrong':>6s} {'exchanges':>9s} {'repeated':>8s} {'reconnects':>10s}"
    )
    print(f"{header} {'MB/s':>7s} {'s':>7s}", flush=True)
    rates = [float(rate) for rate in arguments.rates.split(",")]
    with tempfile.TemporaryDirectory() as name:
        rows = cases(rates, arguments.disconnects, arguments.line_rate)
        passed = [attempt(case, plan, expected, Path(name), number) for number, case in enumerate(rows)]
    print("PASSED" if all(passed) else "FAILED: wrong samples came out", flush=True)
    sys.exit(not all(passed))


if __name__ == "__main__":
    main()
