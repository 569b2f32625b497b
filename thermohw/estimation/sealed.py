# SPDX-License-Identifier: Apache-2.0
"""JSON files with a schema and a checksum, and the digests of files beside them."""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, cast

from pydantic import BaseModel, ValidationError

from thermohw.errors import FileFormatError
from thermohw.storage import parse_json, read_bytes, read_text, write_atomically

Model = TypeVar("Model", bound=BaseModel)


def write_sealed(path: Path, schema: str, content: Mapping[str, Any]) -> Path:
    """Write a JSON object with its schema and checksum, atomically; numbers that are not finite as null.

    Raises:
        StorageError: The file cannot be written.
    """
    finite = {"schema": schema, **_finite(content)}
    return write_atomically(path, json.dumps({**finite, "checksum": digest_of(finite)}, indent=1) + "\n")


def read_sealed(path: Path, schema: str) -> dict[str, Any]:
    """Read what `write_sealed` wrote, without schema and checksum.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Not JSON, of another schema, damaged or edited.
    """
    content = parse_json(read_text(path), str(path))
    if not isinstance(content, dict):
        raise FileFormatError(f"{path}: must be a JSON object")
    fields = cast(dict[str, Any], content)
    if fields.get("schema") != schema:
        raise FileFormatError(f"{path}: schema is {fields.get('schema')!r}, expected {schema!r}")
    checksum = fields.pop("checksum", "missing")
    if checksum != digest_of(fields):
        raise FileFormatError(f"{path}: checksum does not match the contents; the file is damaged or was edited")
    del fields["schema"]
    return fields


def read_model(path: Path, schema: str, model: type[Model]) -> Model:
    """Read what `write_sealed` wrote of a model.

    Raises:
        StorageError: The file cannot be read.
        FileFormatError: Not JSON, of another schema, damaged, edited, or not what the model allows.
    """
    try:
        return model.model_validate(read_sealed(path, schema))
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        place = ".".join(map(str, first["loc"]))
        raise FileFormatError(f"{path}: {place}: {first['msg']}") from error


def file_digest(path: Path) -> str:
    """Get the SHA-256 of a file, 64 hex digits.

    Raises:
        StorageError: The file cannot be read.
    """
    return hashlib.sha256(read_bytes(path)).hexdigest()


def digest_of(content: Mapping[str, Any]) -> str:
    """Get the SHA-256 of a JSON object, 64 hex digits, whatever the order of its keys."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _finite(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _finite(item) for key, item in cast(Mapping[str, Any], value).items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in cast(Sequence[Any], value)]
    return None if isinstance(value, float) and not math.isfinite(value) else value
