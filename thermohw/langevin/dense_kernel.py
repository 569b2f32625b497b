# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Overdamped Langevin steps for dense couplings: matrix products of a block of chains, then one fused update.

Units lie in two layers, `a` (visible) and `b` (hidden); a layer pair without couplings costs nothing. Matrices,
rates and noise amplitudes come multiplied by the time step and mobility. numba infers the argument types.
"""

from typing import Any

import numpy as np

from thermohw.langevin.jit import compiled, inlined
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
    knot_biases: Any, limit: Any, previous: Any, key: Any, first: Any, steps: int, work: Any, record: Any,
) -> int:  # fmt: skip
    """Advance x (chains, units) by `steps`; returns the first step after which Σ x² of a chain exceeds limit, or −1.

    layers: (units in layer a, (aa, ba, ab, bb)), e.g. `ba` (units b, units a) acts on b, pushes a; empty where zero.
    linear, cubic, scale, amplitude: (units,) 2 J2 μΔt, 4 J4 μΔt, μΔt and √(2 μ kT Δt).
    sines: (units,) wavenumbers w and strengths c w μΔt of on-site cosines; (0,) where there are none.
    previous: (chains, units) noise of the first step for Leimkuhler–Matthews; (0, units) for Euler–Maruyama.
    key, first: (k0, k1) halves of the seed; (first chain, first step).
    """
    na, matrices = layers
    chains, units = x.shape
    xa, xb = np.ascontiguousarray(x[:, :na]), np.ascontiguousarray(x[:, na:])
    faa, fba = field_buffer(chains, na, matrices[0]), field_buffer(chains, na, matrices[1])
    fab, fbb = field_buffer(chains, units - na, matrices[2]), field_buffer(chains, units - na, matrices[3])
    groups = (units + 3) // 4
    words, parts, scratch = np.empty((4, groups), np.uint32), np.empty((4, groups), x.dtype), np.empty(groups, x.dtype)
    noise = np.empty(4 * groups, x.dtype)
    bias, following = np.empty(units), np.empty(units)
    biases_at(first[1], knot_steps, knot_biases, bias)
    following[:] = bias
    push = (scale * bias).astype(x.dtype)
    pushed = push.copy()
    spacing = steps // record.shape[0] if record.shape[0] else steps + 1
    smooth, changing, failed = previous.shape[0] > 0, knot_steps.size > 1, -1
    for k in range(steps):
        layer_fields(xa, xb, matrices, (faa, fba, fab, fbb))
        step = first[1] + k
        if changing:
            biases_at(step + 1, knot_steps, knot_biases, following)
        for r in range(chains):
            row_of_normals(words, parts, scratch, step + smooth, first[0] + r, key[0], key[1], noise)
            if smooth:
                average_noise(noise, previous[r])
            sines_of_layers(xa[r], xb[r], sines, push, pushed)
            total = update(
                xa[r], linear[:na], cubic[:na], pushed[:na], faa[r % len(faa)], fba[r % len(fba)],
                amplitude[:na], noise[:na],
            ) + update(
                xb[r], linear[na:], cubic[na:], pushed[na:], fab[r % len(fab)], fbb[r % len(fbb)],
                amplitude[na:], noise[na:units],
            )  # fmt: skip
            if not total < limit:
                failed = step
            if changing:
                work[r] += bias_work(bias[:na], following[:na], xa[r]) + bias_work(bias[na:], following[na:], xb[r])
            if (k + 1) % spacing == 0:
                record[(k + 1) // spacing - 1, r, :na] = xa[r]
                record[(k + 1) // spacing - 1, r, na:] = xb[r]
        if failed >= 0:
            break
        if changing:
            bias[:] = following
            push[:] = (scale * bias).astype(x.dtype)
            pushed[:] = push
    x[:, :na], x[:, na:] = xa, xb
    return failed
