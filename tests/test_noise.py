# SPDX-License-Identifier: Apache-2.0
"""The noise: Philox's published answers, compiled code against its definition, the normal law, independence."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from laws import kolmogorov_smirnov
from numpy.typing import NDArray
from scipy import stats

from thermohw.langevin.noise import DYNAMICS, INITIAL, choose_seed, normals, uniforms, words
from thermohw.langevin.noise_kernel import fill_noise
from thermohw.testing import assert_mean

ONES = 0xFFFFFFFF
Precision = type[np.float32] | type[np.float64]

# The known answers of the authors' own implementation (Random123, kat_vectors): counter, key and words.
KNOWN_ANSWERS = [
    ((0, 0, 0, 0), (0, 0), (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
    ((ONES, ONES, ONES, ONES), (ONES, ONES), (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    (
        (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
        (0xA4093822, 0x299F31D0),
        (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
    ),
]


@pytest.mark.parametrize(("counter", "key", "answer"), KNOWN_ANSWERS)
def test_philox_gives_the_published_words(
    counter: tuple[int, int, int, int], key: tuple[int, int], answer: tuple[int, ...]
) -> None:
    group, step, chain, stream = counter
    assert tuple(words(key[0] | key[1] << 32, chain, step, group, stream).tolist()) == answer


def compiled_normals(seed: int, first_chain: int, chains: int, step: int, units: int, dtype: Precision) -> NDArray[Any]:
    noise: NDArray[Any] = np.empty((chains, units), dtype)
    fill_noise(noise, step, first_chain, (np.uint32(seed & ONES), np.uint32(seed >> 32)))
    return noise


@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-14), (np.float32, 8e-7)])
@pytest.mark.parametrize(
    ("seed", "chain", "step"), [(0, 0, 0), (7, 3, 12), (2**64 - 1, 2**32 - 9, 2**32 - 1), (2**40 + 5, 2**31, 2**31 - 1)]
)
@pytest.mark.parametrize("units", [1, 3, 4, 9, 257])
def test_compiled_noise_is_the_definition(
    dtype: Precision, tolerance: float, seed: int, chain: int, step: int, units: int
) -> None:
    expected = normals(seed, chain + np.arange(8), step, units)
    found = compiled_normals(seed, chain, 8, step, units, dtype)
    np.testing.assert_allclose(found, expected, rtol=tolerance, atol=tolerance)


def test_compiled_noise_in_single_precision_is_sound_in_the_tails() -> None:
    double = compiled_normals(11, 0, 500, 4, 4000, np.float64)
    single = compiled_normals(11, 0, 500, 4, 4000, np.float32)
    assert np.abs(double).max() > 4.9
    np.testing.assert_allclose(single, double, rtol=1e-6, atol=2e-6)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_normals_have_the_moments_of_the_normal_law(dtype: Precision) -> None:
    x = compiled_normals(5, 0, 400, 9, 5000, dtype).ravel().astype(np.float64)
    assert_mean(np.stack([x, x**2, x**3, x**4, x**6], axis=1), [0, 1, 0, 3, 15])
    with pytest.raises(AssertionError):
        assert_mean((1.005 * x) ** 2, 1)


def test_normals_pass_kolmogorov_and_smirnov_and_a_false_law_does_not() -> None:
    x = normals(6, np.arange(1000), 3, 1000).ravel()
    assert kolmogorov_smirnov(x, stats.norm.cdf) > 1e-3
    assert kolmogorov_smirnov(1.01 * x, stats.norm.cdf) < 1e-3
    assert kolmogorov_smirnov(x + 0.005, stats.norm.cdf) < 1e-3


def test_uniforms_are_uniform_and_never_zero_or_one() -> None:
    u = uniforms(6, np.arange(1000), 3, 1000).ravel()
    assert 0 < u.min() and u.max() < 1
    assert kolmogorov_smirnov(u, stats.uniform.cdf) > 1e-3
    assert kolmogorov_smirnov(u**1.005, stats.uniform.cdf) < 1e-3


CHAINS = np.arange(2000)
NEIGHBOURS: dict[str, Callable[[], NDArray[np.float64]]] = {
    "chain": lambda: normals(1, CHAINS + 1, 50, 400),
    "far chain": lambda: normals(1, CHAINS + 2**31, 50, 400),
    "step": lambda: normals(1, CHAINS, 51, 400),
    "unit": lambda: np.roll(normals(1, CHAINS, 50, 400), 1, axis=1),
    "group": lambda: np.roll(normals(1, CHAINS, 50, 400), 4, axis=1),
    "stream": lambda: normals(1, CHAINS, 50, 400, INITIAL),
    "seed": lambda: normals(2, CHAINS, 50, 400),
    "upper half of the seed": lambda: normals(1 + 2**32, CHAINS, 50, 400),
}


def dependence(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Products whose means vanish for independent standard normal numbers, (numbers, 4)."""
    x, y = x.ravel(), y.ravel()
    return np.stack([x * y, (x**2 - 1) * (y**2 - 1), x * (y**2 - 1), (x**2 - 1) * y], axis=1)


@pytest.mark.parametrize("what", NEIGHBOURS)
def test_noise_is_independent_of_its_neighbours(what: str) -> None:
    x, y = normals(1, CHAINS, 50, 400, DYNAMICS), NEIGHBOURS[what]()
    assert_mean(dependence(x, y), 0)
    with pytest.raises(AssertionError):
        assert_mean(dependence(x, y + 0.01 * x), 0)


def test_a_number_depends_on_nothing_but_its_place() -> None:
    whole = normals(3, np.arange(10), 2, 30)
    assert np.array_equal(whole[[7, 2], :5], normals(3, [7, 2], 2, 5))
    assert len(np.unique(whole)) == whole.size


def test_chosen_seeds_differ_and_fit() -> None:
    seeds = {choose_seed() for _ in range(20)}
    assert len(seeds) == 20
    assert all(0 <= seed < 2**63 for seed in seeds)
