# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Overdamped Langevin steps for dense couplings: matrix products of a block of chains, then one fused update.

Units lie in two layers, `a` (visible) and `b` (hidden); a layer pair without couplings costs nothing. Matrices,
rates and noise amplitudes come multiplied by the time step and mobility. numba infers the argument types.
"""

from typing import Any

import numpy as np

from thermohw.langevin.imperfect_kernel import (
    add_drive,
    filter_units,
    heat_of_units,
    reflect_units,
    renewed,
    sum_of_processes,
)
from thermohw.langevin.jit import compiled, inlined
from thermohw.langevin.noise import DYNAMICS, FLICKER
from thermohw.langevin.noise_kernel import row_of_normals
from thermohw.langevin.schedule_kernel import biases_at
from thermohw.langevin.sine_kernel import sine_of_units


@inlined
def product(x, matrix, out):
    """Out = x @ matrix; a single chain takes the matrix–vector routine."""
    if x.shape[0] == 1:
        out[0] = np.dot(x[0], matrix)
    else:
        np.dot(x, matrix, out)


@inlined
def update(x, linear, cubic, bias, field_a, field_b, amplitude, noise):
    """Take one step of one row in place; returns Σ x², which is not finite if any x is not."""
    total = x.dtype.type(0)
    for j in range(x.size):
        q = x[j]
        q = q - ((linear[j] + cubic[j] * q * q) * q + bias[j] + field_a[j] + field_b[j]) + amplitude[j] * noise[j]
        x[j] = q
        total += q * q
    return total


@inlined
def advance_row(xa, xb, linear, cubic, push, fields, r, amplitude, noise, rail):
    """Take one step of row r in place, within rails; returns Σ x² before reflection."""
    faa, fba, fab, fbb = fields
    na, units = xa.size, linear.size
    total = update(
        xa, linear[:na], cubic[:na], push[:na], faa[r % len(faa)], fba[r % len(fba)], amplitude[:na], noise[:na]
    ) + update(
        xb, linear[na:], cubic[na:], push[na:], fab[r % len(fab)], fbb[r % len(fbb)], amplitude[na:], noise[na:units]
    )
    if rail.size:
        reflect_units(xa, rail[:na])
        reflect_units(xb, rail[na:])
    return total


@inlined
def layer_fields(xa, xb, matrices, fields):
    """Fill the fields (faa, fba, fab, fbb) that the layers exert on each other."""
    aa, ba, ab, bb = matrices
    if aa.size:
        product(xa, aa, fields[0])
    if ba.size:
        product(xb, ba, fields[1])
    if ab.size:
        product(xa, ab, fields[2])
    if bb.size:
        product(xb, bb, fields[3])


@inlined
def field_buffer(chains, units, matrix):
    """Get a buffer for a product; where the matrix is absent, one row of zeros that serves every chain."""
    return np.zeros((chains if matrix.size else 1, units), matrix.dtype)


@inlined
def average_noise(noise, previous):
    """Replace noise by (previous + noise)/2 and keep it as previous: the Leimkuhler–Matthews noise."""
    half = noise.dtype.type(0.5)
    for j in range(previous.size):
        fresh = noise[j]
        noise[j] = half * (fresh + previous[j])
        previous[j] = fresh


@inlined
def noise_of_row(step, r, chain, key, buffers, previous, imperfect, memory, noise):
    """Fill noise (4 · groups,) with the numbers of row r, chain number `chain`, at one step."""
    words, parts, scratch = buffers
    fresh, (holds, decay, kick) = imperfect[0], imperfect[2]
    coloured, flicker, drive = memory[0], memory[1], memory[2]
    smooth = previous.shape[0] > 0
    due = holds.size if holds.size and step % holds[0] == 0 else 0
    for process in range(due + 1):  # one place that makes numbers: it is inlined, and long
        stream, number = DYNAMICS, step + smooth
        if process < due:
            if step % holds[process]:
                continue
            stream, number = FLICKER + process, step // holds[process] + 1
        row_of_normals(words, parts, scratch, number, chain, stream, key[0], key[1], noise)
        if process < due:
            renewed(flicker[process, r], decay[process], kick[process], noise)
    if due:
        sum_of_processes(flicker, r, drive[r])
    if smooth:
        average_noise(noise, previous[r])
    if fresh.size:
        filter_units(noise, fresh, coloured[r])
    if drive.shape[0]:
        add_drive(noise, drive[r])


@inlined
def heat_of_row(xa, xb, old, before, push, fields, r, weights, flow):
    """Add a step's share to the heat and entropy (2,) of row r; see `heat_of_units`."""
    faa, fba, fab, fbb = fields
    na = xa.size
    first, second = (weights[0][:na], weights[1][:na]), (weights[0][na:], weights[1][na:])
    heat_of_units(xa, old[:na], before[:na], push[:na], faa[r % len(faa)], fba[r % len(fba)], first, flow)
    heat_of_units(xb, old[na:], before[na:], push[na:], fab[r % len(fab)], fbb[r % len(fbb)], second, flow)


@inlined
def last_heat(xa, xb, fields, before, push, weights, flow):
    """Add what the couplings at the end of the last step contribute to the heat of all rows."""
    for r in range(flow.shape[0]):
        old = np.concatenate((xa[r], xb[r]))
        heat_of_row(xa[r], xb[r], old, before[r], push, fields, r, weights, flow[r])


@inlined
def bias_work(before, after, x):
    """Get the work Σ (after − before)·x of changing the biases at fixed x."""
    done = 0.0
    for j in range(x.size):
        done += (after[j] - before[j]) * x[j]
    return done


@inlined
def sines_of_layers(xa, xb, sines, push, pushed):
    """Fill pushed (units,) = push − strength · sin(wavenumber · x), if there are on-site cosines."""
    wavenumber, strength = sines
    if wavenumber.size:
        na = xa.size
        sine_of_units(xa, wavenumber[:na], strength[:na], push[:na], pushed[:na])
        sine_of_units(xb, wavenumber[na:], strength[na:], push[na:], pushed[na:])


@compiled
def advance_dense(
    x: Any, layers: Any, linear: Any, cubic: Any, sines: Any, scale: Any, amplitude: Any, knot_steps: Any,
    knot_biases: Any, limit: Any, imperfect: Any, previous: Any, memory: Any, key: Any, first: Any, steps: int,
    work: Any, record: Any,
) -> int:  # fmt: skip
    """Advance x (chains, units) by `steps`; returns the first step after which Σ x² of a chain exceeds limit, or −1.

    layers: (units in layer a, (aa, ba, ab, bb)), e.g. `ba` (units b, units a) acts on b, pushes a; empty where zero.
    linear, cubic, scale, amplitude: (units,) 2 J2 μΔt, 4 J4 μΔt, μΔt and √(2 μ kT Δt).
    sines: (units,) wavenumbers w and strengths c w μΔt of on-site cosines; (0,) where there are none.
    imperfect, memory: see `imperfect_terms` and `Memory.arrays`.
    previous: (chains, units) noise of the first step for Leimkuhler–Matthews; (0, units) for Euler–Maruyama.
    key, first: (k0, k1) halves of the seed; (first chain, first step).
    """
    (na, matrices), (chains, units), flow = layers, x.shape, memory[3]
    xa, xb = np.ascontiguousarray(x[:, :na]), np.ascontiguousarray(x[:, na:])
    faa, fba = field_buffer(chains, na, matrices[0]), field_buffer(chains, na, matrices[1])
    fab, fbb = field_buffer(chains, units - na, matrices[2]), field_buffer(chains, units - na, matrices[3])
    fields, groups = (faa, fba, fab, fbb), (units + 3) // 4
    buffers = np.empty((4, groups), np.uint32), np.empty((4, groups), x.dtype), np.empty(groups, x.dtype)
    noise, passed = np.empty(4 * groups, x.dtype), np.empty((2, flow.shape[0], units), x.dtype)
    passed[1] = x[: flow.shape[0]]
    bias, following = np.empty(units), np.empty(units)
    biases_at(first[1], knot_steps, knot_biases, bias)
    following[:] = bias
    push = (scale * bias).astype(x.dtype)
    pushed = push.copy()
    spacing = steps // record.shape[0] if record.shape[0] else steps + 1
    changing, failed = knot_steps.size > 1, -1
    for k in range(steps + min(1, steps * flow.shape[0])):
        layer_fields(xa, xb, matrices, fields)
        if k == steps:  # a round more where heat is summed along the path
            last_heat(xa, xb, fields, passed[(steps - 1) % 2], push, imperfect[3], flow)
            break
        step = first[1] + k
        if changing:
            biases_at(step + 1, knot_steps, knot_biases, following)
        for r in range(chains):
            noise_of_row(step, r, first[0] + r, key, buffers, previous, imperfect, memory, noise)
            sines_of_layers(xa[r], xb[r], sines, push, pushed)
            if flow.shape[0]:
                passed[k % 2, r, :na], passed[k % 2, r, na:] = xa[r], xb[r]
            if not advance_row(xa[r], xb[r], linear, cubic, pushed, fields, r, amplitude, noise, imperfect[1]) < limit:
                failed = step
            if flow.shape[0]:
                old, before = passed[k % 2, r], passed[(k + 1) % 2, r]
                heat_of_row(xa[r], xb[r], old, before, push, fields, r, imperfect[3], flow[r])
            if changing:
                work[r] += bias_work(bias[:na], following[:na], xa[r]) + bias_work(bias[na:], following[na:], xb[r])
            if (k + 1) % spacing == 0:
                record[(k + 1) // spacing - 1, r, :na], record[(k + 1) // spacing - 1, r, na:] = xa[r], xb[r]
        if failed >= 0:
            break
        if changing:
            bias[:] = following
            push[:] = (scale * bias).astype(x.dtype)
            pushed[:] = push
    x[:, :na], x[:, na:] = xa, xb
    return failed
