# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Overdamped Langevin steps for sparse couplings and for small computers: chains are the lanes of the vector unit.

States lie as (units, lanes), so that the loop over the lanes is the innermost one and needs no gather. Where there
are too few chains to fill the vector unit, noise is made along the units instead.
"""

from typing import Any

import numpy as np

from thermohw.langevin.jit import compiled, inlined
from thermohw.langevin.noise_kernel import box_muller, fill_words, row_of_normals
from thermohw.langevin.schedule_kernel import biases_at
from thermohw.langevin.sine_kernel import sine_of_lanes

FEW_LANES = 8


@inlined
def lanes_of_normals(words, parts, work, group, step, chain, k0, k1):
    """Fill parts (4, lanes) with the noise of units 4·group … 4·group + 3 of neighbouring chains at one step."""
    fill_words(words[0], words[1], words[2], words[3], group, 0, chain, 1, step, 0, k0, k1)
    box_muller(words[0], words[1], work, parts[0], parts[1])
    box_muller(words[2], words[3], work, parts[2], parts[3])


@inlined
def step_noise(noise, step, chain, k0, k1):
    """Fill noise (4 · groups, lanes) of one step."""
    rows, lanes = noise.shape
    if lanes < FEW_LANES:
        words, parts = np.empty((4, rows // 4), np.uint32), np.empty((4, rows // 4), noise.dtype)
        work, row = np.empty(rows // 4, noise.dtype), np.empty(rows, noise.dtype)
        for lane in range(lanes):
            row_of_normals(words, parts, work, step, chain + lane, k0, k1, row)
            noise[:, lane] = row
    else:
        words, work = np.empty((4, lanes), np.uint32), np.empty(lanes, noise.dtype)
        for group in range(rows // 4):
            lanes_of_normals(words, noise[4 * group : 4 * group + 4], work, group, step, chain, k0, k1)


@inlined
def update_lanes(x, linear, cubic, push, force, amplitude, noise, total):
    """Take one step of one unit (lanes,) in place; adds x² to total (lanes,)."""
    for lane in range(x.size):
        q = x[lane]
        q = q - ((linear + cubic * q * q) * q + push + force[lane]) + amplitude * noise[lane]
        x[lane] = q
        total[lane] += q * q


@inlined
def fields(x, starts, columns, values, out):
    """Out = K x for K in compressed sparse rows and x (units, lanes)."""
    for unit in range(x.shape[0]):
        for lane in range(x.shape[1]):
            out[unit, lane] = 0
        for entry in range(starts[unit], starts[unit + 1]):
            value, other = values[entry], columns[entry]
            for lane in range(x.shape[1]):
                out[unit, lane] += value * x[other, lane]


@compiled
def advance_sparse(
    x: Any, matrix: Any, linear: Any, cubic: Any, sines: Any, scale: Any, amplitude: Any, knot_steps: Any,
    knot_biases: Any, limit: Any, previous: Any, key: Any, first: Any, steps: int, work: Any, record: Any,
) -> int:  # fmt: skip
    """Advance x (chains, units) by `steps`; see `advance_dense`. matrix: (starts, columns, values) of K · μΔt."""
    starts, columns, values = matrix
    lanes, units = x.shape
    xt = np.ascontiguousarray(x.T)
    force = np.empty((units, lanes), x.dtype)
    total = np.empty(lanes, x.dtype)
    noise = np.empty((4 * ((units + 3) // 4), lanes), x.dtype)
    before = np.ascontiguousarray(previous.T)
    smooth = previous.shape[0] > 0
    wavenumber, strength = sines
    bias, following = np.empty(units), np.empty(units)
    biases_at(first[1], knot_steps, knot_biases, bias)
    changing = knot_steps.size > 1
    spacing = steps // record.shape[0] if record.shape[0] else steps + 1
    half = x.dtype.type(0.5)
    for k in range(steps):
        step = first[1] + k
        fields(xt, starts, columns, values, force)
        total[:] = 0
        step_noise(noise, step + smooth, first[0], key[0], key[1])
        if smooth:
            for u in range(units):
                for lane in range(lanes):
                    fresh = noise[u, lane]
                    noise[u, lane] = half * (fresh + before[u, lane])
                    before[u, lane] = fresh
        for u in range(units):
            push = x.dtype.type(scale[u] * bias[u])
            if wavenumber.size:
                sine_of_lanes(xt[u], wavenumber[u], strength[u], force[u])
            update_lanes(xt[u], linear[u], cubic[u], push, force[u], amplitude[u], noise[u], total)
        for lane in range(lanes):
            if not total[lane] < limit:
                x[:] = xt.T
                return step
        if changing:
            biases_at(step + 1, knot_steps, knot_biases, following)
            for u in range(units):
                for lane in range(lanes):
                    work[lane] += (following[u] - bias[u]) * xt[u, lane]
            bias[:] = following
        if (k + 1) % spacing == 0:
            record[(k + 1) // spacing - 1] = xt.T
    x[:] = xt.T
    return -1
