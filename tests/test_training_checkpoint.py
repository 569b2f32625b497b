# SPDX-License-Identifier: Apache-2.0
"""An interrupted training resumes to the same program, bit for bit, or says why it cannot."""

import os
import random
import signal
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thermohw import Images, SimulatedDevice, TrainingRun, train
from thermohw.errors import FileFormatError, StorageError, ThermoHWError, TrainingError
from thermohw.training.checkpoint import FILE, Checkpoint

ROOT = Path(__file__).parents[1]
SMALL = {"hidden": 8, "duration": 0.25, "dt": 0.005, "statistics": "sampled", "hidden_biases": True}
METHODS: dict[str, dict[str, Any]] = {
    "descent": {**SMALL, "method": "descent", "trajectories": 100, "learning_rate": 1e-3},
    "likelihood": {**SMALL, "method": "likelihood", "trajectories": 600},
}
ARRAYS = {"z": np.linspace(0, 1, 7), "done": np.array(3)}
SHAPES: dict[str, tuple[int, ...]] = {"z": (7,), "done": ()}


def stripes() -> Images:
    pixels = np.zeros((2, 4, 4))
    pixels[0, :, :2] = 1
    pixels[1, ::2] = 1
    return Images(pixels, np.array([4, 7]), "stripes")


class PulledPlug(Exception):
    """What interrupts a training in these tests."""


@dataclass
class Plug:
    """A progress callback that is pulled after some batches.

    Attributes:
        after: Number of batches; None for never.
        seen: (done, total) of each batch.
    """

    after: int | None = None
    seen: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    def __call__(self, done: int, total: int) -> None:
        self.seen.append((done, total))
        if self.after is not None and len(self.seen) > self.after:
            raise PulledPlug


@pytest.fixture
def always_saving(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("thermohw.training.checkpoint.INTERVAL", 0.0)


def uninterrupted(method: str) -> tuple[TrainingRun, list[tuple[int, int]]]:
    plug = Plug()
    return train(stripes(), overrides=METHODS[method], progress=plug), plug.seen


def interrupt(folder: Path, method: str, after: int) -> None:
    with pytest.raises(PulledPlug):
        train(stripes(), overrides=METHODS[method], folder=folder, progress=Plug(after))


def assert_same_training(run: TrainingRun, reference: TrainingRun) -> None:
    assert run.program.digest == reference.program.digest
    assert np.array_equal(run.curve, reference.curve)
    changing = {"seconds"}
    assert {k: v for k, v in run.metrics.items() if k not in changing} == {
        k: v for k, v in reference.metrics.items() if k not in changing
    }


@pytest.mark.usefixtures("always_saving")
@pytest.mark.parametrize("method", METHODS)
def test_an_interrupted_training_resumes_where_it_was(tmp_path: Path, method: str) -> None:
    reference, batches = uninterrupted(method)
    assert len(batches) >= 5
    for after in range(len(batches)):
        folder = tmp_path / str(after)
        interrupt(folder, method, after)
        assert [path.name for path in folder.iterdir()] == [FILE]
        plug = Plug()
        run = train(stripes(), overrides=METHODS[method], folder=folder, progress=plug)
        assert plug.seen == batches[after + 1 :]
        assert_same_training(run, reference)
        assert TrainingRun.load(folder).program.digest == reference.program.digest
        assert not (folder / FILE).exists()


@pytest.mark.usefixtures("always_saving")
@pytest.mark.parametrize("method", METHODS)
def test_a_training_survives_many_interruptions(tmp_path: Path, method: str) -> None:
    reference, batches = uninterrupted(method)
    for _ in batches:
        interrupt(tmp_path, method, 0)
    assert_same_training(train(stripes(), overrides=METHODS[method], folder=tmp_path), reference)


@pytest.mark.parametrize("method", METHODS)
def test_a_training_interrupted_before_the_first_save_starts_again(tmp_path: Path, method: str) -> None:
    reference, batches = uninterrupted(method)
    interrupt(tmp_path, method, 1)
    assert not list(tmp_path.iterdir())
    plug = Plug()
    assert_same_training(train(stripes(), overrides=METHODS[method], folder=tmp_path, progress=plug), reference)
    assert plug.seen == batches


@pytest.mark.usefixtures("always_saving")
@pytest.mark.parametrize("method", METHODS)
def test_a_foreign_checkpoint_is_refused_and_kept(tmp_path: Path, method: str) -> None:
    interrupt(tmp_path, method, 2)
    content = (tmp_path / FILE).read_bytes()
    images, other = stripes(), next(name for name in METHODS if name != method)
    negative = Images(images.pixels[::-1], images.labels, images.source)
    relabelled = Images(images.pixels, np.array([4, 8]), images.source)
    refusals: list[tuple[Images, dict[str, Any], SimulatedDevice | None]] = [
        (negative, METHODS[method], None),
        (relabelled, METHODS[method], None),
        (images, METHODS[other], None),
        (images, {**METHODS[method], "seed": 2}, None),
        (images, {**METHODS[method], "amplitude": 20.5}, None),
        (images, METHODS[method], SimulatedDevice(kT=2.0)),
    ]
    for trained, overrides, device in refusals:
        plug = Plug()
        with pytest.raises(TrainingError, match="belongs to a training with other images") as caught:
            train(trained, overrides=overrides, folder=tmp_path, device=device, progress=plug)
        assert str(tmp_path / FILE) in str(caught.value)
        assert "delete the file" in str(caught.value)
        assert not plug.seen
        assert (tmp_path / FILE).read_bytes() == content
    train(images, overrides=METHODS[method], folder=tmp_path)


@pytest.mark.usefixtures("always_saving")
@pytest.mark.parametrize("method", METHODS)
def test_a_truncated_checkpoint_is_refused(tmp_path: Path, method: str) -> None:
    interrupt(tmp_path, method, 2)
    content = (tmp_path / FILE).read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 1):
        (tmp_path / FILE).write_bytes(content[:length])
        with pytest.raises(FileFormatError, match=FILE):
            train(stripes(), overrides=METHODS[method], folder=tmp_path)
        assert not (tmp_path / "program.npz").exists()


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Checkpoint:
    checkpoint = Checkpoint(tmp_path_factory.mktemp("checkpoint"), "f" * 64)
    checkpoint.save(ARRAYS, last=True)
    return checkpoint


@given(position=st.integers(0, 10**6), value=st.integers(1, 255))
def test_a_damaged_checkpoint_never_gives_other_arrays(saved: Checkpoint, position: int, value: int) -> None:
    assert saved.folder is not None
    content = bytearray((saved.folder / FILE).read_bytes())
    damaged = bytearray(content)
    damaged[position % len(content)] ^= value
    (saved.folder / FILE).write_bytes(damaged)
    try:
        loaded = saved.load(SHAPES)
    except ThermoHWError as error:
        assert FILE in str(error)
    else:  # the zip's own dates and the like may change
        assert loaded.keys() == ARRAYS.keys()
        assert all(np.array_equal(loaded[name], array) for name, array in ARRAYS.items())
    finally:
        (saved.folder / FILE).write_bytes(content)


def test_a_checkpoint_of_other_shapes_is_refused(saved: Checkpoint) -> None:
    assert saved.load(SHAPES).keys() == SHAPES.keys()
    for shapes in ({"z": (8,), "done": ()}, {"z": (7,)}, {"y": (7,), "done": ()}):
        with pytest.raises(TrainingError, match="of the shapes expected"):
            saved.load(shapes)


def test_without_a_folder_nothing_is_saved() -> None:
    checkpoint = Checkpoint(None, "f" * 64)
    checkpoint.save(ARRAYS, last=True)
    assert checkpoint.load(SHAPES) == {}
    checkpoint.discard()


def test_an_unwritable_folder_is_refused_before_work(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    for folder in (tmp_path / "file", tmp_path / "file" / "run"):
        plug = Plug(0)
        with pytest.raises(StorageError, match="cannot write into") as caught:
            train(stripes(), overrides=METHODS["descent"], folder=folder, progress=plug)
        assert str(folder) in str(caught.value)
        assert not plug.seen


TRAINING = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
from test_training_checkpoint import LONG, stripes
from thermohw import train
from thermohw.training import checkpoint
checkpoint.INTERVAL = 0.0
train(stripes(), overrides=LONG, folder=sys.argv[2], progress=lambda done, total: print(done, flush=True))
"""
LONG: dict[str, Any] = {**METHODS["descent"], "trajectories": 1200, "duration": 0.5, "learning_rate": 1e-5}


def kill_after(folder: Path, seconds: float) -> None:
    """Train in a process of its own, and kill it some seconds after its first batch."""
    command = [sys.executable, "-c", TRAINING, str(Path(__file__).parent), str(folder)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) > 0
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.kill()
    assert process.returncode == -signal.SIGKILL


def test_a_killed_training_resumes_to_the_same_program(tmp_path: Path) -> None:
    reference = train(stripes(), overrides=LONG)
    moments = random.Random(5)
    for _ in range(2):
        kill_after(tmp_path, moments.uniform(0, 0.1))
        assert (tmp_path / FILE).exists()
        assert not (tmp_path / "program.npz").exists()
    plug = Plug()
    run = train(stripes(), overrides=LONG, folder=tmp_path, progress=plug)
    assert plug.seen[0][0] > 2 * 24  # each of the two processes saved at least one batch of 24
    assert_same_training(run, reference)
