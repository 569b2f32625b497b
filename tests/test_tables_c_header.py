# SPDX-License-Identifier: Apache-2.0
"""The C header of a coupling table: what a C99 compiler makes of it, and that an edited one is refused."""

import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from tables_examples import example_table

from thermohw import CouplingTable, Program, Topology
from thermohw.errors import FileFormatError

COMPILER = shutil.which("gcc") or shutil.which("cc")
FLAGS = ["-std=c99", "-Wall", "-Wextra", "-Wpedantic", "-Werror"]

# Prints the numbers, and the bytes an element of each array.
PRINT_TABLE = r"""
#include <stdio.h>
#include "table.h"
#include "table.h"

int main(void)
{
    long k;
    printf("sizes %d %d %d %ld\n", THERMOHW_VISIBLE, THERMOHW_HIDDEN, THERMOHW_UNITS, (long)THERMOHW_PAIRS);
    printf("digest %s %s\n", THERMOHW_DIGEST, THERMOHW_SCHEMA);
    printf("biases %d %.17g\n", THERMOHW_BITS_BIASES, THERMOHW_SCALE_BIASES);
#ifdef THERMOHW_SCALE_VISIBLE_HIDDEN
    printf("visible-hidden %d %.17g\n", THERMOHW_BITS_VISIBLE_HIDDEN, THERMOHW_SCALE_VISIBLE_HIDDEN);
#endif
#if THERMOHW_PAIRS > 0
    printf("bytes %d %d\n", (int)sizeof thermohw_pairs[0][0], (int)sizeof thermohw_codes[0]);
    for (k = 0; k < THERMOHW_PAIRS; k++)
        printf("pair %ld %ld %d\n", (long)thermohw_pairs[k][0], (long)thermohw_pairs[k][1], (int)thermohw_codes[k]);
#endif
    for (k = 0; k < THERMOHW_UNITS; k++)
        printf("unit %d %.17g %.17g\n", (int)thermohw_bias_codes[k], thermohw_J2[k], thermohw_J4[k]);
    return 0;
}
"""


def printed_by_c(table: CouplingTable, folder: Path) -> dict[str, list[list[str]]]:
    """Compile the header into a program, run it, and get the words of its lines by the first word."""
    if COMPILER is None:
        pytest.skip("no C compiler: neither gcc nor cc is on the path")
    table.save(folder / "table.h")
    (folder / "main.c").write_text(PRINT_TABLE, encoding="utf-8")
    subprocess.run([COMPILER, *FLAGS, "main.c", "-o", "main"], cwd=folder, check=True, timeout=60)
    output = subprocess.run([folder / "main"], capture_output=True, text=True, check=True, timeout=60).stdout
    lines: dict[str, list[list[str]]] = {}
    for line in output.splitlines():
        first, *words = line.split()
        lines.setdefault(first, []).append(words)
    return lines


def made_table(topology: Topology, bits: int, bias_bits: int) -> CouplingTable:
    rng = np.random.default_rng(5)
    J2, J4, biases = rng.normal(size=topology.units), rng.uniform(1, 2, topology.units), rng.normal(size=topology.units)
    program = Program(topology, J2, J4, biases, 1e-7 * rng.normal(size=len(topology.pairs)))
    return CouplingTable.quantize(program, bits, bias_bits=bias_bits)


@pytest.mark.parametrize(
    ("table", "widths"),
    [
        (example_table(), (1, 1)),
        (made_table(Topology.layered(20, 8), 9, 16), (1, 2)),
        (made_table(Topology.grid(20, 20), 16, 2), (2, 2)),
        (made_table(Topology.from_pairs(65540, 0, [[3, 65539], [5, 6]]), 8, 8), (4, 1)),
        (made_table(Topology.layered(3, 0), 8, 8), None),
    ],
    ids=["awkward text", "9 bits", "16 bits", "many units", "no pairs"],
)
def test_c_sees_the_table(table: CouplingTable, widths: tuple[int, int] | None, tmp_path: Path) -> None:
    topology = table.topology
    lines = printed_by_c(table, tmp_path)
    assert lines["sizes"] == [
        [str(n) for n in (topology.visible, topology.hidden, topology.units, len(topology.pairs))]
    ]
    assert lines["digest"] == [[table.digest, "thermohw-table/1"]]
    for block in {"biases", "visible-hidden"} & set(table.bits):
        ((bits, scale),) = lines[block]
        assert (int(bits), float(scale)) == (table.bits[block], table.scales[block])
    pairs = np.array(lines.get("pair", []), np.int64).reshape(-1, 3)
    assert np.array_equal(pairs[:, :2], topology.pairs)
    assert np.array_equal(pairs[:, 2], table.codes)
    units = np.array(lines["unit"], np.float64)
    assert np.array_equal(units, np.stack([table.bias_codes, table.J2, table.J4], axis=1))
    assert lines.get("bytes") == (None if widths is None else [[str(width) for width in widths]])


def test_the_compiler_would_notice_a_wrong_header(tmp_path: Path) -> None:
    if COMPILER is None:
        pytest.skip("no C compiler: neither gcc nor cc is on the path")
    path = example_table().save(tmp_path / "table.h")
    path.write_text(path.read_text(encoding="utf-8").replace("int8_t", "int3_t"), encoding="utf-8")
    (tmp_path / "main.c").write_text(PRINT_TABLE, encoding="utf-8")
    run = subprocess.run([COMPILER, *FLAGS, "main.c"], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "int3_t" in run.stderr


def test_an_edited_header_is_refused_with_the_reason(tmp_path: Path) -> None:
    table = example_table()
    path = table.save(tmp_path / "table.h")
    text = path.read_text(encoding="utf-8")
    first = table.codes[0]
    for old, new, reason in (
        (f"= {{\n{first},", f"= {{\n{first - np.sign(first)},", "digest does not match"),
        (f"= {{\n{first},", f"= {{\n{first}+1,", "thermohw_codes holds something that is no number"),
        (f"= {{\n{first},", f"= {{\n+{first},", r"line \d+ was edited"),
        ("#define THERMOHW_BITS_BIASES 12", "#define THERMOHW_BITS_BIASES 11", r"line \d+ was edited"),
        ("#define THERMOHW_UNITS 5", "#define THERMOHW_UNITS 5\n", r"line \d+ was edited"),
        ("static const int8_t thermohw_codes", "static const int16_t thermohw_codes", r"line \d+ was edited"),
        ("Do not edit", "Do edit", r"line 2 was edited"),
        ("\n#endif\n", "\n#endif\nint codes;\n", r"line \d+ was edited"),
        ("static const double thermohw_J2", "static const double thermohw_J3", r"J2 must have shape"),
        ("{0,1},", "{0},", "pairs need an even number"),
        ('"visible": 3', '"visible": 2', "names a unit outside 0 … 3"),
        (' * {"schema"', ' * "schema"', "metadata is missing"),
        (' * {"schema"', ' * {schema"', "metadata: not JSON"),
    ):
        assert text.count(old) == 1, old
        path.write_text(text.replace(old, new), encoding="utf-8")
        with pytest.raises(FileFormatError, match=rf"table\.h: .*({reason})"):
            CouplingTable.load(path)
