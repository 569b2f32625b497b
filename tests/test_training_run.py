# SPDX-License-Identifier: Apache-2.0
"""Images in, trained program out: what a training gives, keeps in its folder, and generates."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from thermohw import Images, Program, RunPlan, SimulatedDevice, Topology, TrainingRun, datasets, train
from thermohw.errors import FileFormatError, StorageError, ThermoHWError, TrainingError
from thermohw.spectrum import mode_spectrum
from thermohw.storage import load_arrays, save_arrays
from thermohw.training import load_config, score
from thermohw.training.fidelity import correlations
from thermohw.training.run import MAX_REFERENCES
from thermohw.training.trained import REFERENCES_SCHEMA

SMALL = {"hidden": 32, "dt": 5e-3}
TINY = {"hidden": 5, "duration": 0.5, "dt": 5e-3}
ARRAYS = ("references", "reference_labels", "classes", "fields", "curve")
FILES = ("program.npz", "references.npz", "config.json", "metrics.json", "moments.npz")


@pytest.fixture(scope="module")
def small_images() -> Images:
    return Images(datasets.glyphs("012", size=8).pixels, np.array([4, 1, 7]), "small glyphs")


@pytest.fixture(scope="module")
def small(small_images: Images) -> TrainingRun:
    return train(small_images, overrides=SMALL)


@pytest.fixture(scope="module")
def tiny() -> TrainingRun:
    return train(patterns([3, 5]), overrides=TINY)


def patterns(labels: Sequence[int], seed: int = 1) -> Images:
    """Get noisy 4 × 4 images, one a label: each class has a half of the image dark."""
    rng = np.random.default_rng(seed)
    pixels = rng.uniform(0, 0.5, size=(len(labels), 4, 4))
    for image, label in zip(pixels, labels, strict=True):
        image[: 1 + label % 3] += 1
    return Images(pixels, np.array(labels), "patterns")


def generate(program: Program, samples: int = 100) -> NDArray[np.float32]:
    with SimulatedDevice(integrator="leimkuhler-matthews") as device:
        device.program(program)
        return device.run(RunPlan(2.5, samples, 2.5e-3, seed=1)).visible_states


def assert_same_run(first: TrainingRun, second: TrainingRun) -> None:
    assert first.program.digest == second.program.digest
    assert first.image_shape == second.image_shape
    for name in ARRAYS:
        mine, other = getattr(first, name), getattr(second, name)
        assert mine.dtype == other.dtype
        assert np.array_equal(mine, other)
    assert first.moments is not None
    assert second.moments is not None
    for name in ("mobility", "kT", "residual", "dt", "steps"):
        assert getattr(first.moments, name) == getattr(second.moments, name)
    mine, other = ({**vars(each), **vars(each.second)} for each in (first.moments, second.moments))
    for name in ("mean", "force", "D", "G", "H"):
        assert np.array_equal(mine[name], other[name])


# At the standard size


def test_the_default_training_grows_the_three_glyphs() -> None:
    images = datasets.glyphs("012")
    run = train(images)
    assert run.program.topology.visible == 784
    assert run.metrics["parameters"] == len(run.program.couplings) == 532_224
    assert run.metrics["growing_modes"] == mode_spectrum(run.program).growing == 3
    states = generate(run.program)
    fidelity = score(states, run.references, run.reference_labels)
    assert fidelity.recognised >= 0.95
    assert fidelity.entropy >= 0.8
    assert fidelity.upright >= 0.9
    # the same computer without its couplings recognises nothing
    uncoupled = replace(run.program, couplings=np.zeros_like(run.program.couplings))
    assert score(generate(uncoupled, 20), run.references, run.reference_labels).recognised == 0


# What a training gives


def test_a_run_describes_its_training(small: TrainingRun, small_images: Images) -> None:
    assert small.program.topology.pairs.tolist() == Topology.layered(64, 32).pairs.tolist()
    assert small.config == load_config("contrast", SMALL)
    assert (small.metrics["images"], small.metrics["source"]) == (3, "small glyphs")
    assert small.metrics["program"] == small.program.digest
    assert small.metrics["parameters"] == len(small.program.couplings)
    assert small.metrics["gain_per_time"] < 0
    assert small.metrics["relative_gradient"] < 1e-6
    assert small.metrics["growing_modes"] == 3
    assert small.metrics["leading_mode"] > small.metrics["growth_line"]
    assert small.image_shape == (8, 8)
    assert small.classes.tolist() == [1, 4, 7]
    assert np.array_equal(small.references, small_images.standardized())
    assert small.reference_labels.tolist() == [4, 1, 7]
    assert set(small.program.J2) == set(small.program.J4) == {10.0}
    json.dumps(small.metrics, allow_nan=False)


def test_class_fields_are_the_noising_fields(small: TrainingRun, small_images: Images) -> None:
    signs = np.where(small_images.standardized() > 0.5, 1.0, -1.0)
    codes = np.take(signs, 136 + np.arange(32), axis=1, mode="wrap")
    assert np.array_equal(small.fields, -20.0 * codes[[1, 0, 2]])
    held = np.concatenate([np.zeros(64), 0.025 * small.fields.mean(axis=0)])
    np.testing.assert_allclose(small.program.biases, held, rtol=0, atol=1e-15)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"method": "descent", "statistics": "expected"},
        {"method": "descent", "statistics": "sampled", "trajectories": 48},
        {"statistics": "sampled", "trajectories": 600},
        {"hidden_code": "random", "hidden_biases": True},
    ],
)
def test_training_is_deterministic(settings: dict[str, Any]) -> None:
    first, second = (train(patterns([3, 5]), overrides={**TINY, **settings}) for _ in range(2))
    assert_same_run(first, second)
    sampled = settings.get("statistics") == "sampled" or "hidden_code" in settings
    other_seed = train(patterns([3, 5]), overrides={**TINY, **settings, "seed": 2})
    assert (other_seed.program.digest != first.program.digest) == sampled
    assert train(patterns([3, 5], 2), overrides={**TINY, **settings}).program.digest != first.program.digest


def test_few_images_are_references_themselves() -> None:
    images = patterns([5, 3, 5, 3, 3])
    run = train(images, overrides=TINY)
    assert np.array_equal(run.references, images.standardized())
    assert run.reference_labels.tolist() == [5, 3, 5, 3, 3]
    assert run.classes.tolist() == [3, 5]
    codes = np.where(images.standardized() > 0.5, 1.0, -1.0)[:, (136 + np.arange(5)) % 16]
    expected = np.stack([-20 * codes[[1, 3, 4]].mean(axis=0), -20 * codes[[0, 2]].mean(axis=0)])
    np.testing.assert_allclose(run.fields, expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("count", [MAX_REFERENCES, MAX_REFERENCES + 1])
def test_many_images_are_represented_by_the_means_of_their_classes(count: int) -> None:
    labels = np.resize([9, 2, 4, 2], count)
    images = patterns(labels.tolist())
    run = train(images, overrides=TINY)
    assert run.metrics["images"] == count
    if count <= MAX_REFERENCES:
        assert np.array_equal(run.references, images.standardized())
        return
    assert run.reference_labels.tolist() == run.classes.tolist() == [2, 4, 9]
    means = [images.standardized()[labels == label].mean(axis=0) for label in (2, 4, 9)]
    np.testing.assert_allclose(run.references, means, rtol=0, atol=1e-12)


# Class on demand


def test_class_on_demand_holds_the_class_field_on_hidden_units(small: TrainingRun) -> None:
    for index, label in enumerate((1, 4, 7)):
        program = small.program_for(label, 0.3)
        assert np.array_equal(program.biases[:64], small.program.biases[:64])
        assert np.array_equal(program.biases[64:], 0.3 * small.fields[index])
        for name in ("J2", "J4", "couplings"):
            assert np.array_equal(getattr(program, name), getattr(small.program, name))
        assert small.program_for(label).digest == small.program_for(label, 0.2).digest != program.digest
    assert not small.program_for(1, 0.0).biases.any()


def test_class_on_demand_generates_the_class(small: TrainingRun) -> None:
    free = correlations(generate(small.program_for(1, 0.0)), small.references).mean(axis=0)
    assert np.abs(free).max() < 0.3  # as many inverted as upright
    for row, label in enumerate(small.reference_labels.tolist()):
        asked = correlations(generate(small.program_for(label)), small.references).mean(axis=0)
        others = np.delete(asked, row)
        assert asked[row] > 0.7
        assert asked[row] > others.max() + 0.05
        assert asked[row] > free[row] + 0.5
        # the opposite field gives the opposite pattern
        opposite = correlations(generate(small.program_for(label, -0.2)), small.references).mean(axis=0)
        assert opposite[row] < -0.7


def test_what_cannot_be_asked_for_is_refused(small: TrainingRun) -> None:
    for label in (0, 2, -1, 8):
        with pytest.raises(TrainingError, match=rf"class {label} was not trained; there are 1, 4, 7"):
            small.program_for(label)
    visible = replace(
        small, program=Program.uncoupled(Topology.from_pairs(64, 0, [(0, 1)])), fields=small.fields[:, :0]
    )
    with pytest.raises(TrainingError, match="needs hidden units"):
        visible.program_for(4)


# The folder


@pytest.mark.parametrize("settings", [{}, {"method": "descent", "statistics": "sampled", "trajectories": 30}])
def test_a_run_comes_back_exactly(tmp_path: Path, settings: dict[str, Any]) -> None:
    run = train(patterns([3, 5]), overrides={**TINY, **settings, "amplitude": 1 / 3})
    again = TrainingRun.load(run.save(tmp_path / "deep" / "run"))
    assert_same_run(again, run)
    assert again.config == run.config
    assert again.metrics == run.metrics
    assert again.program_for(5).digest == run.program_for(5).digest
    assert {path.name for path in (tmp_path / "deep" / "run").iterdir()} == set(FILES)


def test_training_writes_the_run_that_it_returns(tmp_path: Path) -> None:
    run = train(patterns([3, 5]), overrides=TINY, folder=tmp_path / "run")
    again = TrainingRun.load(tmp_path / "run")
    assert_same_run(again, run)
    assert (again.config, again.metrics) == (run.config, run.metrics)


@pytest.mark.parametrize("name", FILES)
def test_a_missing_or_cut_file_is_refused_by_name(tiny: TrainingRun, tmp_path: Path, name: str) -> None:
    content = (tiny.save(tmp_path) / name).read_bytes()
    for length in (0, 1, len(content) // 2, len(content) - 2):
        (tmp_path / name).write_bytes(content[:length])
        with pytest.raises(FileFormatError, match=name):
            TrainingRun.load(tmp_path)
    (tmp_path / name).unlink()
    if name == "moments.npz":  # a folder of an earlier version
        assert TrainingRun.load(tmp_path).moments is None
        return
    with pytest.raises(StorageError, match=name):
        TrainingRun.load(tmp_path)


@pytest.mark.parametrize("name", FILES)
def test_files_of_two_trainings_do_not_pass_for_one(tiny: TrainingRun, tmp_path: Path, name: str) -> None:
    other = train(patterns([3, 5]), overrides={**TINY, "amplitude": 10.0}).save(tmp_path / "other")
    folder = tiny.save(tmp_path / "run")
    (folder / name).write_bytes((other / name).read_bytes())
    if name == "config.json":  # it is for people to read, and carries no digest
        assert TrainingRun.load(folder).program.digest == tiny.program.digest
    else:
        with pytest.raises(FileFormatError, match="belongs to another program"):
            TrainingRun.load(folder)


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("config.json", "[]", "must be a JSON object"),
        ("metrics.json", "3", "must be a JSON object"),
        ("metrics.json", "{}", "belongs to another program"),
        ("config.json", '{"amplitude": 20, "amplitude": 30}', "twice"),
        ("config.json", '{"amplitud": 20}', "amplitud: "),
        ("config.json", '{"amplitude": NaN}', "amplitude: "),
        ("config.json", '{"hidden": -1}', "hidden: "),
    ],
)
def test_an_edited_text_file_is_refused(tiny: TrainingRun, tmp_path: Path, name: str, content: str, words: str) -> None:
    (tiny.save(tmp_path) / name).write_text(content)
    with pytest.raises(FileFormatError, match=words) as caught:
        TrainingRun.load(tmp_path)
    assert name in str(caught.value)


@pytest.mark.parametrize(
    "changed",
    [
        {"references": np.zeros((2, 15))},
        {"references": np.zeros(16)},
        {"reference_labels": np.arange(3)},
        {"classes": np.arange(3)},
        {"fields": np.zeros((2, 4))},
        {"fields": np.zeros(5)},
        {"curve": np.zeros(3)},
        {"image_shape": np.array([4, 5])},
        {"image_shape": np.array([16])},
        {"image_shape": np.array(16)},
        {"program": np.array("0" * 64)},
    ],
)
def test_references_that_do_not_fit_the_program_are_refused(
    tiny: TrainingRun, tmp_path: Path, changed: dict[str, NDArray[Any]]
) -> None:
    file = tiny.save(tmp_path) / "references.npz"
    arrays = load_arrays(file, REFERENCES_SCHEMA)
    save_arrays(file, REFERENCES_SCHEMA, {**arrays, **changed})
    with pytest.raises(FileFormatError, match=r"references\.npz"):
        TrainingRun.load(tmp_path)
    save_arrays(file, REFERENCES_SCHEMA, {name: array for name, array in arrays.items() if name not in changed})
    with pytest.raises(FileFormatError, match="arrays missing"):
        TrainingRun.load(tmp_path)


@pytest.fixture(scope="module")
def tiny_folder(tiny: TrainingRun, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.save(tmp_path_factory.mktemp("tiny"))


@given(name=st.sampled_from(FILES), position=st.integers(0, 10**6), value=st.integers(1, 255))
@example(name="config.json", position=0, value=255)
def test_a_damaged_byte_never_gives_another_program(
    tiny: TrainingRun, tiny_folder: Path, name: str, position: int, value: int
) -> None:
    content = (tiny_folder / name).read_bytes()
    damaged = bytearray(content)
    damaged[position % len(content)] ^= value
    (tiny_folder / name).write_bytes(damaged)
    try:
        loaded = TrainingRun.load(tiny_folder)
    except ThermoHWError as error:
        assert name in str(error)
    else:  # a zip's own dates, or a figure in a JSON file, which is for people to read
        assert_same_run(loaded, tiny)
        assert (loaded.config == tiny.config and loaded.metrics == tiny.metrics) or name.endswith(".json")
    finally:
        (tiny_folder / name).write_bytes(content)
