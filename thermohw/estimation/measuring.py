# SPDX-License-Identifier: Apache-2.0
"""One pattern of applied biases: what is run, and what is read."""

import time
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.emulated import default_step
from thermohw.device import Progress, ThermodynamicDevice
from thermohw.estimation.basis import Floats
from thermohw.estimation.lines import LineMoments
from thermohw.estimation.moments import LaggedMoments
from thermohw.estimation.readings import Readings, snapshot_moments
from thermohw.estimation.recipes import Recipe
from thermohw.estimation.request import Request
from thermohw.langevin.as_built import AsBuilt
from thermohw.plan import RunPlan
from thermohw.program import Program

FINER = 4
"""Steps of an emulator are so much shorter than for samples: its own error must not look like the device's."""

LEAST_STEPS = 50
"""Least steps of an emulator between two readings."""


def runs_of(recipe: Recipe, device: ThermodynamicDevice) -> int:
    """Get the number of trajectories of a pattern."""
    return recipe.chains if device.spec.trajectories else recipe.chains * recipe.readings


def measure(
    device: ThermodynamicDevice,
    held: Program,
    applied: Floats,
    request: Request,
    number: int,
    progress: Progress | None,
) -> Readings:
    """Apply biases to a device and read it.

    Args:
        device: What is read.
        held: The program under calibration.
        applied: (units,) biases to add to its.
        request: Recipe and seed.
        number: Of the pattern.
        progress: Called with (trajectories done, those of this pattern).

    Raises:
        DeviceLimitError: The device cannot hold the program with the applied biases.
        PlanError: The recipe asks for too many trajectories or steps.
    """
    recipe = request.recipe
    device.program(held.with_biases(held.biases + applied))
    first, held_biases = number * runs_of(recipe, device), device.held.biases - held.biases
    apart = recipe.by_lines and recipe.settle > 0 and device.as_built is not None
    skipped = 0 if apart else recipe.skipped
    if recipe.by_lines:
        moments = LineMoments(held_biases, recipe.groups, skipped, program=held)
    else:
        moments = LaggedMoments(held_biases, recipe.groups, skipped)
    plan = replace(_plan(device, recipe, skipped), seed=request.seed, first_chain=first)
    started = time.perf_counter()
    if apart:
        plan = replace(plan, initial=_settled(device, request, first))
    if device.spec.trajectories:
        samples = device.run(plan, [moments], progress)
        assert samples.trajectory is not None  # asked for
        trajectory = samples.trajectory[:, skipped:]
    else:
        samples = device.run(plan, progress=progress)
        moments = snapshot_moments(samples.states, moments.applied, recipe.groups, plan.first_chain)
        trajectory = samples.states[:, None]
    seconds = time.perf_counter() - started
    return Readings(number, request.digest, moments, trajectory, samples.dt or np.nan, seconds)


def _settled(device: ThermodynamicDevice, request: Request, first: int) -> NDArray[np.float32]:
    """Get states (chains, units) of an emulator after settling, at its own step: finer ones take big networks long."""
    recipe, spec = request.recipe, device.spec
    settle = recipe.settle / (spec.mobility * spec.kT)
    seed = (request.seed + 2) % 2**64  # noise of its own; the pilot has the number between
    return device.run(RunPlan(settle, recipe.chains, keep="final", seed=seed, first_chain=first)).states


def _plan(device: ThermodynamicDevice, recipe: Recipe, skipped: int) -> RunPlan:
    """Get the plan of a pattern: readings an interval apart, or runs to equilibrium."""
    spec = device.spec
    clock = 1 / (spec.mobility * spec.kT)
    dt = None if recipe.dt is None else recipe.dt * clock
    if not spec.trajectories:
        return RunPlan(recipe.settle * clock, runs_of(recipe, device), dt, keep="final")
    interval = recipe.interval * clock
    if dt is None:
        built = device.as_built or AsBuilt.from_program(device.held, spec.mobility, spec.kT)
        steps = max(LEAST_STEPS, int(np.ceil(FINER * interval / default_step(RunPlan(interval, 1), built))))
    else:
        steps = round(interval / dt)
    records = skipped + recipe.readings - 1
    return RunPlan(records * interval, recipe.chains, interval / steps, record_every=steps, keep="trajectory")
