# SPDX-License-Identifier: Apache-2.0
"""The file formats of coupling tables: exact round trips, and refusal of what is damaged, edited or hostile."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tables_examples import SMALL, assert_same, example_table, tables

from thermohw import CouplingTable, Program, Topology
from thermohw.errors import FileFormatError, StorageError, ThermoHWError
from thermohw.storage import load_arrays, save_arrays
from thermohw.tables.content import SCHEMA

SUFFIXES = (".json", ".csv", ".npz", ".h", ".bin")
each_suffix = pytest.mark.parametrize("suffix", SUFFIXES)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tables")


def assert_refused_or_same(data: bytes, path: Path, table: CouplingTable) -> None:
    path.write_bytes(data)
    try:
        found = CouplingTable.load(path)
    except ThermoHWError as error:
        assert path.name in str(error)
    else:
        assert_same(table, found)


@each_suffix
@given(table=tables())
def test_round_trip_is_exact(folder: Path, suffix: str, table: CouplingTable) -> None:
    path = table.save(folder / f"table{suffix}")
    first = path.read_bytes()
    found = CouplingTable.load(path)
    assert_same(table, found)
    assert type(found) is CouplingTable
    assert found.save(path).read_bytes() == first


@each_suffix
@pytest.mark.parametrize("units", [(1, 0), (0, 1), (3, 0), (0, 3), (2, 2)])
@pytest.mark.parametrize("size", [0.0, 1.0])
def test_bare_tables_round_trip(tmp_path: Path, suffix: str, units: tuple[int, int], size: float) -> None:
    topology = Topology.layered(*units)
    energies = np.full(topology.units, size), np.full(len(topology.pairs), -size)
    table = CouplingTable.quantize(Program(topology, np.array(1.0), np.array(1.0), *energies), 2)
    assert_same(table, CouplingTable.load(table.save(tmp_path / f"table{suffix}")))


@pytest.fixture(scope="module")
def standard_table() -> CouplingTable:
    topology = Topology.layered(784, 512)
    rng = np.random.default_rng(3)
    couplings = rng.normal(size=len(topology.pairs))
    program = Program(topology, np.array(10.0), np.array(10.0), rng.normal(size=topology.units), couplings)
    return CouplingTable.quantize(program, 8, scale="mse")


@each_suffix
def test_the_standard_size_round_trips(tmp_path: Path, suffix: str, standard_table: CouplingTable) -> None:
    assert_same(standard_table, CouplingTable.load(standard_table.save(tmp_path / f"table{suffix}")))


@each_suffix
@settings(max_examples=300)
@given(
    table=st.sampled_from([SMALL, example_table()]),
    at=st.floats(0, 1, exclude_max=True),
    kind=st.sampled_from(["flip", "delete", "insert", "cut off"]),
    content=st.binary(min_size=1, max_size=12),
)
def test_damaged_bytes_are_refused(
    folder: Path, suffix: str, table: CouplingTable, at: float, kind: str, content: bytes
) -> None:
    path = table.save(folder / f"damaged{suffix}")
    data = path.read_bytes()
    place = int(at * len(data))
    damaged = {
        "flip": data[:place] + bytes([data[place] ^ (content[0] or 1)]) + data[place + 1 :],
        "delete": data[:place] + data[place + len(content) :],
        "insert": data[:place] + content + data[place:],
        "cut off": data[:place],
    }[kind]
    assert_refused_or_same(damaged, path, table)


@each_suffix
@given(data=st.binary(max_size=200) | st.text().map(str.encode))
def test_other_files_are_refused(folder: Path, suffix: str, data: bytes) -> None:
    path = folder / f"other{suffix}"
    path.write_bytes(data)
    with pytest.raises(FileFormatError, match=f"other{suffix}"):
        CouplingTable.load(path)


@pytest.mark.parametrize("suffix", [".json", ".csv", ".h"])
@given(at=st.floats(0, 1, exclude_max=True), digit=st.sampled_from("0123456789"))
def test_a_changed_digit_is_noticed(folder: Path, suffix: str, at: float, digit: str) -> None:
    path = SMALL.save(folder / f"digit{suffix}")
    text = path.read_text(encoding="utf-8")
    digits = [place for place, character in enumerate(text) if character.isdigit() and character != digit]
    place = digits[int(at * len(digits))]
    path.write_text(text[:place] + digit + text[place + 1 :], encoding="utf-8")
    with pytest.raises(FileFormatError, match=f"digit{suffix}"):
        CouplingTable.load(path)


@each_suffix
def test_line_endings_may_change_in_text_formats(tmp_path: Path, suffix: str) -> None:
    path = SMALL.save(tmp_path / f"table{suffix}")
    if suffix in (".json", ".csv", ".h"):
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert_same(SMALL, CouplingTable.load(path))


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    for name in ("table.txt", "table", "table.npz.gz"):
        with pytest.raises(
            FileFormatError, match=r"no table format has the suffix .*known: .json, .csv, .npz, .h, .bin"
        ):
            SMALL.save(tmp_path / name)
        with pytest.raises(FileFormatError, match="no table format has the suffix"):
            CouplingTable.load(tmp_path / name)
    assert not list(tmp_path.iterdir())
    assert_same(SMALL, CouplingTable.load(SMALL.save(tmp_path / "TABLE.JSON")))


@each_suffix
def test_a_missing_file_is_a_storage_error(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(StorageError, match="missing"):
        CouplingTable.load(tmp_path / f"missing{suffix}")


# JSON


def edit_json(path: Path, edit: Callable[[dict[str, object]], object]) -> None:
    document = json.loads(SMALL.save(path).read_text(encoding="utf-8"))
    edit(document)
    path.write_text(json.dumps(document), encoding="utf-8")


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("codes", [6, -7], "digest does not match"),
        ("codes", [4, -8], r"code -8 .*outside −7 … 7"),
        ("codes", [4, -32768], "codes.1: .*greater than or equal to -32767"),
        ("codes", [4.0, -7], "codes.0: .*valid integer"),
        ("codes", [4], r"codes must be integers of shape \(2,\)"),
        ("bias_codes", [1e400], "bias_codes.0"),
        ("J2", [1.0, 1.0, float("nan")], "J2.2: .*finite"),
        ("J4", [1.0, 1.0, -1.0], "not bounded below"),
        ("pairs", [[0, 2], [1, 1]], "no self-coupling"),
        ("pairs", [[0, 2], [1, 2**40]], "pairs.1.1"),
        ("pairs", [[0, 2, 1], [1, 2]], "pairs.0"),
        ("visible", 3, "shape|digest|blocks"),
        ("visible", 10**9, "shape|blocks"),
        ("hidden", -1, "hidden: .*greater than or equal to 0"),
        ("bits", {"visible-hidden": 4, "biases": 17}, "bits.biases"),
        ("bits", {"visible-hidden": 4}, "bits are given for"),
        ("scales", {"visible-hidden": 1, "biases": 0}, "scales.biases"),
        ("scales", {"visible-hidden": 1, "bias": 1}, "scales.bias"),
        ("method", "nearest\n", "the method"),
        ("provenance", {"who": "x" * 2000}, "printable line"),
        ("digest", "0" * 64, "digest does not match"),
        ("schema", "thermohw-table/2", "schema: Input should be 'thermohw-table/1'"),
        ("note", "hello", "note: Extra inputs are not permitted"),
    ],
)
def test_an_edited_json_is_refused_with_the_reason(tmp_path: Path, field: str, value: object, reason: str) -> None:
    path = tmp_path / "table.json"
    edit_json(path, lambda document: document.update({field: value}))
    with pytest.raises(FileFormatError, match=rf"table\.json: .*({reason})"):
        CouplingTable.load(path)


@pytest.mark.parametrize("field", ["schema", "visible", "pairs", "codes", "digest", "bits"])
def test_a_missing_json_field_is_named(tmp_path: Path, field: str) -> None:
    path = tmp_path / "table.json"
    edit_json(path, lambda document: document.pop(field))
    with pytest.raises(FileFormatError, match=f"{field}: Field required"):
        CouplingTable.load(path)


def test_json_with_a_field_twice_is_refused(tmp_path: Path) -> None:
    path = SMALL.save(tmp_path / "table.json")
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace('"codes":', '"codes": [1, 1],\n"codes":'), encoding="utf-8")
    with pytest.raises(FileFormatError, match="the key 'codes' stands twice"):
        CouplingTable.load(path)


def test_json_may_be_laid_out_anew(tmp_path: Path) -> None:
    path = tmp_path / "table.json"
    edit_json(path, lambda document: document.update(codes=document.pop("codes")))
    assert_same(SMALL, CouplingTable.load(path))


# CSV


def edit_csv(path: Path, old: str, new: str) -> None:
    text = SMALL.save(path).read_text(encoding="utf-8")
    assert text.count(old) == 1
    path.write_text(text.replace(old, new), encoding="utf-8")


def test_csv_is_read_by_others(tmp_path: Path) -> None:
    table = example_table()
    lines = table.save(tmp_path / "table.csv").read_text(encoding="utf-8").splitlines()
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    couplings = {(int(row["i"]), int(row["j"])): row for row in rows if row["kind"] == "coupling"}
    assert list(couplings) == [tuple(pair) for pair in table.topology.pairs.tolist()]
    assert [int(row["code"]) for row in couplings.values()] == table.codes.tolist()
    assert [float(row["value"]) for row in couplings.values()] == table.program.couplings.tolist()
    for kind, values in (("bias", table.program.biases), ("onsite2", table.J2), ("onsite4", table.J4)):
        found = [row for row in rows if row["kind"] == kind]
        assert [int(row["i"]) for row in found] == list(range(table.topology.units))
        assert [float(row["value"]) for row in found] == values.tolist()
    metadata = dict(line[2:].split(": ", 1) for line in lines if line.startswith("#") and line[-1] != " ")
    assert metadata["provenance.note"] == table.provenance["note"]
    assert float(metadata["scales.visible-hidden"]) == table.scales["visible-hidden"]


def test_an_edited_csv_is_refused_with_the_reason(tmp_path: Path) -> None:
    path = tmp_path / "table.csv"
    coupling = f"coupling,1,2,-7,{SMALL.program.couplings[1]!r}".replace("np.float64(", "").replace(")", "")
    scale = SMALL.scales["visible-hidden"]
    for old, new, reason in (
        (coupling, f"coupling,1,2,-6,{-6 * scale!r}", "digest does not match"),
        (coupling, "coupling,1,2,-7,-2.26", r"coupling row 1: the value is -2\.26, but code · scale is -2\.25"),
        (coupling, "coupling,1,2,-8,-2.25", "code -8 of the pair"),
        (coupling, "coupling,1,2,-7,-2.25,", r"line \d+ is not a row"),
        (coupling, "coupling,1,2,-7,nan", r"line \d+ is not a row"),
        (coupling, "coupling,1,4294967298,-7,-2.25", "names the unit 4294967298"),
        (coupling, "", r"line \d+ is not a row"),
        ("bias,2,,7,2.0", "bias,3,,7,2.0", "the bias rows must be those of the units"),
        ("bias,2,,7,2.0", "bias,2,,7,2.5", "bias row 2: the value is 2.5"),
        ("onsite2,1,,,1.0", "onsite2,1,,,1.5", "digest does not match"),
        ("onsite4,1,,,1.0\n", "", "the onsite4 rows"),
        ("# visible: 2", "# visible: two", "visible: .*valid integer"),
        ("# visible: 2\n", "", "visible: Field required"),
        ("# visible: 2", "# visible: 2\n# visible: 2", "visible stands twice"),
        ("# visible: 2", "# visible: 2\n# colour: red", "colour: Extra inputs"),
        ("# visible: 2", "visible: 2", r"line \d+ must be '# key: value'"),
        ("# method: nearest", "# method: mse", "digest does not match"),
        ("kind,i,j,code,value", "kind,j,i,code,value", r"line \d+ must be"),
        ("# schema: thermohw-table/1", "# schema: thermohw-table/9", "schema: Input should be"),
    ):
        edit_csv(path, old, new)
        with pytest.raises(FileFormatError, match=rf"table\.csv: .*{reason}"):
            CouplingTable.load(path)


# NPZ


def test_an_edited_npz_with_a_right_checksum_is_refused(tmp_path: Path) -> None:
    path = SMALL.save(tmp_path / "table.npz")
    arrays = load_arrays(path, SCHEMA)
    for name, value, reason in (
        ("codes", arrays["codes"] - np.int32(1) * np.sign(arrays["codes"]), "digest does not match"),
        ("codes", arrays["codes"].astype(np.int64), "codes is int64"),
        ("J2", np.float64(1.0), r"J2 is float64 \(\)"),
        ("J2", np.ones(4), "shape"),
        ("extra", np.ones(4), "unknown arrays: extra"),
        ("header", np.array("[]"), "header: .*valid dictionary"),
        ("header", np.array("{"), "header: not JSON"),
        ("header", np.ones((2, 2)), "header: not JSON"),
    ):
        save_arrays(path, SCHEMA, {**arrays, name: np.asarray(value)})
        with pytest.raises(FileFormatError, match=reason):
            CouplingTable.load(path)
    save_arrays(path, SCHEMA, arrays)
    assert_same(SMALL, CouplingTable.load(path))
