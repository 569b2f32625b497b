# SPDX-License-Identifier: Apache-2.0
"""Training configurations and the presets, which are data."""

import tomllib
from collections.abc import Mapping
from importlib import resources
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, ValidationInfo, field_validator

from thermohw.errors import TrainingError
from thermohw.training.coupling_errors import CouplingErrors

MAX_STEPS = 1_000_000
"""Largest number of steps of a noising trajectory."""


class TrainingConfig(BaseModel):
    """All that a training depends on, besides the images. Energies in k_BT, times in 1/(μ k_BT)."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    preset: str = Field("custom", description="name of the preset that this started from")
    hidden: int = Field(512, ge=0, le=100_000, description="number of hidden units")
    hidden_couplings: bool = Field(True, description="hidden units may couple to each other")
    partners: int = Field(
        0, ge=0, description="random visible, and hidden, units that each hidden unit may couple to; 0: all"
    )
    J2: float = Field(10.0, description="quadratic on-site energy, k_BT")
    J4: float = Field(10.0, gt=0, description="quartic on-site energy, k_BT")
    pixels: Literal["standardized", "sign"] = Field(
        "sign", description="pixel values imposed: zero mean and unit variance, or ±1 about a threshold"
    )
    threshold: float = Field(0.5, description="standardized pixels above it become +1, for pixels = sign")
    amplitude: float = Field(20.0, gt=0, description="A, bias imposed per unit of pixel value, k_BT")
    hidden_code: Literal["crop", "random"] = Field(
        "crop", description="pattern imposed on hidden units: part of the same image, or random signs of each class"
    )
    crop_start: int = Field(136, ge=0, description="first pixel of the crop; it wraps around")
    hidden_amplitude: float = Field(20.0, ge=0, description="A_h, bias imposed per unit of hidden code, k_BT")
    ramp: Literal["linear", "quadratic", "cosine"] = Field("quadratic", description="how imposed biases fall to zero")
    duration: float = Field(2.5, gt=0, description="t_f, length of a noising trajectory")
    dt: float = Field(1e-3, gt=0, description="time step of the noising")
    method: Literal["likelihood", "descent"] = Field(
        "likelihood", description="closed-form maximum likelihood, or the paper's gradient descent"
    )
    statistics: Literal["expected", "sampled"] = Field(
        "expected", description="computed from one-dimensional moments, or sampled on a device"
    )
    trajectories: int = Field(
        240,
        ge=1,
        le=2**24,
        description="sampled statistics: noising trajectories in all; descent visits the images in turn",
    )
    learning_rate: float = Field(1.5e-4, gt=0, le=1e3, description="alpha of Eqs. 8-9")
    ridge: float = Field(0.0, ge=0, description="penalty ridge/4 · Σ J² on the log-likelihood per unit time")
    hidden_biases: bool = Field(False, description="learn biases of hidden units")
    upright: float = Field(0.025, ge=0, description="share of the mean noising field held on hidden units")
    errors: CouplingErrors = Field(
        default_factory=CouplingErrors, description="what the device is expected to make of the couplings"
    )
    unit_law: Literal["stated", "measured"] = Field(
        "stated",
        description="on-site law of sampled statistics: the one asked for, or measured on the device's noising",
    )
    seed: int = Field(1, ge=0, lt=2**63, description="of all noise in training")

    @field_validator("dt")
    @classmethod
    def _whole_number_of_steps(cls, dt: float, info: ValidationInfo) -> float:
        duration = info.data.get("duration")  # absent where it was refused itself
        if duration is not None:
            steps = min(duration / dt, MAX_STEPS + 1)
            if not 0 < steps <= MAX_STEPS or abs(round(steps) - steps) > 1e-6 * steps:
                raise ValueError(f"must divide the duration {duration:g} into a whole number of 1 … {MAX_STEPS} steps")
        return dt

    @property
    def descent_time(self) -> float:
        """Get τ = α · trajectories · t_f / 2, the total "time" of the descent of Eqs. 8–9."""
        return self.learning_rate * self.trajectories * self.duration / 2


def preset_names() -> list[str]:
    """Get the names of the presets that ship with the package."""
    folder = resources.files("thermohw.training") / "presets"
    return sorted(entry.name.removesuffix(".toml") for entry in folder.iterdir() if entry.name.endswith(".toml"))


def load_config(preset: str, overrides: Mapping[str, Any] | None = None) -> TrainingConfig:
    """Get a preset's configuration, with some values overridden.

    Raises:
        TrainingError: An unknown preset or key, or a value out of range.
    """
    if preset not in preset_names():
        raise TrainingError(f"unknown preset {preset!r}; there are: {', '.join(preset_names())}")
    text = (resources.files("thermohw.training") / "presets" / f"{preset}.toml").read_text(encoding="utf-8")
    return parse_config({"preset": preset, **tomllib.loads(text), **(overrides or {})}, f"preset {preset}")


def parse_config(values: Mapping[str, Any], where: str) -> TrainingConfig:
    """Check configuration values.

    Raises:
        TrainingError: An unknown key, or a value out of range; names each.
    """
    try:
        return TrainingConfig.model_validate(dict(values))
    except ValidationError as error:
        problems = "; ".join(f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors())
        raise TrainingError(f"{where}: {problems}. Keys are: {', '.join(TrainingConfig.model_fields)}") from error
