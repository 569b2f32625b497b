# SPDX-License-Identifier: Apache-2.0
"""Runs netlists through ngspice in batch mode, and believes nothing that it has not checked."""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thermohw.errors import DivergenceError, FileFormatError, SimulatorError, StorageError
from thermohw.spice.netlist import check_name
from thermohw.spice.rawfile import RawFile, read
from thermohw.storage import read_text

_NUMBER = r"([0-9.]+(?:e[+-]?[0-9]+)?)"
_LIMIT = re.compile(rf"^\* voltage limit: {_NUMBER} V\b", re.MULTILINE)
_TRANSIENT = re.compile(rf"^\.tran \S+ {_NUMBER} 0 \S+ uic$", re.MULTILINE)
_OUTPUT = re.compile(r"^write (\S+)$", re.MULTILINE)
_SAVED = re.compile(r"^\.save (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class _Promise:
    """What a netlist says that its run must bring."""

    output: str
    variables: tuple[str, ...]
    duration: float
    limit: float


def run(netlist: str | os.PathLike[str], timeout: float = 600.0) -> RawFile:
    """Run a netlist that `Netlist.save` wrote, in its own folder, and read what it brought.

    An output left from before is deleted. ngspice's exit status says little: it is 0 for a run that stopped early or
    whose nodes ran away, so the last instant and all voltages are checked as well.

    Args:
        netlist: The file.
        timeout: Longest time to wait, s.

    Raises:
        SimulatorError: ngspice is not installed, did not end in time, or wrote no output.
        StorageError: The netlist cannot be read, or an old output cannot be deleted.
        FileFormatError: Not a netlist of thermohw's, ngspice refuses it, or the output is damaged.
        DivergenceError: The simulation stopped early, or a voltage exceeds the netlist's limit.
    """
    path = Path(netlist)
    check_name(path.name)
    promise = _read_promise(path)
    executable = shutil.which("ngspice")
    if executable is None:
        raise SimulatorError("ngspice is not on the PATH; install it (Debian, Ubuntu: apt-get install ngspice)")
    raw = path.parent / promise.output
    try:
        raw.unlink(missing_ok=True)
    except OSError as error:
        raise StorageError(f"cannot delete the old {raw}: {error.strerror or error}") from error
    said = _execute(executable, path, timeout)
    if not raw.is_file():
        raise SimulatorError(f"{path}: ngspice wrote no {promise.output}: {said}")
    return _check(read(raw), promise, raw)


def _read_promise(path: Path) -> _Promise:
    text = read_text(path)
    found = {name: rule.findall(text) for name, rule in (("limit", _LIMIT), ("tran", _TRANSIENT), ("write", _OUTPUT))}
    for name, what in (("limit", "* voltage limit: … V"), ("tran", ".tran … uic"), ("write", "write FILE")):
        if len(found[name]) != 1:
            raise FileFormatError(
                f"{path}: {len(found[name])} lines '{what}' where a netlist written by thermohw has one"
            )
    output = check_name(found["write"][0])
    if output == path.name:
        raise FileFormatError(f"{path}: the netlist would be overwritten by its own output")
    return _Promise(output, tuple(_SAVED.findall(text)), float(found["tran"][0]), float(found["limit"][0]))


def _execute(executable: str, path: Path, timeout: float) -> str:
    """Run ngspice without the user's start-up file; get what it said that matters."""
    command = [executable, "-n", "-b", path.name]
    try:
        done = subprocess.run(
            command,
            cwd=path.parent,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise SimulatorError(
            f"{path}: ngspice did not end within {timeout:g} s; allow it more, or simulate less"
        ) from error
    except OSError as error:
        raise SimulatorError(f"cannot run {executable}: {error.strerror or error}") from error
    lines = [line.strip() for line in done.stdout.decode(errors="replace").splitlines() if line.strip()]
    telling = [line for line in lines if re.search("error|warning|could not|too small", line, re.IGNORECASE)]
    said = "; ".join((telling or lines)[:5])
    if done.returncode:
        raise FileFormatError(f"{path}: ngspice refuses it (exit status {done.returncode}): {said}")
    return said


def _check(result: RawFile, promise: _Promise, raw: Path) -> RawFile:
    if result.variables != promise.variables:
        raise FileFormatError(f"{raw}: holds {result.variables}, the netlist saves {promise.variables}")
    if result.times[-1] < promise.duration * (1 - 1e-6):
        raise DivergenceError(f"{raw}: the simulation stopped at {result.times[-1]:g} s of {promise.duration:g} s")
    beyond = np.argwhere(np.abs(result.values) > promise.limit)
    if len(beyond):
        row, column = beyond[0]
        raise DivergenceError(
            f"{raw}: {result.variables[column]} is {result.values[row, column]:.4g} V at {result.times[row]:g} s, "
            f"beyond the netlist's limit of {promise.limit:.4g} V: it has run away"
        )
    return result
