# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Overdamped Langevin steps for sparse couplings and for small computers: chains are the lanes of the vector unit.

States lie as (units, lanes), so that the loop over the lanes is the innermost one and needs no gather. Where there
are too few chains to fill the vector unit, noise is made along the units instead.
"""

from typing import Any

import numpy as np

from thermohw.langevin.imperfect_kernel import (
    add_drive,
    filter_lanes,
    heat_of_lanes,
    reflect_lanes,
    renewed,
    sum_of_processes,
)
from thermohw.langevin.jit import compiled, inlined
from thermohw.langevin.noise import DYNAMICS, FLICKER
from thermohw.langevin.noise_kernel import box_muller, fill_words, row_of_normals
from thermohw.langevin.schedule_kernel import biases_at
from thermohw.langevin.sine_kernel import sine_of_lanes

FEW_LANES = 8


@inlined
def lanes_of_normals(words, parts, work, group, step, chain, stream, k0, k1):
    """Fill parts (4, lanes) with the noise of units 4·group … 4·group + 3 of neighbouring chains at one step."""
    fill_words(words[0], words[1], words[2], words[3], group, 0, chain, 1, step, stream, k0, k1)
    box_muller(words[0], words[1], work, parts[0], parts[1])
    box_muller(words[2], words[3], work, parts[2], parts[3])


@inlined
def step_noise(noise, step, chain, stream, k0, k1):
    """Fill noise (4 · groups, lanes) of one step."""
    rows, lanes = noise.shape
    if lanes < FEW_LANES:
        words, parts = np.empty((4, rows // 4), np.uint32), np.empty((4, rows // 4), noise.dtype)
        work, row = np.empty(rows // 4, noise.dtype), np.empty(rows, noise.dtype)
        for lane in range(lanes):
            row_of_normals(words, parts, work, step, chain + lane, stream, k0, k1, row)
            noise[:, lane] = row
    else:
        words, work = np.empty((4, lanes), np.uint32), np.empty(lanes, noise.dtype)
        for group in range(rows // 4):
            lanes_of_normals(words, noise[4 * group : 4 * group + 4], work, group, step, chain, stream, k0, k1)


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


@inlined
def lanes_of_noise(noise, step, number, first_chain, key, imperfect, memory):
    """Fill noise (4 · groups, lanes) with white numbers; before, renew flicker noise. Memory has the chains last."""
    holds, decay, kick = imperfect[2]
    flicker, drive = memory[1], memory[2]
    due = holds.size if holds.size and step % holds[0] == 0 else 0
    for process in range(due + 1):  # one place that makes numbers: it is inlined, and long
        stream, drawn = DYNAMICS, number
        if process < due:
            if step % holds[process]:
                continue
            stream, drawn = FLICKER + process, step // holds[process] + 1
        step_noise(noise, drawn, first_chain, stream, key[0], key[1])
        if process < due:
            for unit in range(drive.shape[0]):
                renewed(flicker[process, unit], decay[process], kick[process], noise[unit])
    if due:
        for unit in range(drive.shape[0]):
            sum_of_processes(flicker, unit, drive[unit])


@inlined
def colour_lanes(noise, fresh, memory):
    """Make noise numbers (units, lanes) coloured, and add flicker noise; memory has the chains last."""
    coloured, drive = memory[0], memory[2]
    for unit in range(fresh.size):
        filter_lanes(noise[unit], fresh[unit], coloured[unit])
    if drive.shape[1]:
        for unit in range(drive.shape[0]):
            add_drive(noise[unit], drive[unit])


@inlined
def average_lanes(noise, before):
    """Replace noise by (before + noise)/2 and keep it as before; see `average_noise`."""
    half = noise.dtype.type(0.5)
    for u in range(before.shape[0]):
        for lane in range(before.shape[1]):
            fresh = noise[u, lane]
            noise[u, lane] = half * (fresh + before[u, lane])
            before[u, lane] = fresh


@inlined
def last_heat_of_lanes(x, before, matrix, force, weights, flow):
    """Add what the couplings at the end of the last step contribute to the heat."""
    fields(x, matrix[0], matrix[1], matrix[2], force)
    none = x.dtype.type(0)
    for u in range(x.shape[0]):
        heat_of_lanes(x[u], x[u], before[u], none, force[u], weights[0][u], weights[1][u], flow)


@compiled
def advance_sparse(
    x: Any, matrix: Any, linear: Any, cubic: Any, sines: Any, scale: Any, amplitude: Any, knot_steps: Any,
    knot_biases: Any, limit: Any, imperfect: Any, previous: Any, memory: Any, key: Any, first: Any, steps: int,
    work: Any, record: Any,
) -> int:  # fmt: skip
    """Advance x (chains, units) by `steps`; see `advance_dense`.

    matrix: (starts, columns, values) of K · μΔt.
    memory: `Memory.lanes`.
    """
    (lanes, units), (wavenumber, strength), rail, weights = x.shape, sines, imperfect[1], imperfect[3]
    xt, before, flow = np.ascontiguousarray(x.T), np.ascontiguousarray(previous.T), memory[3]
    passed, felt = np.empty((2, units, flow.shape[1]), x.dtype), np.empty(flow.shape[1], x.dtype)
    passed[1] = xt[:, : flow.shape[1]]
    force, total = np.empty((units, lanes), x.dtype), np.empty(lanes, x.dtype)
    noise = np.empty((4 * ((units + 3) // 4), lanes), x.dtype)
    smooth = previous.shape[0] > 0
    bias, following = np.empty(units), np.empty(units)
    biases_at(first[1], knot_steps, knot_biases, bias)
    spacing = steps // record.shape[0] if record.shape[0] else steps + 1
    for k in range(steps):
        step, old, older = first[1] + k, passed[k % 2], passed[(k + 1) % 2]
        fields(xt, matrix[0], matrix[1], matrix[2], force)
        total[:] = 0
        lanes_of_noise(noise, step, step + smooth, first[0], key, imperfect, memory)
        if smooth:
            average_lanes(noise, before)
        colour_lanes(noise, imperfect[0], memory)
        old[:] = xt[:, : flow.shape[1]]
        for u in range(units):
            push = x.dtype.type(scale[u] * bias[u])
            felt[:] = force[u, : felt.size]
            if wavenumber.size:
                sine_of_lanes(xt[u], wavenumber[u], strength[u], force[u])
            update_lanes(xt[u], linear[u], cubic[u], push, force[u], amplitude[u], noise[u], total)
            if rail.size:
                reflect_lanes(xt[u], rail[u])
            if weights[0].size:
                heat_of_lanes(xt[u], old[u], older[u], push, felt, weights[0][u], weights[1][u], flow)
        for lane in range(lanes):
            if not total[lane] < limit:
                x[:] = xt.T
                return step
        if knot_steps.size > 1:
            biases_at(step + 1, knot_steps, knot_biases, following)
            for u in range(units):
                for lane in range(lanes):
                    work[lane] += (following[u] - bias[u]) * xt[u, lane]
            bias[:] = following
        if (k + 1) % spacing == 0:
            record[(k + 1) // spacing - 1] = xt.T
    if weights[0].size and steps:
        last_heat_of_lanes(xt, passed[(steps - 1) % 2], matrix, force, weights, flow)
    x[:] = xt.T
    return -1
