# SPDX-License-Identifier: Apache-2.0
"""The error numbers of SCPI-99 that a board uses, and their standard texts (docs/protocol.md, section 6)."""

SCPI_ERRORS = {
    0: "No error",
    -100: "Command error",
    -101: "Invalid character",
    -102: "Syntax error",
    -104: "Data type error",
    -108: "Parameter not allowed",
    -109: "Missing parameter",
    -113: "Undefined header",
    -131: "Invalid suffix",
    -161: "Invalid block data",
    -168: "Block data not allowed",
    -200: "Execution error",
    -213: "Init ignored",
    -221: "Settings conflict",
    -222: "Data out of range",
    -223: "Too much data",
    -224: "Illegal parameter value",
    -230: "Data corrupt or stale",
    -240: "Hardware error",
    -350: "Queue overflow",
    -361: "Parity error in program message",
    -363: "Input buffer overrun",
}

MAX_TEXT = 200
"""Longest text of an error, characters."""


def error_text(number: int, detail: str = "") -> str:
    """Get an error as a board says it: number, standard text and, after a semicolon, what exactly is wrong."""
    text = SCPI_ERRORS[number] + (f"; {detail}" if detail else "")
    plain = text.replace('"', "'").encode("ascii", "replace").decode()
    printable = "".join(letter if letter.isprintable() else "?" for letter in plain)
    return f'{number},"{printable[:MAX_TEXT]}"'
