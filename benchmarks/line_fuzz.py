# SPDX-License-Identifier: Apache-2.0
"""An instrument under random and damaged streams, in memory: what it met, how fast, and what it kept.

PYTHONPATH=tests python benchmarks/line_fuzz.py [--streams 100000] [--seed 1]
"""

import argparse
import gc
import time
import tracemalloc

from line_streams import Attacked

TRACED = 5000
"""Streams, before and after all others, in which memory is traced."""


def traced(attacked: Attacked) -> tuple[float, float]:
    """Get how much memory some streams left behind and took at most, kB."""
    gc.collect()
    before = tracemalloc.get_traced_memory()[0]
    tracemalloc.reset_peak()
    for _ in range(TRACED):
        attacked.attack()
    gc.collect()
    after, peak = tracemalloc.get_traced_memory()
    return (after - before) / 1e3, (peak - before) / 1e3


def main() -> None:
    """Attack, and print what came of it; a stream that is not survived ends this with an error that shows it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--streams", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    attacked = Attacked(arguments.seed)
    started, sent = time.perf_counter(), 0
    for _ in range(arguments.streams):
        sent += len(attacked.attack())
    seconds = time.perf_counter() - started
    print(
        f"{arguments.streams} streams, {sent / 1e6:.1f} MB, {seconds:.0f} s: {arguments.streams / seconds:.0f} a second"
    )
    print("errors:", ", ".join(f"{number}: {count}" for number, count in sorted(attacked.errors.items())))
    print("states:", ", ".join(f"{state}: {count}" for state, count in attacked.states.most_common()))
    print(f"longest answer to one stream: {attacked.largest} bytes")
    tracemalloc.start(1)
    traced(attacked)  # what is cached from now on
    kept, peak = traced(attacked)
    print(f"memory: {kept:.0f} kB more after another {TRACED} streams, {peak:.0f} kB at most meanwhile")
    print("PASSED: served after each")


if __name__ == "__main__":
    main()
