# SPDX-License-Identifier: Apache-2.0
"""The one seam through which every ensemble is mapped: blocks to any `concurrent.futures.Executor`."""

import os
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from typing import Generic, TypeVar

from threadpoolctl import threadpool_limits

Block = TypeVar("Block")
Result = TypeVar("Result")


def available_cores() -> int:
    """Get the number of processor cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def map_blocks(
    function: Callable[[Block], Result], blocks: Sequence[Block], executor: Executor | None = None
) -> Iterator[Result]:
    """Apply `function` to each block and yield the results in the blocks' order.

    At most a few blocks more than there are workers are in flight, so memory is bounded by the block. BLAS runs on
    one thread a block: blocks are the only parallelism. `function` and the blocks must be picklable where the
    executor sends them to other processes. Leaving the iteration early cancels what has not started.

    Args:
        function: Called as `function(block)`.
        blocks: What to map over.
        executor: Where to run; None for threads, one a core.
    """
    with ExitStack() as stack:
        task: Callable[[Block], Result] = function
        pool = executor or stack.enter_context(ThreadPoolExecutor(available_cores()))
        in_flight = 64 if executor else available_cores() + 1
        if isinstance(pool, ThreadPoolExecutor):  # the limit is the process's: set it here, once
            stack.enter_context(threadpool_limits(1))
        else:
            task = _OneBlasThread(function)
        waiting: deque[Future[Result]] = deque()
        stack.callback(lambda: [future.cancel() for future in waiting])
        for block in blocks:
            waiting.append(pool.submit(task, block))
            if len(waiting) >= in_flight:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


class _OneBlasThread(Generic[Block, Result]):
    """A picklable wrapper that limits BLAS to one thread wherever the block runs."""

    def __init__(self, function: Callable[[Block], Result]) -> None:
        self.function = function

    def __call__(self, block: Block) -> Result:
        with threadpool_limits(1):
            return self.function(block)
