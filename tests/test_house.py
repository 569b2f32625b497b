# SPDX-License-Identifier: Apache-2.0
"""The rules of the house, checked by reading the source; each rule first has to catch an offender made for it."""

import ast
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from thermohw import errors

ROOT = Path(__file__).parents[1]

# A module imports only from lines above its own; a sub-package is one line. The package root re-exports from all lines,
# so that nothing imports from it but `__version__`, which it sets before its own imports.
LAYERS = """
    errors storage shipped units statistics topology program images parallel langevin path heat spectrum
    tables cards transport plan samples device protocol backends spice nonideal training energy sweep estimation
    instrument testing datasets figures report cli
""".split()

MAX_FILE_LINES, MAX_FUNCTION_LINES = 400, 60
OVERSIZED: set[str] = set()
"""Files and functions over the ceilings, as the test names them. This list may only shrink."""

TEST_COMMAND = 'pip install ".[test]" && python -m pytest'
HEAVY = ("matplotlib.pyplot", "torch", "jax", "sklearn", "pooch")
PICKLERS = {"pickle", "cPickle", "dill", "cloudpickle", "joblib", "marshal", "shelve"}
ERRORS = {name for name, value in vars(errors).items() if isinstance(value, type)}

Function = ast.FunctionDef | ast.AsyncFunctionDef
Definition = Function | ast.ClassDef


def source_files(*folders: str) -> dict[str, str]:
    paths = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return {path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8") for path in paths}


def assert_obeyed(rule: Callable[[ast.Module], Iterator[str]], *folders: str) -> None:
    sources = source_files(*folders)
    faults = [f"{name}: {fault}" for name, text in sources.items() for fault in rule(ast.parse(text))]
    assert not faults, "\n".join(faults)


# Layers


def imported_modules(tree: ast.Module, known: Mapping[str, str]) -> set[str]:
    """Get the project's modules that a module imports anywhere, inside functions too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            members = {f"{node.module}.{alias.name}" for alias in node.names} - {"thermohw.__version__"}
            found.update(name if name in known else str(node.module) for name in members)
    return {name for name in found if name.split(".")[0] == "thermohw"}


def layer(module: str) -> int:
    """Get the line of a module in LAYERS, -1 for one that is not there; the package root stands below all lines."""
    if module == "thermohw":
        return len(LAYERS)
    top = module.split(".")[1]
    return LAYERS.index(top) if top in LAYERS else -1


def import_faults(sources: Mapping[str, str]) -> Iterator[str]:
    """Check module names with their source text."""
    graph = {name: imported_modules(ast.parse(text), sources) for name, text in sources.items()}
    for name, imported in graph.items():
        if layer(name) < 0:
            yield f"{name} stands in no line of LAYERS"
        else:
            yield from (f"{name} imports {other}" for other in sorted(imported) if layer(other) > layer(name))
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        yield f"cycle: {' -> '.join(error.args[1])}"


def test_imports_point_up_the_list_of_layers() -> None:
    files = source_files("thermohw")
    modules = {name.removesuffix(".py").replace("/", ".").removesuffix(".__init__"): files[name] for name in files}
    faults = list(import_faults(modules))
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize(
    ("sources", "fault"),
    [
        ({"thermohw.path": "from thermohw.cli import app"}, "thermohw.path imports thermohw.cli"),
        ({"thermohw.path": "def f():\n    import thermohw.cli"}, "thermohw.path imports thermohw.cli"),
        ({"thermohw.path": "from thermohw import cli", "thermohw.cli": ""}, "thermohw.path imports thermohw.cli"),
        ({"thermohw.cli": "from thermohw import Program", "thermohw": ""}, "thermohw.cli imports thermohw"),
        ({"thermohw.tables.a": "import thermohw.tables.b", "thermohw.tables.b": "import thermohw.tables.a"}, "cycle"),
        ({"thermohw.tables": "import thermohw.tables.a", "thermohw.tables.a": "import thermohw.tables"}, "cycle"),
        ({"thermohw.misc": ""}, "thermohw.misc stands in no line"),
    ],
)
def test_a_wrong_import_is_caught(sources: dict[str, str], fault: str) -> None:
    assert any(found.startswith(fault) for found in import_faults(sources))


# Sizes


def oversized(name: str, text: str) -> Iterator[str]:
    if text.count("\n") > MAX_FILE_LINES:
        yield name
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, Function) and (node.end_lineno or 0) - node.lineno >= MAX_FUNCTION_LINES:
            yield f"{name}::{node.name}"


def test_files_and_functions_are_small() -> None:
    sources = source_files("thermohw", "tests", "benchmarks")
    assert {fault for name, text in sources.items() for fault in oversized(name, text)} == OVERSIZED


def test_an_oversized_file_or_function_is_caught() -> None:
    function = "def f():\n" + "    x = 1\n" * MAX_FUNCTION_LINES
    assert list(oversized("a.py", function)) == ["a.py::f"]
    assert list(oversized("a.py", "x = 1\n" * MAX_FILE_LINES)) == []
    assert list(oversized("a.py", "x = 1\n" * (MAX_FILE_LINES + 1))) == ["a.py"]


# Docstrings


def public_definitions(scope: ast.Module | ast.ClassDef) -> Iterator[Definition]:
    for node in scope.body:
        if isinstance(node, Definition) and not node.name.startswith("_"):
            yield node
            if isinstance(node, ast.ClassDef):
                yield from public_definitions(node)


def raised_errors(definition: Definition) -> set[str]:
    """Get the project's errors that a function raises itself; for a class, those of its constructor."""
    pending: list[ast.AST] = list(definition.body)
    if isinstance(definition, ast.ClassDef):
        constructors = [node for node in definition.body if isinstance(node, Function)]
        pending = [line for node in constructors if node.name in ("__init__", "__post_init__") for line in node.body]
    found: set[str] = set()
    while pending:
        node = pending.pop()
        if isinstance(node, ast.Raise) and node.exc:
            error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
            found.add(ast.unparse(error).split(".")[-1])
        if not isinstance(node, Definition):
            pending.extend(ast.iter_child_nodes(node))
    return found & ERRORS


def docstring_faults(tree: ast.Module) -> Iterator[str]:
    for definition in public_definitions(tree):
        docstring = ast.get_docstring(definition) or ""
        section = docstring.partition("Raises:\n")[2]
        if not docstring:
            yield f"{definition.name} has no docstring"
        for error in sorted(raised_errors(definition)):
            if f"{error}:" not in section:
                yield f"{definition.name} raises {error}, which no `Raises:` section of its docstring names"


def forbidden(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        match node:
            case ast.Import(names=names) if PICKLERS & {alias.name.split(".")[0] for alias in names}:
                yield f"line {node.lineno}: imports a pickler"
            case ast.ImportFrom(module=str(module)) if module.split(".")[0] in PICKLERS:
                yield f"line {node.lineno}: imports a pickler"
            case ast.ImportFrom(names=[ast.alias(name="*")]):
                yield f"line {node.lineno}: star import"
            case ast.ImportFrom(level=level) if level:
                yield f"line {node.lineno}: relative import"
            case ast.Call(func=ast.Name(id="eval" | "exec" as name)):
                yield f"line {node.lineno}: calls {name}"
            case ast.keyword(arg="allow_pickle", value=value) if ast.unparse(value) != "False":
                yield f"line {node.lineno}: allows pickles"
            case _:
                pass


def test_public_names_are_documented_with_their_errors() -> None:
    assert_obeyed(docstring_faults, "thermohw")


def test_nothing_is_unpickled_evaluated_or_imported_by_star() -> None:
    assert_obeyed(forbidden, "thermohw", "benchmarks")


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (docstring_faults, "def run(): pass"),
        (docstring_faults, "class Device:\n    'A device.'\n    def run(self): pass"),
        (docstring_faults, "def run():\n    'Run.'\n    if True:\n        raise ProgramError('no')"),
        (
            docstring_faults,
            "def run():\n    '''Run.\n\n    Raises:\n        TableError: No.\n    '''\n    raise ProgramError",
        ),
        (docstring_faults, "class A:\n    'A.'\n    def __post_init__(self):\n        raise errors.ProgramError('no')"),
        (forbidden, "import numpy, pickle"),
        (forbidden, "from cloudpickle.x import y"),
        (forbidden, "from numpy import *"),
        (forbidden, "from .errors import ProgramError"),
        (forbidden, "x = [eval('1')]"),
        (forbidden, "np.load('a.npy', allow_pickle=flag)"),
    ],
)
def test_an_offender_is_caught(rule: Callable[[ast.Module], Iterator[str]], text: str) -> None:
    assert len(list(rule(ast.parse(text)))) == 1


# Text

ABSOLUTE_PATH = re.compile(rb"(?<![\w.~-])/(?:home|root|tmp|work|Users)/")


def text_files() -> dict[str, bytes]:
    folders = (ROOT / name for name in ("thermohw", "tests", "benchmarks", "docs", "devices", "calibration", ".ci"))
    paths = [*ROOT.iterdir(), *(path for folder in folders for path in folder.rglob("*"))]
    files = {path: path.read_bytes() for path in paths if path.is_file() and "__pycache__" not in path.parts}
    return {path.relative_to(ROOT).as_posix(): content for path, content in files.items() if b"\0" not in content}


def test_every_source_file_states_its_licence() -> None:
    sources = source_files("thermohw", "tests", "benchmarks")
    assert [name for name in sources if not sources[name].startswith("# SPDX-License-Identifier: Apache-2.0\n")] == []


def test_no_text_names_a_place_on_one_machine() -> None:
    assert ABSOLUTE_PATH.search(b"see /" + b"home/lab/board.toml")
    assert [name for name, content in text_files().items() if ABSOLUTE_PATH.search(content)] == []


# README and import


def readme_blocks(language: str) -> list[str]:
    readme = ROOT / "README.md"
    text = readme.read_text(encoding="utf-8") if readme.is_file() else ""
    blocks = re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    return blocks or pytest.skip(f"README.md has no {language} block yet")


def test_readme_example_runs(tmp_path: Path) -> None:
    (tmp_path / "example.py").write_text("\n".join(readme_blocks("python")), encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    script = [sys.executable, "example.py"]
    run = subprocess.run(
        script, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=400, check=False
    )
    assert (run.returncode, run.stderr) == (0, "")


def test_ci_runs_the_command_that_readme_gives() -> None:
    ci = ROOT / ".ci" / "run"
    assert TEST_COMMAND in ci.read_text(encoding="utf-8").splitlines()
    assert TEST_COMMAND in "\n".join(readme_blocks("bash")).splitlines()


@pytest.mark.parametrize(("name", "found"), [("thermohw", []), ("matplotlib.pyplot", ["matplotlib.pyplot"])])
def test_import_is_light(name: str, found: list[str]) -> None:
    code = f"import sys, {name}; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == str(found)
