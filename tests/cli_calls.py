# SPDX-License-Identifier: Apache-2.0
"""How tests call the command line."""

import json
from collections.abc import Sequence
from typing import Any

from typer.testing import CliRunner, Result

from thermohw.cli import app


def call(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


def call_json(*arguments: object) -> dict[str, Any]:
    result = call(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refused(arguments: Sequence[object], *words: str) -> None:
    """Check that a call fails with one clear line that holds all the words."""
    result = call(*arguments)
    assert result.exit_code == 1, result.output
    assert isinstance(result.exception, SystemExit), result.exception
    message = " ".join(result.stderr.split())
    assert message.startswith("error: ")
    assert message.count("error: ") == 1
    for word in words:
        assert word in message
