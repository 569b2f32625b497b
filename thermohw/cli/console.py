# SPDX-License-Identifier: Apache-2.0
"""What all commands share: where they print, how they show progress, and how they fail."""

import json
import math
import sys
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.table import Table

from thermohw.errors import ThermoHWError

PIPE_WIDTH = 160
"""Columns of tables that are not printed on a terminal."""

out = Console(highlight=False, width=None if sys.stdout.isatty() else PIPE_WIDTH)
err = Console(stderr=True, highlight=False)


@contextmanager
def clear_failure() -> Generator[None]:
    """Turn the package's errors into one line and exit code 1, and Ctrl-C into exit code 130."""
    try:
        yield
    except ThermoHWError as error:
        err.print(f"error: {error}", style="red", markup=False, soft_wrap=True)
        raise typer.Exit(1) from None
    except KeyboardInterrupt:
        err.print("interrupted; finished files are kept: the same command goes on from what is finished")
        raise typer.Exit(130) from None


@contextmanager
def progress_bar(what: str) -> Generator[Callable[[int, int], None]]:
    """Show a progress bar with the time left on standard error, if that is a terminal."""
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed}/{task.total}"))
    timing = (TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn())
    with Progress(*columns, *timing, console=err, transient=True, disable=not sys.stderr.isatty()) as bar:
        task = bar.add_task(what, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total)


def print_json(values: Mapping[str, Any]) -> None:
    """Print a JSON object on standard output; numbers that are not finite, which JSON lacks, as null."""
    sys.stdout.write(json_text(values))


def json_text(values: Mapping[str, Any]) -> str:
    """Get a JSON object as text; numbers that are not finite, which JSON lacks, as null."""
    return json.dumps(_finite(values), indent=1, sort_keys=True, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in cast(Mapping[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast(Sequence[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> Table:
    """Build a table of text cells."""
    built = Table(title=title, title_justify="left", title_style="bold")
    for column in columns:
        built.add_column(column, overflow="fold")
    for row in rows:
        built.add_row(*(cell.replace("[", "\\[") for cell in row))
    return built
