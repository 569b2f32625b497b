# SPDX-License-Identifier: Apache-2.0
"""What readout does to trajectories as they pass: lag, jitter, then the effects on each state by itself."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from thermohw.langevin.observer import Observer, TrajectoryPiece
from thermohw.nonideal.draws import DEVICE, READING, Draws
from thermohw.nonideal.effect import Effect, Floats, Reading, ReadoutEffect, Stage
from thermohw.nonideal.readout_bandwidth import ReadoutBandwidth
from thermohw.nonideal.sampling_jitter import SamplingJitter


@dataclass(frozen=True)
class ReadoutChain:
    """The readout of one device, with the seeds of its errors.

    Attributes:
        effects: Those of readout, in the order of the signal chain.
        device_seed: Of what is fixed.
        seed: The run's, of what is fresh.
    """

    effects: tuple[Effect, ...]
    device_seed: int
    seed: int

    @property
    def time_constant(self) -> float:
        """Get τ of the readout's pole, 0 where it has none."""
        return sum(effect.time_constant for effect in self.effects if isinstance(effect, ReadoutBandwidth))

    @property
    def window(self) -> float:
        """Get the width of the window in which a reading is taken, 0 without jitter."""
        return sum(effect.window for effect in self.effects if isinstance(effect, SamplingJitter))

    @property
    def remembers(self) -> bool:
        """Get whether a reading depends on the states before."""
        return bool(self.time_constant or self.window)

    def read(self, states: NDArray[Any], first_chain: int, step: int) -> NDArray[np.float32]:
        """Read states (chains, units) at a step, each by itself."""
        device, fresh = Draws(self.device_seed, DEVICE), Draws(self.seed, READING)
        reading = Reading(device, fresh, first_chain, step)
        values = states.astype(np.float32).astype(np.float64)  # as samples are, whatever the engine's precision
        for effect in self.effects:
            if isinstance(effect, ReadoutEffect):
                values = effect.on_states(values, reading)
        return values.astype(np.float32)

    def delays(self, chains: int, first_chain: int, step: int) -> Floats:
        """Get how much too early each of the chains is read at a step, (chains,), in the time unit."""
        numbers = first_chain + np.arange(chains)
        return self.window * Draws(self.seed, READING + Stage.SAMPLING).uniforms("jitter", numbers, step)


@dataclass(eq=False)
class _Channel:
    """What the readout holds of one block of chains.

    Attributes:
        level: (chains, units) output of the pole.
        recent: (steps, chains, units) its latest values, the newest last.
        step: Number of the newest step.
        interval: Time between steps.
        readings: (chains, units) each, at the recorded steps.
    """

    level: Floats
    recent: list[Floats]
    step: int
    interval: float
    readings: list[NDArray[np.float32]]


@dataclass(eq=False)
class ReadoutObserver(Observer):
    """Reads every state that passes through a readout chain, and shows the readings to other observers.

    Attributes:
        chain: The readout.
        record_every: Steps between the readings that are kept and shown.
        keep: Whether the readings are to be kept.
        watching: Observers of the readings.
    """

    chain: ReadoutChain
    record_every: int
    keep: bool
    watching: tuple[Observer, ...] = ()
    _channels: dict[int, _Channel] = field(default_factory=dict[int, _Channel])

    def fresh(self) -> Self:
        """Get an empty one with the same settings."""
        watching = tuple(observer.fresh() for observer in self.watching)
        return type(self)(self.chain, self.record_every, self.keep, watching)

    def observe(self, piece: TrajectoryPiece) -> None:
        """Take in a piece of trajectories, and show its readings."""
        channel = self._channels.get(piece.first_chain)
        start = piece.first_step
        if channel is None:
            level = piece.states[0].astype(np.float64)
            channel = _Channel(level, [level], start, piece.interval, [])
            channel.readings.append(self._reading(channel, piece.first_chain))
            self._channels[piece.first_chain] = channel
        shown = [channel.readings[-1]]
        last_shown = channel.step - channel.step % self.record_every
        share = -np.expm1(-piece.interval / self.chain.time_constant) if self.chain.time_constant else 1.0
        depth = 1 + int(np.ceil(self.chain.window / piece.interval))
        for k in range(1, len(piece.states)):
            state = piece.states[k].astype(np.float64)
            channel.level = state if share == 1.0 else channel.level + share * (state - channel.level)
            channel.recent = [*channel.recent[-depth:], channel.level]
            channel.step = start + k * piece.spacing
            if channel.step % self.record_every == 0:
                shown.append(self._reading(channel, piece.first_chain))
        if len(shown) > 1:
            channel.readings = [*channel.readings, *shown[1:]] if self.keep else shown[-1:]
            if self.watching:
                stacked = np.stack(shown)
                seen = TrajectoryPiece(stacked, piece.dynamics, piece.first_chain, last_shown, self.record_every)
                for observer in self.watching:
                    observer.observe(seen)

    def absorb(self, other: Observer) -> None:
        """Add another's chains to these.

        Raises:
            PlanError: The other is of another kind.
        """
        other = self.same_kind(other)
        self._channels |= other._channels
        for mine, theirs in zip(self.watching, other.watching, strict=True):
            mine.absorb(theirs)

    def final(self) -> NDArray[np.float32]:
        """Get the readings at the end of the run, (chains, units)."""
        return np.concatenate([self._reading(channel, first) for first, channel in sorted(self._channels.items())])

    def trajectory(self) -> NDArray[np.float32]:
        """Get the readings that were kept, (chains, records + 1, units)."""
        return np.concatenate([np.stack(channel.readings, axis=1) for _, channel in sorted(self._channels.items())])

    def _reading(self, channel: _Channel, first_chain: int) -> NDArray[np.float32]:
        """Read the newest states of a block of chains, or those a little before."""
        states = channel.level
        if self.chain.window:
            late = self.chain.delays(len(states), first_chain, channel.step) / channel.interval
            late = np.minimum(late, len(channel.recent) - 1)
            states = _interpolate(channel.recent, late)
        return self.chain.read(states, first_chain, channel.step)


def _interpolate(recent: Sequence[Floats], late: Floats) -> Floats:
    """Get the states `late` (chains,) steps before the newest of `recent`, (steps, chains, units)."""
    stacked, rows = np.stack(recent), np.arange(len(late))
    newer = len(stacked) - 1 - np.floor(late).astype(int)
    share = (late - np.floor(late))[:, None]
    return (1 - share) * stacked[newer, rows] + share * stacked[np.maximum(newer - 1, 0), rows]
