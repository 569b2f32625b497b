# SPDX-License-Identifier: Apache-2.0
"""Training under SIGKILL: killed at random moments and resumed, it must end with the program of an undisturbed one.

python benchmarks/kill_resume.py glyphs:012 [--kills 20] [--preset whitelam2025] [--set KEY=VALUE] [--save-every 5]
"""

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from thermohw import TrainingRun, datasets, train
from thermohw.cli.options import parse_settings
from thermohw.storage import load_arrays
from thermohw.training import checkpoint

PATIENCE = 0.5
"""Longest life of a training, as a share of the time that it takes undisturbed."""


def work(arguments: argparse.Namespace, folder: Path) -> None:
    """Train in this process, into a folder, from its checkpoint if it has one."""
    checkpoint.INTERVAL = arguments.save_every
    train(datasets.load(arguments.images), arguments.preset, overrides=parse_settings(arguments.set), folder=folder)


def train_for(folder: Path, seconds: float | None) -> float:
    """Train in a process of its own, with this one's arguments, and kill it after some seconds; returns its life, s."""
    started = time.perf_counter()
    with subprocess.Popen([sys.executable, __file__, *sys.argv[1:], "--work-in", str(folder)]) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    if process.returncode not in (0, -signal.SIGKILL):
        sys.exit(f"the training failed by itself, with exit status {process.returncode}")
    return time.perf_counter() - started


def finished(folder: Path) -> bool:
    """Tell whether a training reached its end: its run is whole, and its checkpoint gone."""
    return (folder / "program.npz").exists() and not (folder / checkpoint.FILE).exists()


def resume_point(folder: Path) -> int:
    """Get how far the checkpoint in a folder is: trajectories of a descent, batches of a likelihood."""
    if not (folder / checkpoint.FILE).exists():
        return 0
    arrays = load_arrays(folder / checkpoint.FILE, checkpoint.SCHEMA)
    return int(arrays["done"]) if "done" in arrays else int(arrays["sums"][-1])


def digest(folder: Path) -> str:
    """Get the digest of the program that a training left."""
    return TrainingRun.load(folder).program.digest


def killed_trainings(place: Path, kills: int, longest: float, seed: int) -> list[str]:
    """Kill trainings until `kills` have died, then let the last one finish; prints a line a kill, returns digests."""
    moments = random.Random(seed)
    digests: list[str] = []
    number = 0
    print(" kill  seconds lived  resumed at", flush=True)
    while True:
        folder = place / str(len(digests))
        resumed = resume_point(folder)
        life = train_for(folder, moments.uniform(0, longest) if number < kills else None)
        if finished(folder):
            print(f"  end  {life:13.2f}  {resumed:10d}", flush=True)
            digests.append(digest(folder))
            if number == kills:
                return digests
        else:
            number += 1
            print(f"{number:5d}  {life:13.2f}  {resumed:10d}", flush=True)


def main() -> None:
    """Train undisturbed, then under kills, and compare."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("images", help="mnist:DIR, glyphs:CHARACTERS, digits, or npz:FILE")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--preset", default="whitelam2025", help="one that samples; others keep no checkpoints")
    parser.add_argument("--set", action="append", default=[], metavar="KEY=VALUE", help="of the configuration")
    parser.add_argument("--save-every", type=float, default=checkpoint.INTERVAL, help="seconds between checkpoints")
    parser.add_argument("--seed", type=int, default=1, help="of the moments of the kills")
    parser.add_argument("--work-in", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.work_in is not None:
        work(arguments, arguments.work_in)
        return
    with tempfile.TemporaryDirectory() as name:
        place = Path(name)
        seconds = train_for(place / "undisturbed", None)
        expected = digest(place / "undisturbed")
        print(f"undisturbed: {seconds:.1f} s, program {expected[:16]}")
        digests = killed_trainings(place, arguments.kills, PATIENCE * seconds, arguments.seed)
    wrong = [found[:16] for found in digests if found != expected]
    if wrong:
        sys.exit(f"FAILED: other programs came out: {', '.join(wrong)}")
    print(f"PASSED: {arguments.kills} kills, {len(digests)} trainings finished, all with the same program")


if __name__ == "__main__":
    main()
