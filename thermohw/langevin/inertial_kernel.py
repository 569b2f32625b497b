# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Underdamped Langevin steps (BAOAB): chains are the lanes of the vector unit, couplings dense layers or sparse rows.

Velocities come and go as displacements u = h v, h the rescaled time step, so that a kick is u −= s ∂V with
s = h²/m = 2 μ Δt tanh(Δt/2μm); see `UnderdampedEngine`. The half kicks at the end of a step and at the start of the
next are one, so that a step needs the forces once. numba infers the argument types.
"""

from typing import Any

import numpy as np

from thermohw.langevin.imperfect_kernel import bath_heat, drift_within
from thermohw.langevin.jit import compiled, inlined
from thermohw.langevin.schedule_kernel import biases_at
from thermohw.langevin.sine_kernel import sine_of_lanes
from thermohw.langevin.sparse_kernel import colour_lanes, fields, lanes_of_noise


@inlined
def layer_product(x, first, second, out, more):
    """Out = first @ xa + second @ xb for layers xa, xb = x; (0, 0) stands for no couplings."""
    na = x.shape[0] - second.shape[1] if second.size else first.shape[1]
    if first.size and second.size:
        np.dot(first, x[:na], out)
        np.dot(second, x[na:], more)
        for unit in range(out.shape[0]):
            for lane in range(out.shape[1]):
                out[unit, lane] += more[unit, lane]
    elif first.size:
        np.dot(first, x[:na], out)
    elif second.size:
        np.dot(second, x[na:], out)
    else:
        out[:] = 0


@inlined
def coupling_forces(x, na, matrices, rows, force, more):
    """Fill force (units, lanes) with s K x, by layers where there are any, else by sparse rows."""
    aa, ab, ba, bb = matrices
    if rows[0].size:
        fields(x, rows[0], rows[1], rows[2], force)
    else:
        layer_product(x, aa, ab, force[:na], more[:na])
        layer_product(x, ba, bb, force[na:], more[na:])


@inlined
def kick(x, u, linear, cubic, push, force, share):
    """Change displacements u (lanes,) of one unit by the share of a kick."""
    for lane in range(x.size):
        q = x[lane]
        u[lane] -= share * ((linear + cubic * q * q) * q + push + force[lane])


@inlined
def drift(x, u, loss, amplitude, noise, total):
    """Move by u/2, exchange momentum with the bath, move by u/2 again; adds x² to total (lanes,)."""
    half = x.dtype.type(0.5)
    for lane in range(x.size):
        before = u[lane]
        after = before + (amplitude * noise[lane] - loss * before)
        q = x[lane] + half * (before + after)
        u[lane] = after
        x[lane] = q
        total[lane] += q * q


@inlined
def drift_of_unit(x, u, loss, amplitude, noise, rail, unit, total):
    """Drift within the rails, if there are any."""
    if rail.size:
        drift_within(x, u, loss, amplitude, noise, rail[unit], total)
    else:
        drift(x, u, loss, amplitude, noise, total)


@compiled
def advance_inertial(
    x: Any, u: Any, na: int, matrices: Any, rows: Any, linear: Any, cubic: Any, sines: Any, scale: Any, loss: Any,
    amplitude: Any, knot_steps: Any, knot_biases: Any, limit: Any, imperfect: Any, memory: Any, key: Any,
    first: Any, steps: int, work: Any, record: Any,
) -> int:  # fmt: skip
    """Advance x and u (chains, units) by `steps`; returns the first step after which Σ x² exceeds limit, or −1.

    matrices: s K of the layers (aa, ab, ba, bb), e.g. `ab` (units a, units b) acts on a; rows: sparse s K instead.
    linear, cubic, scale, loss, amplitude: (units,) 2 J2 s, 4 J4 s, s, 1 − e^{−Δt/μm} and h √((1 − e^{−2Δt/μm}) kT/m).
    sines, imperfect, memory, key, first: see `advance_sparse`. Step k uses noise number k + 1: 0 made the velocities.
    """
    lanes, units = x.shape
    xt, ut = np.ascontiguousarray(x.T), np.ascontiguousarray(u.T)
    force = np.empty((units, lanes), x.dtype)
    more = np.empty((units if matrices[0].size or matrices[1].size or matrices[3].size else 0, lanes), x.dtype)
    total, noise = np.empty(lanes, x.dtype), np.empty((4 * ((units + 3) // 4), lanes), x.dtype)
    bias, following = np.empty(units), np.empty(units)
    biases_at(first[1], knot_steps, knot_biases, bias)
    held = bias.copy()
    spacing = steps // record.shape[0] if record.shape[0] else steps + 1
    (wavenumber, strength), (inverse, beta), flow = sines, imperfect[3], memory[3]
    old = np.empty((min(1, inverse.size), lanes), x.dtype)
    for k in range(steps + 1):  # the last round is the second half kick of the last step
        share = x.dtype.type(0.5 if k == 0 or k == steps else 1.0)
        coupling_forces(xt, na, matrices, rows, force, more)
        if k < steps:
            lanes_of_noise(noise, first[1] + k, first[1] + k + 1, first[0], key, imperfect, memory)
            colour_lanes(noise, imperfect[0], memory)
        total[:] = 0
        for unit in range(units):
            if wavenumber.size:
                sine_of_lanes(xt[unit], wavenumber[unit], strength[unit], force[unit])
            present = held[unit] if k == steps else bias[unit]
            push = x.dtype.type(scale[unit] * 0.5 * (held[unit] + present))
            kick(xt[unit], ut[unit], linear[unit], cubic[unit], push, force[unit], share)
            if k == steps:
                continue
            old[:] = ut[unit]
            drift_of_unit(xt[unit], ut[unit], loss[unit], amplitude[unit], noise[unit], imperfect[1], unit, total)
            if inverse.size:
                bath_heat(old[0], ut[unit], inverse[unit], beta[unit], flow)
        if k == steps:
            break
        held[:] = bias
        for lane in range(lanes):
            if not total[lane] < limit:
                x[:], u[:] = xt.T, ut.T
                return first[1] + k
        if knot_steps.size > 1:
            biases_at(first[1] + k + 1, knot_steps, knot_biases, following)
            for unit in range(units):
                for lane in range(lanes):
                    work[lane] += (following[unit] - bias[unit]) * xt[unit, lane]
            bias[:] = following
        if (k + 1) % spacing == 0:
            record[(k + 1) // spacing - 1] = xt.T
    x[:], u[:] = xt.T, ut.T
    return -1
