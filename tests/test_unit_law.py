# SPDX-License-Identifier: Apache-2.0
"""Hardware in the loop: the law of a device's units, measured on the noising that it is trained with."""

import numpy as np
import pytest
from numpy.typing import NDArray
from training_examples import SMALL, patterns, small_protocol

from thermohw import SimulatedDevice
from thermohw.errors import TrainingError
from thermohw.nonideal import BiasOffset, NonidealDevice, OnsiteMismatch
from thermohw.path import PathStatistics
from thermohw.training.run import train
from thermohw.training.unit_law import UnitLaw, measure_unit_law

Floats = NDArray[np.float64]
EFFECTS = [OnsiteMismatch(J2_std=0.2, J4_std=0.2), BiasOffset(std=3.0)]
SAMPLED = {**SMALL, "statistics": "sampled", "trajectories": 192, "ridge": 0.1}


def uneven(kT: float = 1.0) -> NonidealDevice:
    return NonidealDevice(SimulatedDevice(kT=kT), EFFECTS, device_seed=5)


@pytest.mark.parametrize("kT", [1.0, 2.5])
def test_the_law_of_each_unit_is_found(kT: float) -> None:
    protocol = small_protocol({"duration": 1.0})
    with uneven(kT) as device:
        law = measure_unit_law(protocol, device, seed=1)
        built = device.as_built
    assert built is not None
    truth = np.stack([built.J2, built.J4, built.biases])
    found = np.stack([law.J2, law.J4, law.offset])
    deviations = (found - truth) / law.standard_errors
    assert np.abs(deviations).max() < 4.5  # of 66 numbers
    assert 0.7 < deviations.std() < 1.3
    nominal = np.stack([np.full(22, 10.0 * kT), np.full(22, 10.0 * kT), np.zeros(22)])
    assert np.abs((found - nominal) / law.standard_errors).max() > 10


def test_offsets_enter_the_residuals_of_reversed_paths() -> None:
    path = np.random.default_rng(2).normal(size=(30, 5, 3))
    J2, J4, offset = np.full(3, 2.0), np.full(3, 1.0), np.array([0.5, -1.0, 2.0])
    plain = PathStatistics(J2, J4, "reverse", 1.3, 0.7)
    plain.add_steps(path, 0.01)
    before, after = path[:-1].reshape(-1, 3), path[1:].reshape(-1, 3)
    r = before - after + 1.3 * 0.01 * ((4 * J4 * after**2 + 2 * J2) * after + offset)
    UnitLaw(J2, J4, offset, np.zeros((3, 3))).account_for_offsets(plain)
    np.testing.assert_allclose(plain.q, r.sum(axis=0))
    np.testing.assert_allclose(plain.C, r.T @ after)
    assert plain.w == pytest.approx(float((r**2).sum()))


def test_training_on_the_device_takes_its_offsets_off() -> None:
    images = patterns()
    with uneven() as device:
        aware = train(images, "contrast", overrides={**SAMPLED, "unit_law": "measured"}, device=device)
        device.program(aware.program)
        built = device.as_built
    with uneven() as device:
        plain = train(images, "contrast", overrides=SAMPLED, device=device)
    assert built is not None
    held = aware.config.upright * aware.fields.mean(axis=0)
    left = built.biases[built.visible :] - held
    assert np.abs(left).max() < 1.5 < 3 < np.abs(built.biases - aware.program.biases).max()
    assert not np.allclose(aware.program.couplings, plain.program.couplings, rtol=0.05)


@pytest.mark.parametrize("overrides", [{"unit_law": "measured"}, {}])
def test_a_device_without_part_in_the_training_is_refused(overrides: dict[str, str]) -> None:
    device = SimulatedDevice() if not overrides else None
    with pytest.raises(TrainingError, match="statistics=sampled"):
        train(patterns(), "contrast", overrides={**SMALL, **overrides}, device=device)
