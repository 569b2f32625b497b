# SPDX-License-Identifier: Apache-2.0
"""`thermohw serve`, and clients, in processes of their own, for the benchmarks of the line."""

import multiprocessing
import os
import re
from collections.abc import Callable, Generator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["thermohw.cli"])  # processes start in milliseconds
_PATIENCE = 60.0


class Worker:
    """A function at work in a process of its own.

    Args:
        function: Is called with the end of a pipe and the arguments.
        arguments: What they are.

    Attributes:
        pipe: The other end.
    """

    def __init__(self, function: Callable[..., None], *arguments: Any) -> None:
        self.pipe, other = _CONTEXT.Pipe()
        self._process = _CONTEXT.Process(target=function, args=(other, *arguments), daemon=True)
        self._process.start()
        other.close()

    @property
    def ended(self) -> bool:
        """Get whether it has ended."""
        return not self._process.is_alive()

    def kill(self) -> None:
        """Kill it at once, without a chance to clean up."""
        self._process.kill()
        self._process.join()

    def stop(self) -> None:
        """Let it end in order, and check that it does."""
        self._process.terminate()
        self._process.join(_PATIENCE)
        assert self._process.exitcode == 0, self._process.exitcode

    def told(self) -> Any:
        """Get what it tells next; a process that says nothing for long is taken for one that hangs.

        Raises:
            TimeoutError: It hangs.
            EOFError: It broke down.
        """
        if not self.pipe.poll(_PATIENCE):
            raise TimeoutError(f"a process hangs for {_PATIENCE:g} s")
        return self.pipe.recv()


class Served(Worker):
    """A server that is up.

    Args:
        options: Of `thermohw serve`.

    Attributes:
        url: What a client opens.
    """

    def __init__(self, *options: str) -> None:
        super().__init__(_serve, options)
        if not self.pipe.poll(_PATIENCE):
            raise TimeoutError(f"no server with {' '.join(options)}")
        said = os.read(self.pipe.fileno(), 4096).decode()
        found = re.search(r" at (\S+) \| try", said)
        assert found is not None, said
        self.url = found[1]


def _serve(pipe: Connection, options: tuple[str, ...]) -> None:
    from thermohw.cli import app

    os.dup2(pipe.fileno(), 1)  # its first line says what to open
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    app(["serve", *options])


@contextmanager
def serving(*options: str) -> Generator[str]:
    """Serve while the block runs; gives what a client opens."""
    server = Served(*options)
    try:
        yield server.url
    finally:
        server.stop()


def line_options(line: str, folder: Path) -> tuple[str, ...]:
    """Get the options for a line of a kind, `tcp` or `pty`."""
    return ("--tcp", "127.0.0.1:0") if line == "tcp" else ("--pty", str(folder / "board"))
