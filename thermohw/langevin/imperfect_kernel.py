# SPDX-License-Identifier: Apache-2.0
# pyright: basic
"""Passes that imperfect dynamics add to a step of compiled kernels: noise with a memory, rails, heat along the path.

Each works on one row, of the units of a chain or of the chains (lanes) of a unit. numba infers the argument types.
"""

from thermohw.langevin.jit import inlined


@inlined
def renewed(z, decay, kick, noise):
    """Advance one process of flicker noise from hold to hold."""
    for j in range(z.size):
        z[j] = decay * z[j] + kick * noise[j]


@inlined
def sum_of_processes(z, row, drive):
    """Fill drive = Σ z[:, row]."""
    drive[:] = 0
    for process in range(z.shape[0]):
        states = z[process, row]
        for j in range(drive.size):
            drive[j] += states[j]


@inlined
def filter_units(noise, fresh, memory):
    """Replace noise numbers by y = memory + fresh (noise − memory), and remember them; all (units,)."""
    for j in range(fresh.size):
        y = memory[j] + fresh[j] * (noise[j] - memory[j])
        memory[j] = y
        noise[j] = y


@inlined
def filter_lanes(noise, fresh, memory):
    """Do the same for one unit; noise and memory (lanes,)."""
    for lane in range(memory.size):
        y = memory[lane] + fresh * (noise[lane] - memory[lane])
        memory[lane] = y
        noise[lane] = y


@inlined
def add_drive(noise, drive):
    """Add flicker noise to noise numbers."""
    for j in range(drive.size):
        noise[j] += drive[j]


@inlined
def back_inside(q, rail):
    """Reflect a number that lies beyond ±rail, at most as far as the other rail."""
    size = abs(q)
    back = max(rail + rail - size, -rail)
    inside = size if size <= rail else back
    return inside if q >= 0 else -inside


@inlined
def reflect_units(x, rail):
    """Reflect the states of one chain (units,) at the rails (units,)."""
    for j in range(x.size):
        x[j] = back_inside(x[j], rail[j])


@inlined
def reflect_lanes(x, rail):
    """Reflect the states of one unit (lanes,) at its rail."""
    for lane in range(x.size):
        x[lane] = back_inside(x[lane], rail)


@inlined
def drift_within(x, u, loss, amplitude, noise, rail, total):
    """Move by u/2, exchange momentum with the bath, move by u/2 again, reflecting on both ways; adds x² to total."""
    half = x.dtype.type(0.5)
    for lane in range(x.size):
        before = u[lane]
        q = x[lane] + half * before
        before = before if abs(q) <= rail else -before
        q = back_inside(q, rail)
        after = before + (amplitude * noise[lane] - loss * before)
        q = q + half * after
        total[lane] += q * q
        u[lane] = after if abs(q) <= rail else -after
        x[lane] = back_inside(q, rail)


@inlined
def heat_of_units(x, old, before, push, field_a, field_b, weights, flow):
    """Add the share of one step to the heat and entropy of one chain: −½ K old·(x − before) − push·(x − old), scaled.

    Summed over steps, with `last_heat`, this is the Stratonovich work of couplings and biases; see `onsite_heat`.
    """
    inverse, beta = weights
    half, heat, entropy = x.dtype.type(0.5), x.dtype.type(0), x.dtype.type(0)
    for j in range(x.size):
        drift = half * (field_a[j] + field_b[j])
        gain = inverse[j] * (drift * (x[j] - before[j]) + push[j] * (x[j] - old[j]))
        heat -= gain
        entropy -= beta[j] * gain
    flow[0] += heat
    flow[1] += entropy


@inlined
def heat_of_lanes(x, old, before, push, field, inverse, beta, flow):
    """Do the same for one unit of all chains (lanes,); flow (2, lanes)."""
    half = x.dtype.type(0.5)
    for lane in range(x.size):
        gain = inverse * (half * field[lane] * (x[lane] - before[lane]) + push * (x[lane] - old[lane]))
        flow[0, lane] -= gain
        flow[1, lane] -= beta * gain


@inlined
def bath_heat(before, after, inverse, beta, flow):
    """Add the kinetic energy (before² − after²)/2s that a unit's displacements (lanes,) lost to the bath."""
    half = before.dtype.type(0.5)
    for lane in range(before.size):
        gain = half * inverse * ((before[lane] - after[lane]) * (before[lane] + after[lane]))
        flow[0, lane] += gain
        flow[1, lane] += beta * gain
