# SPDX-License-Identifier: Apache-2.0
"""`map_blocks`: order, bounds and failure on any executor, and BLAS on one thread inside the blocks only."""

import multiprocessing
import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from itertools import islice
from typing import Any, cast

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info, threadpool_limits

from thermohw import Program, RunPlan, SimulatedDevice, Topology
from thermohw.parallel import available_cores, map_blocks


class SerialExecutor(Executor):
    """Runs each task when it is submitted, in the caller's thread."""

    def __init__(self) -> None:
        self.submitted = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        self.submitted += 1
        future: Future[Any] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except Exception as error:
            future.set_exception(error)
        return future


class LazyExecutor(Executor):
    """Starts nothing until its result is awaited, and remembers what is still waiting."""

    def __init__(self) -> None:
        self.futures: list[Future[Any]] = []
        self.most_waiting = 0

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        class Lazy(Future[Any]):
            def result(self, timeout: float | None = None) -> Any:
                if not self.done():
                    self.set_result(fn(*args, **kwargs))
                return super().result(timeout)

        self.futures.append(Lazy())
        self.most_waiting = max(self.most_waiting, sum(not future.done() for future in self.futures))
        return self.futures[-1]


def square(number: int) -> int:
    return number * number


def slow_first(number: int) -> int:
    time.sleep(0.05 if number == 0 else 0)
    return square(number)


def fail_at_five(number: int) -> int:
    if number == 5:
        raise ZeroDivisionError(f"block {number}")
    return number


def blas_threads(_: int = 0) -> list[int]:
    np.linalg.norm(np.ones((2, 2)) @ np.ones((2, 2)))  # loads the library
    pools = cast(Any, threadpool_info())
    return [pool["num_threads"] for pool in pools if pool["user_api"] == "blas"]


@pytest.mark.parametrize("executor", [None, SerialExecutor(), LazyExecutor()], ids=["threads", "serial", "lazy"])
@pytest.mark.parametrize("count", [0, 1, 200])
def test_results_come_in_order(executor: Executor | None, count: int) -> None:
    assert list(map_blocks(slow_first, range(count), executor)) == [square(number) for number in range(count)]


@pytest.mark.parametrize("executor", [None, SerialExecutor()], ids=["threads", "serial"])
def test_a_failing_block_raises_in_its_turn(executor: Executor | None) -> None:
    found: list[int] = []
    with pytest.raises(ZeroDivisionError, match="block 5"):
        found.extend(map_blocks(fail_at_five, range(50), executor))
    seen: list[int] = []
    with pytest.raises(ZeroDivisionError):
        for result in map_blocks(fail_at_five, range(50), executor):
            seen.append(result)
    assert seen == [0, 1, 2, 3, 4]


def test_what_is_in_flight_is_bounded() -> None:
    executor = LazyExecutor()
    assert list(map_blocks(square, range(500), executor)) == [square(number) for number in range(500)]
    assert len(executor.futures) == 500
    assert executor.most_waiting == 64
    started: list[int] = []
    results = map_blocks(started.append, range(500))
    next(results)
    assert len(started) <= available_cores() + 1
    assert sum(1 for _ in results) == 499


def test_leaving_early_cancels_what_has_not_started() -> None:
    executor = LazyExecutor()
    results = map_blocks(square, range(500), executor)
    assert list(islice(results, 3)) == [0, 1, 4]
    results.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert [future.cancelled() for future in executor.futures] == [False] * 3 + [True] * (len(executor.futures) - 3)
    assert 3 < len(executor.futures) < 100


def test_threads_are_gone_after_an_early_exit() -> None:
    before = threading.active_count()
    results = map_blocks(square, range(500))
    next(results)
    assert threading.active_count() > before
    results.close()  # pyright: ignore[reportAttributeAccessIssue]
    assert threading.active_count() == before


@pytest.mark.parametrize("kind", ["own threads", "given threads", "serial"])
def test_blas_has_one_thread_inside_blocks_only(kind: str) -> None:
    with ThreadPoolExecutor(2) as threads, threadpool_limits(2):
        before = blas_threads()
        if 2 not in before:
            pytest.skip("no BLAS library here whose threads can be set")
        executor = {"own threads": None, "given threads": threads, "serial": SerialExecutor()}[kind]
        inside = list(map_blocks(blas_threads, range(6), executor))
        assert all(set(counts) == {1} for counts in inside)
        assert blas_threads() == before
        with pytest.raises(ZeroDivisionError):
            list(map_blocks(fail_at_five, range(9), executor))
        assert blas_threads() == before
        results = map_blocks(square, range(9), executor)
        next(results)
        results.close()  # pyright: ignore[reportAttributeAccessIssue]
        assert blas_threads() == before


def test_a_pool_of_processes_serves() -> None:
    program = Program.uncoupled(Topology.grid(2, 3), 1.0, 0.0)
    plan = RunPlan(0.5, 40, seed=3)
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert list(map_blocks(square, range(9), pool)) == [square(number) for number in range(9)]
        assert all(set(counts) <= {1} for counts in map_blocks(blas_threads, range(2), pool))
        with pytest.raises(ZeroDivisionError, match="block 5"):
            list(map_blocks(fail_at_five, range(9), pool))
        found: list[NDArray[np.float32]] = []
        for executor in (None, SerialExecutor(), pool):
            device = SimulatedDevice(executor=executor)
            device.program(program)
            found.append(device.run(plan).states)
    assert np.array_equal(found[0], found[1])
    assert np.array_equal(found[0], found[2])
