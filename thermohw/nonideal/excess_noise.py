# SPDX-License-Identifier: Apache-2.0
"""Flicker noise beside the thermal noise."""

from dataclasses import replace
from typing import ClassVar, Self

from pydantic import Field, model_validator

from thermohw.langevin.as_built import AsBuilt
from thermohw.langevin.flicker import Flicker
from thermohw.nonideal.draws import Draws
from thermohw.nonideal.effect import DynamicsEffect, Stage


class ExcessNoise(DynamicsEffect):
    """Noise of spectral density f_c/f, relative to the white noise, between a lowest and a highest frequency."""

    stage: ClassVar[Stage] = Stage.DYNAMICS

    corner_frequency: float = Field(default=0.0, ge=0, description="f_c, where it equals the white noise, 1/time")
    lowest_frequency: float = Field(default=0.01, gt=0, description="below it the density is flat, 1/time")
    highest_frequency: float = Field(default=10.0, gt=0, description="above it the density falls off as 1/f², 1/time")

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.lowest_frequency >= self.highest_frequency:
            raise ValueError(
                f"lowest_frequency {self.lowest_frequency:g} must be below highest_frequency {self.highest_frequency:g}"
            )
        return self

    @property
    def active(self) -> bool:
        """Get whether there is excess noise."""
        return self.corner_frequency > 0

    def on_dynamics(self, built: AsBuilt, device: Draws) -> AsBuilt:
        """Add the noise to all units."""
        spectrum = Flicker(self.corner_frequency, self.lowest_frequency, self.highest_frequency)
        return replace(built, flicker=spectrum)
