# SPDX-License-Identifier: Apache-2.0
"""Server or client under SIGKILL at random moments: the next session works, and nothing fetched or held is lost.

    python benchmarks/line_kill.py [--kills 100] [--line tcp] [--seed 1]

64 units, all-to-all, 1000 samples over a line of 8 MBd, a new program each time. A client with a journal runs its plan;
it or the server is killed within the time that the plan takes undisturbed. A killed server is started again at the same
address, where the client that was left may find it. Then a client with the same journal runs the same plan. Both must
end with the samples of the backend, or the first one with an error of the package; the second one must take over all
that the journal holds, and start no run of its own where the server holds one.
"""

import argparse
import random
import secrets
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
from serving import Served, Worker, line_options

from thermohw import Program, RunPlan, SerialDevice, SimulatedDevice, Topology
from thermohw.backends import serial_journal
from thermohw.errors import ThermoHWError
from thermohw.storage import digest_arrays, load_arrays
from thermohw.transport import SerialTransport

UNITS, SAMPLES, BAUD = 64, 1000, 8_000_000
FLUSH_SECONDS = 0.1
FIRST_CHUNK = 7
"""Samples in it."""

COUNTED = (
    "kills", "before the run", "since its start", "while fetching", "client went on", "client ended in an error",
    "next session right", "runs gone on with", "of these known to be held", "samples from journals",
)  # fmt: skip


def program(number: int) -> Program:
    """Get the program of a trial."""
    topology, generator = Topology.complete(UNITS), np.random.default_rng(number)
    couplings = 0.1 * generator.standard_normal(len(topology.pairs))
    return Program(topology, np.array(1.0), np.array(1.0), generator.standard_normal(UNITS), couplings)


def plan(number: int) -> RunPlan:
    """Get the plan of a trial."""
    return RunPlan(2.5, SAMPLES, 0.005, seed=number)


def outcome(device: SerialDevice | SimulatedDevice, number: int) -> dict[str, Any]:
    """Run the plan of a trial; returns a digest of its samples, and how many were there after the first chunk."""
    device.program(program(number))
    there: list[int] = []  # a board tells half of its progress while it runs, the other half while samples are fetched
    samples = device.run(plan(number), progress=lambda done, _: there.append(2 * done - SAMPLES))
    arrays = {name: getattr(samples, name) for name in ("states", "initial_states", "heat", "work")}
    return {"digest": digest_arrays(arrays), "there": next((count for count in there if count > 0), SAMPLES)}


def work(pipe: Connection, url: str, number: int, journal: Path) -> None:
    """Be a client: tell when the line is about to be opened, and then what came out."""
    serial_journal.FLUSH_SECONDS = FLUSH_SECONDS
    started: list[int] = []

    def numbers() -> Iterator[int]:
        while True:
            started.append(1 + secrets.randbelow(2**32 - 1))
            yield started[-1]

    pipe.send("ready")
    try:
        with SerialDevice(url, journal=journal, run_numbers=numbers()) as device:
            told = outcome(device, number)
    except ThermoHWError as error:
        told = {"error": str(error)}
    pipe.send({**told, "started": len(started)})


def expect(pipe: Connection, number: int) -> None:
    """Tell what the backend itself gives."""
    with SimulatedDevice() as device:
        pipe.send(outcome(device, number)["digest"])


class Trials:
    """Kills, one after another, and what became of them.

    Args:
        line: Kind of the line.
        folder: For journals and links.
        seed: Of the moments.
    """

    def __init__(self, line: str, folder: Path, seed: int) -> None:
        self._folder = folder
        self._options = ("--line-rate", str(BAUD))
        self._random = random.Random(seed)
        self._server = Served(*line_options(line, folder), *self._options)
        self._number = 0
        self.counts = {"server": Counter(dict.fromkeys(COUNTED, 0)), "client": Counter(dict.fromkeys(COUNTED, 0))}
        for _ in range(2):  # the first one compiles
            client = self._client(folder / "0")
            started = time.perf_counter()
            told = client.told()
            self._longest = time.perf_counter() - started
            self._require_right(told)

    def kill(self) -> None:
        """Kill one or the other at some moment, and let the next session follow."""
        self._number += 1
        victim = min(self.counts, key=lambda who: self.counts[who]["kills"])
        journal = self._folder / str(self._number)
        client = self._client(journal)
        time.sleep(self._random.uniform(0, self._longest))
        if client.pipe.poll():
            self._require_right(client.told())  # it was faster
            return
        counts = self.counts[victim]
        counts["kills"] += 1
        if victim == "client":
            client.kill()
            self._note_phase(counts, journal)
            holds = self._random.random() < 0.5 and self._holds(journal)
        else:
            self._restart()
            self._note_phase(counts, journal)
            self._judge_survivor(counts, client.told())
            holds = False
        self._judge_next(counts, journal, holds)

    def close(self) -> None:
        """Stop the server."""
        self._server.stop()

    def _client(self, journal: Path) -> Worker:
        client = Worker(work, self._server.url, self._number, journal)
        client.told()
        return client

    def _restart(self) -> None:
        self._server.kill()
        place = self._server.url
        address = ("--tcp", place.rpartition(":")[2]) if "://" in place else ("--pty", place)
        self._server = Served(*address, *self._options)

    def _note_phase(self, counts: Counter[str], journal: Path) -> None:
        begun = any(journal.glob("run-*"))
        counts["while fetching" if _kept(journal) else "since its start" if begun else "before the run"] += 1

    def _holds(self, journal: Path) -> bool:
        """Ask the server, as a person at a terminal, whether it holds the run of a journal."""
        terminal = SerialTransport(self._server.url)
        terminal.drain(0.3)
        terminal.write(b"\n*CLS\nRUN:PROG?\n")
        run, state, *_ = terminal.read_line(2.0).decode().split(",")
        terminal.close()
        return int(run) in _runs(journal) and state in ("RUNNING", "DONE")

    def _judge_survivor(self, counts: Counter[str], told: dict[str, Any]) -> None:
        if "error" in told:
            counts["client ended in an error"] += 1
            print(f"{self._number:4d}  {told['error']}", flush=True)
        else:
            counts["client went on"] += 1
            self._require_right(told)

    def _judge_next(self, counts: Counter[str], journal: Path, holds: bool) -> None:
        kept = _kept(journal)
        told = self._client(journal).told()
        self._require_right(told)
        if not kept < told["there"] <= kept + FIRST_CHUNK and kept < SAMPLES:
            sys.exit(f"FAILED: the journal held {kept} samples, the first chunk ended at {told['there']}")
        if holds and told["started"]:
            sys.exit("FAILED: a run was started again that the server held")
        counts["samples from journals"] += kept
        counts["runs gone on with"] += not told["started"]
        counts["of these known to be held"] += holds
        counts["next session right"] += 1

    def _require_right(self, told: dict[str, Any]) -> None:
        expected = Worker(expect, self._number).told()
        if told.get("digest") != expected:
            sys.exit(f"FAILED: trial {self._number} gave {told}; the samples have the digest {expected}")


def _runs(journal: Path) -> set[int]:
    """Get the numbers of the runs of a journal."""
    files = journal.glob("run-*.npz")
    return {int(number) for file in files for number in load_arrays(file, serial_journal.RUN_SCHEMA)["numbers"]}


def _kept(journal: Path) -> int:
    """Get how many samples a journal holds."""
    files = journal.glob("samples-*.npz")
    return sum(len(load_arrays(file, serial_journal.SAMPLES_SCHEMA)["heat"]) for file in files)


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--line", choices=("tcp", "pty"), default="tcp")
    parser.add_argument("--seed", type=int, default=1, help="of the moments")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        trials = Trials(arguments.line, Path(name), arguments.seed)
        while sum(counts["kills"] for counts in trials.counts.values()) < arguments.kills:
            trials.kill()
        trials.close()
    print(f"{'killed':26s}" + "".join(f"{victim:>8s}" for victim in trials.counts))
    for what in COUNTED:
        print(f"{what:26s}" + "".join(f"{counts[what]:8d}" for counts in trials.counts.values()))
    print("PASSED")


if __name__ == "__main__":
    main()
