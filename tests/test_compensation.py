# SPDX-License-Identifier: Apache-2.0
"""Compensation: exact for known deviations, cautious with uncertain ones."""

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from thermohw import Program, Topology
from thermohw.errors import CalibrationError
from thermohw.estimation import Estimates
from thermohw.estimation.compensation import Deviations, compensate
from thermohw.estimation.shrinkage import shrunk, towards

Floats = NDArray[np.float64]

NETWORK = Topology.layered(3, 2)
PAIRS, UNITS, GROUPS = len(NETWORK.pairs), NETWORK.units, 20
RNG = np.random.default_rng(1)
PROGRAM = Program(NETWORK, np.full(UNITS, 2.0), np.full(UNITS, 1.5), RNG.normal(size=UNITS), RNG.normal(size=PAIRS))


def estimates(values: dict[str, Floats], errors: float, method: str = "trajectories") -> Estimates:
    """Build estimates with equal standard errors, relative to what is programmed (absolute for biases)."""
    replicates: dict[str, Floats] = {}
    wave = np.tile([1.0, -1.0], GROUPS // 2)  # of jackknife variance GROUPS − 1
    for name, value in values.items():
        size = errors * (np.ones(value.shape) if name == "biases" else np.abs(value))
        replicates[name] = value + wave.reshape(-1, *[1] * value.ndim) * size / np.sqrt(GROUPS - 1)
    return Estimates(method, NETWORK, values, replicates, {})  # type: ignore[arg-type]


def as_built(gains: Floats, offsets: Floats, f2: Floats, f4: Floats, heating: float) -> dict[str, Floats]:
    return {
        "J2": f2 * PROGRAM.J2,
        "J4": f4 * PROGRAM.J4,
        "biases": PROGRAM.biases + offsets,
        "couplings": gains * PROGRAM.couplings,
        "kT": np.full(UNITS, heating),
    }


GAINS, OFFSETS = 1 + 0.1 * RNG.normal(size=PAIRS), 0.3 * RNG.normal(size=UNITS)
F2, F4 = 1 + 0.05 * RNG.normal(size=UNITS), 1 + 0.05 * RNG.normal(size=UNITS)


def test_known_deviations_are_made_up_for_exactly() -> None:
    found = Deviations.of(estimates(as_built(GAINS, OFFSETS, F2, F4, 1.1), 1e-9), PROGRAM)
    programmed = compensate(PROGRAM, found)
    np.testing.assert_allclose(GAINS * programmed.couplings, 1.1 * PROGRAM.couplings, rtol=1e-6)
    np.testing.assert_allclose(programmed.biases + OFFSETS, 1.1 * PROGRAM.biases, atol=1e-6)
    np.testing.assert_allclose(F2 * programmed.J2, 1.1 * PROGRAM.J2, rtol=1e-6)
    np.testing.assert_allclose(F4 * programmed.J4, 1.1 * PROGRAM.J4, rtol=1e-6)
    fixed = compensate(PROGRAM, found, onsite=False)
    assert np.array_equal(fixed.J2, PROGRAM.J2) and np.array_equal(fixed.J4, PROGRAM.J4)
    assert np.array_equal(fixed.couplings, programmed.couplings)


def test_what_is_mostly_error_is_shrunk_to_what_all_share() -> None:
    noisy = Deviations.of(estimates(as_built(GAINS + 0.2, OFFSETS, F2, F4, 1.0), 0.5), PROGRAM)
    assert np.ptp(noisy.gains) < 1e-9  # the scatter of 0.1 is less than the errors of 0.5 explain
    assert noisy.gains.mean() == pytest.approx(1.2, abs=0.1)  # the common part stays
    between = Deviations.of(estimates(as_built(GAINS, OFFSETS, F2, F4, 1.0), 0.03), PROGRAM)
    kept = (between.gains - between.gains.mean()) @ (GAINS - GAINS.mean()) / ((GAINS - GAINS.mean()) ** 2).sum()
    assert 0.4 < kept < 0.95


@pytest.mark.parametrize("error", [1e-3, 0.5, 5.0])
def test_what_is_hardly_known_is_left_as_the_spec_says(error: float) -> None:
    """All are 40 % off: of that counts the share 0.3²/(0.3² + s.e.²) with the error of the mean."""
    values, errors = np.full(9, 1.4), np.full(9, 3 * error)
    found = shrunk(values, errors)
    np.testing.assert_allclose(found, 1 + 0.4 * 0.09 / (0.09 + error**2))
    assert towards(1.0, 1.4, error) == pytest.approx(found[0])
    np.testing.assert_allclose(shrunk(values, errors, 1.4), 1.4)  # the spec says so too


def test_scatter_is_kept_as_far_as_it_is_known_and_plausible() -> None:
    values = np.array([-3.0, 0.0, 1.0, 2.0, 5.0])
    sure, unsure = shrunk(values, np.full(5, 1e-3)), shrunk(values, np.full(5, 1.0))
    np.testing.assert_allclose(sure, values, atol=1e-3)
    np.testing.assert_allclose(unsure - unsure.mean(), (values - 1) * 0.09 / 1.09)  # 0.3 of scatter, errors of 1
    wide = shrunk(values, np.full(5, 1.0), width=100.0)
    assert np.ptp(wide) > 0.8 * np.ptp(values)
    partly = shrunk(np.append(values, np.nan), np.full(6, 1e-3))
    assert partly[-1] == pytest.approx(1.0, abs=1e-3)  # what is not known is as the mean
    np.testing.assert_array_equal(shrunk(np.full(3, np.nan), np.ones(3), 2.0), 2.0)


def test_an_ideal_device_that_was_hardly_read_is_left_alone() -> None:
    """Lines that tell nothing, of gains of −2 and 4: of an ideal device, by chance."""
    values = {**as_built(GAINS, OFFSETS, F2, F4, 1.0), "gains": np.tile([-2.0, 4.0], (UNITS, 1))}
    values["gains"][:3, 0] = np.nan
    found = estimates(values, 3.0, "lines")
    assert np.abs(Deviations.of(found, PROGRAM).gains - 1).max() < 0.2


def test_lines_give_the_gains_of_their_pairs() -> None:
    line = 1 + 0.1 * RNG.normal(size=UNITS)
    i, j = NETWORK.pairs.T
    gains = line[i] * line[j]
    visible, hidden = line[:3].mean(), line[3:].mean()
    rows = line[:, None] * np.array([visible, hidden])
    rows[:3, 0] = np.nan
    values = as_built(gains, OFFSETS, F2, F4, 1.0) | {"gains": rows}
    del values["couplings"]
    found = Deviations.of(estimates(values, 1e-9, "lines"), PROGRAM).gains
    crossing = (i < 3) & (j >= 3)
    np.testing.assert_allclose(found[crossing], gains[crossing], rtol=1e-6)
    np.testing.assert_allclose(found[~crossing], gains[~crossing], rtol=1e-6)


def test_the_end_that_knows_a_gain_better_decides_what_all_share() -> None:
    rows = np.array([[np.nan, 1.0]] * 3 + [[1.3, 1.0]] * 2)
    values = as_built(np.ones(PAIRS), OFFSETS, F2, F4, 1.0) | {"gains": rows}
    del values["couplings"]
    known = estimates(values, 1e-3, "lines")
    wave = np.tile([1.0, -1.0], GROUPS // 2)[:, None] * 0.5 / np.sqrt(GROUPS - 1)
    replicates = dict(known.replicates)
    replicates["gains"] = replicates["gains"].copy()
    replicates["gains"][:, 3:, 0] = rows[3:, 0] + wave
    found = Deviations.of(replace(known, replicates=replicates), PROGRAM).gains
    crossing = (NETWORK.pairs[:, 0] < 3) & (NETWORK.pairs[:, 1] >= 3)
    np.testing.assert_allclose(found[crossing], 1.0, atol=1e-3)


def test_pairs_that_are_programmed_as_zero_get_the_common_gain() -> None:
    couplings = PROGRAM.couplings.copy()
    couplings[0] = 0
    program = replace(PROGRAM, couplings=couplings)
    values = as_built(np.full(PAIRS, 1.3), OFFSETS, F2, F4, 1.0) | {"couplings": 1.3 * couplings}
    gain = Deviations.of(estimates(values, 1e-3), program).gains[0]
    assert gain == pytest.approx(1.3)


def test_what_cannot_be_mended_is_told() -> None:
    stuck = GAINS.copy()
    stuck[2] = 0.0
    values = as_built(stuck, OFFSETS, F2, F4, 1.0)
    known = Deviations(stuck, OFFSETS, F2, F4, 1.0)
    pair = tuple(NETWORK.pairs[2].tolist())
    with pytest.raises(
        CalibrationError, match=f"1 couplings do not follow .* at {pair}".replace("(", r"\(").replace(")", r"\)")
    ):
        compensate(PROGRAM, known)
    with pytest.raises(CalibrationError, match="another topology"):
        Deviations.of(estimates(values, 0.1), Program.uncoupled(Topology.complete(UNITS)))
    with pytest.raises(CalibrationError, match="no temperature"):
        Deviations.of(estimates(values | {"kT": np.full(UNITS, np.nan)}, 0.1), PROGRAM)


@pytest.mark.parametrize("heating", [-1.0, 0.1, 10.0])
def test_temperatures_that_no_device_has_are_refused(heating: float) -> None:
    values = as_built(GAINS, OFFSETS, F2, F4, heating)
    with pytest.raises(CalibrationError, match=f"kT is {heating:.2g} times the stated one"):
        Deviations.of(estimates(values, 1e-3), PROGRAM)


def test_onsite_energies_of_the_wrong_sign_are_refused() -> None:
    deviations = Deviations.of(estimates(as_built(GAINS, OFFSETS, F2, F4, 1.0), 1e-9), PROGRAM)
    wrong = replace(deviations, J2=np.where(np.arange(UNITS) == 2, -0.2, deviations.J2))
    with pytest.raises(CalibrationError, match=r"J2 of unit 2 is estimated at -0\.2 times"):
        compensate(PROGRAM, wrong)
    compensate(PROGRAM, wrong, onsite=False)
