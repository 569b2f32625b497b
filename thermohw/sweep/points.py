# SPDX-License-Identifier: Apache-2.0
"""The finished points of a sweep, kept one a line, so that a sweep that stopped goes on where it was."""

import hashlib
import json
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from thermohw.cards.toml_files import first_fault
from thermohw.errors import FileFormatError, StorageError
from thermohw.storage import parse_json, read_bytes, require_writable, write_atomically

SCHEMA = "thermohw-sweep-points/1"
FILE = "points.jsonl"
MAX_BYTES = 2**30

Measure = Literal[
    "recognised", "correlation", "purity", "diversity", "upright", "likelihood", "heat", "entropy_production"
]
"""What is measured: scores of `Fidelity`, relative likelihood, heat (k_BT) and entropy production (k_B) a sample."""


class Point(BaseModel):
    """One program on one device with its effects: what was measured, or why nothing was."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    key: str = Field(pattern="^[0-9a-f]{64}$", description="digest of all that determines the point")
    program: str = Field(pattern="^[0-9a-f]{64}$", description="digest of the program")
    effects: dict[str, dict[str, Any]] = Field(description="effects that act, with what differs from the defaults")
    device_seed: int = Field(ge=0, lt=2**64, description="which device")
    seed: int = Field(ge=0, lt=2**64, description="of its run")
    dt: float | None = Field(default=None, gt=0, description="time step used, in the device's time unit")
    measures: dict[Measure, float] = Field(description="means over samples")
    failure: str | None = Field(default=None, description="why this device could not run")


@dataclass(eq=False)
class PointFile:
    """Points kept in a folder's `points.jsonl`: the schema in the first line, then a line a point with its checksum.

    Without a folder nothing is kept. Threads may add points at once; what is added is in the file, whole.

    Attributes:
        folder: Where the file stands, or None.
    """

    folder: Path | None
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    @property
    def path(self) -> Path | None:
        """Get where the file stands."""
        return None if self.folder is None else self.folder / FILE

    def load(self) -> dict[str, Point]:
        """Get the kept points by their keys, and make ready to add to them; a last line cut short is dropped.

        Raises:
            StorageError: The file cannot be read, or written.
            FileFormatError: It is another file, or a line in it is damaged.
        """
        if self.path is None:
            return {}
        require_writable(self.path.parent)
        if not self.path.exists():
            write_atomically(self.path, json.dumps({"schema": SCHEMA}) + "\n")
            return {}
        content = read_bytes(self.path, MAX_BYTES)
        whole = content[: content.rfind(b"\n") + 1]
        points = _parse(whole, self.path)
        if len(whole) < len(content):
            write_atomically(self.path, whole)
        return points

    def add(self, point: Point) -> None:
        """Keep a point; it is in the file when this returns.

        Raises:
            StorageError: The file cannot be written.
        """
        if self.path is None:
            return
        content = point.model_dump(mode="json")
        line = json.dumps({"point": content, "checksum": _checksum(content)}, sort_keys=True) + "\n"
        try:
            with self._lock, self.path.open("ab") as file:
                file.write(line.encode())
        except OSError as error:
            raise StorageError(f"cannot write {self.path}: {error.strerror or error}") from error


def _parse(content: bytes, path: Path) -> dict[str, Point]:
    advice = "move or delete the file, or choose another folder"
    try:
        header, *lines = content.decode().split("\n")[:-1] or [""]
    except UnicodeDecodeError as error:
        raise FileFormatError(f"{path}: not UTF-8 text (byte {error.start}); {advice}") from error
    schema = _object(header, f"{path}, line 1").get("schema") if header.startswith("{") else None
    if schema != SCHEMA:
        raise FileFormatError(f"{path}: schema is {schema!r}, expected {SCHEMA!r}: no points of a sweep; {advice}")
    points: dict[str, Point] = {}
    for number, line in enumerate(lines, 2):
        where = f"{path}, line {number}"
        entry = _object(line, where)
        if set(entry) != {"point", "checksum"} or entry["checksum"] != _checksum(entry["point"]):
            raise FileFormatError(f"{where}: checksum does not match; the line is damaged or was edited; {advice}")
        try:
            point = Point.model_validate(entry["point"])
        except ValidationError as error:
            raise FileFormatError(f"{where}: {first_fault(error, Point)}; {advice}") from error
        points[point.key] = point
    return points


def _object(line: str, where: str) -> dict[str, Any]:
    entry = parse_json(line, where)
    if not isinstance(entry, dict):
        raise FileFormatError(f"{where}: must be a JSON object")
    return cast(dict[str, Any], entry)


def _checksum(content: Any) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
