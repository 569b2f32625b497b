# SPDX-License-Identifier: Apache-2.0
"""Write the inputs from which fuzzing starts: `python3 seeds.py FOLDER`."""

import struct
import sys
import zlib
from pathlib import Path


def payload(content: bytes) -> bytes:
    """Get a payload with its checksum."""
    return content + zlib.crc32(content).to_bytes(4, "little")


def block(content: bytes) -> bytes:
    """Get a block with a payload in it."""
    whole = payload(content)
    return b"#%d%d" % (len(str(len(whole))), len(whole)) + whole


def checked(message: bytes, tag: int = 1) -> bytes:
    """Get a checked line."""
    line = message + b" ~%02X" % tag
    return line + b"%08X\n" % zlib.crc32(line)


def table(kind: int, visible: int, hidden: int, pairs: list[tuple[int, int]]) -> bytes:
    """Get a coupling table in binary form, without its checksum."""
    units = visible + hidden
    blocks = [sum((i >= visible) + (j >= visible) == index for i, j in pairs) for index in range(3)] + [1]
    bits = [4 if count else 0 for count in blocks]
    scales = [0.25 if count else 0.0 for count in blocks]
    listed = b"".join(struct.pack("<2H", *pair) for pair in pairs) if kind == 0 else b""
    codes = struct.pack(f"<{len(pairs) + units}h", *[(-1) ** k * (k % 8) for k in range(len(pairs) + units)])
    arrays = struct.pack(f"<{2 * units}d", *([1.0] * units + [0.5] * units)) + listed + codes
    arrays += b" " * (-len(arrays) % 4)
    metadata = len(arrays) - 16 * units - len(listed) - len(codes)
    counts = (visible, hidden, len(pairs), *scales, metadata, 72 + len(arrays) + 36)
    return struct.pack("<8s2H2B4BHIII4dII", b"THWTABLE", 1, 72, kind, 2, *bits, 0, *counts) + arrays + bytes(32)


PAIR = table(3, 2, 0, [(0, 1)])
LOAD = b"PROG:DATA " + block(PAIR) + b"\n"
STATES = struct.pack("<2I4f", 2, 2, 0.1, -0.2, 0.3, -0.4)
SEEDS = [
    b"*IDN?\n*RST\n*CLS\n*ESE 60;*ESE?;*SRE 36;*SRE?;*ESR?;*STB?;*OPC;*OPC?;*WAI;*TST?\n",
    b"SYST:ERR?;ERR:NEXT?;:SYSTem:VERSion?;CAPability?;CHEC?\n",
    b"RUN:DUR 2.5;DT 1e-2;SAMP 3;FIRS 7;SEED 18446744073709551615;KEEP TRAJ;REC 2;INIT UNB\nRUN:DUR?;DT?;SAMP?;FIRS?\n",
    b"RUN:SEED?;KEEP?;REC?;INIT?\n",
    LOAD + b"RUN:DUR 0.1;DT 0.05;SAMP 3;KEEP TRAJ;:INIT;*OPC?;FETC? 0,2;:RUN:PROG?;TIM?\nABOR\nSTAT:OPER?\n",
    LOAD + b"RUN:DUR 1e3;SAMP 1000;KEEP NONE;:INIT 7\nRUN:PROG?\n*OPC?;*IDN?\n*OPC\nABOR\nRUN:ERR?\n",
    LOAD + b"PROG:BIAS " + block(struct.pack("<2f", 0.5, -0.5)) + b";BIAS:CRC?;:PROG:CRC?\n",
    LOAD + b"RUN:STAT " + block(STATES) + b";INIT STAT;SAMP 2;:INIT\nRUN:STAT:CRC?\nFETC? 0,2\n",
    LOAD + b"PROG:SCH " + block(struct.pack("<2I", 0, 2)) + b";SCH:CRC?\nINIT\n",
    b"UPL:DATA 0," + block(payload(PAIR)) + b";:PROG:LOAD %d,#H%08X;CRC?\n" % (len(PAIR) + 4, zlib.crc32(PAIR)),
    b"PROG:DATA " + block(table(0, 2, 1, [(0, 2), (1, 2)])) + b"\nINIT\n",
    b"PROG:DATA " + block(table(1, 1, 2, [(0, 1), (0, 2), (1, 2)])) + b"\nINIT\n",
    b"PROG:DATA " + block(table(2, 2, 1, [(0, 2), (1, 2)])) + b"\nINIT;*OPC?\n",
    checked(b"SYST:CHEC ON") + checked(b"RUN:SAMP 0", 2) + b"RUN:SXMP 1\nABOR\n" + checked(b"", 3) + b"*CLS\n",
    checked(b"SYST:CHEC ON;CHEC?") + checked(b"RUN:SAMP 100 ;SAMP?", 0xFF) + b"\xfd" + checked(b"*OPC?"),
    b"PROG:DATA #41000abc\xfd*IDN?\n*IDN? #0abc\nPROG:DATA #6999999\n" + b"RUN:SAMP " + b"1" * 40 + b"\n",
    b"PROG:DATA #216" + bytes(range(10, 26)) + b"\r\nUPL:DATA 5,#14abcd\n",
]


def main() -> None:
    """Write them."""
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(SEEDS):
        (folder / f"seed-{number:02}").write_bytes(seed)


if __name__ == "__main__":
    main()
