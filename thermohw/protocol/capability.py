# SPDX-License-Identifier: Apache-2.0
"""What a board says of itself (docs/protocol.md, section 5), read as what it is: input that nobody vouches for."""

import math
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from thermohw.device import DeviceSpec
from thermohw.errors import FileFormatError, ProtocolError
from thermohw.storage import parse_json
from thermohw.transport import with_checksum, without_checksum
from thermohw.transport.blocks import CHECKSUM_BYTES

VERSION = "1.0"
"""Of the protocol; boards of the same major number are understood."""

MAX_CAPABILITY_BYTES = 65_536 + CHECKSUM_BYTES
"""Longest payload of a capability."""

MAX_BLOCK_BYTES = 2**30
"""Largest block that is sent or accepted, whatever a board says that it takes."""

_SMALLEST_BLOCK = 16
_MAX_TEXT = 8192

Count = Annotated[int, Field(ge=1, le=2**32 - 1)]
BlockBytes = Annotated[int, Field(ge=_SMALLEST_BLOCK, le=2**40)]


class LineLimits(BaseModel):
    """What fits through a line and into a board, in bytes, samples and seconds."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    line_bytes: int = Field(ge=128, le=2**20, description="longest line without blocks")
    block_bytes: BlockBytes = Field(description="longest payload of a block that the board takes")
    upload_bytes: BlockBytes = Field(description="size of the upload area")
    fetch_bytes: BlockBytes = Field(description="longest payload that it sends for one FETCh?")
    samples: Count = Field(description="most samples of a run")
    stored_bytes: int = Field(ge=1, le=2**50, description="most bytes of samples of a run")
    knots: int = Field(ge=0, le=2**32 - 1, description="most knots of a bias schedule")
    quiet: float = Field(default=0.25, gt=0, le=10, description="silence after which a broken line is dropped, s")


class Capability(BaseModel):
    """What a board is, what it takes, and the limits of the line to it."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    protocol: str = Field(pattern=r"^[0-9]{1,4}\.[0-9]{1,4}$", description="version of the protocol that it speaks")
    spec: DeviceSpec
    programs: tuple[Literal["table", "float64"], ...] = Field(min_length=1, description="forms of a program it takes")
    heat: bool = Field(default=True, description="whether it measures heat and work")
    limits: LineLimits

    @field_validator("spec")
    @classmethod
    def _plain(cls, spec: DeviceSpec) -> DeviceSpec:
        for quantity in ("mobility", "kT", "mass", "coupling_limit", "bias_limit"):
            if not math.isfinite(getattr(spec, quantity) or 0):
                raise ValueError(f"the spec's {quantity} is not finite")
        for text in (spec.name, *spec.details, *spec.details.values()):
            if len(text) > _MAX_TEXT or not text.isprintable():
                raise ValueError(f"a text of the spec is not one printable line of at most {_MAX_TEXT} characters")
        if not spec.name:
            raise ValueError("the spec has no name")
        return spec

    @staticmethod
    def read(payload: bytes, where: str) -> "Capability":
        """Read a board's payload: JSON and its CRC-32.

        Raises:
            ProtocolError: It is damaged, too long, not JSON, lacks a field, has one that is unknown, of the wrong type
                or out of range, or is of a protocol that this package does not speak.
        """
        if len(payload) > MAX_CAPABILITY_BYTES:
            raise ProtocolError(
                f"{where}: a capability of {len(payload)} bytes; at most {MAX_CAPABILITY_BYTES} are read"
            )
        text = bytes(without_checksum(payload, f"{where}: the capability"))
        try:
            found = Capability.model_validate(parse_json(text.decode("ascii"), where))
        except (FileFormatError, UnicodeDecodeError, RecursionError) as error:
            raise ProtocolError(f"{where}: the capability is not JSON in ASCII: {error}") from error
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"]) or "the object"
            raise ProtocolError(f"{where}: the capability's {key}: {first['msg']}") from error
        if found.protocol.split(".")[0] != VERSION.split(".")[0]:
            raise ProtocolError(f"{where}: it speaks protocol {found.protocol}, this package {VERSION}")
        return found

    def encode(self) -> bytes:
        """Get the payload: JSON, ASCII, and its CRC-32."""
        return with_checksum(self.model_dump_json(ensure_ascii=True).encode("ascii"))
