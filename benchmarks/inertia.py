# SPDX-License-Identifier: Apache-2.0
"""What inertia does to a trained computer: how late digits come, how hot it gets, and when friction has cooled it.

Run by `devices.py`. m* = (m/γ)/t0 is the time in which friction stops a free unit, in reduced units. An unstable mode
of eigenvalue κ beyond the growth line grows as e^{st} with m* s² + s = κ: s = κ without inertia, √(κ/m*) with much of
it. The energy that it sets free is kinetic first, and leaves as heat at the rate 1/m*, that of a ringing oscillator.
"""

from dataclasses import dataclass, replace
from typing import cast

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from thermohw import RunPlan, TrainingRun
from thermohw.backends import EmulatedDevice, open_device
from thermohw.cards import REFERENCE_J2, MechanicalCard, load_card
from thermohw.figures.canvas import BLUE, GREY, RED, TIME_LABEL
from thermohw.training.fidelity import RECOGNISED, correlations, score

CHAINS, RECORDS, POINTS = 32, 400, 10
MASSES = (0.01, 0.1, 1.0, 10.0, 100.0)
"""m* of oscillators that differ from `mechanical_cantilever` in their quality factor alone."""
HEAT_SHARE = 0.9
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Course:
    """How samples come about on one device.

    Attributes:
        name: The device.
        mass: m*.
        growth: Rate s of the fastest mode, from theory.
        times: (records,) times of one recorded ensemble.
        correlation: (records,) mean |correlation| of its states with a digit.
        durations: (points,) durations of further, independent ensembles.
        quality: (points,) their mean |correlation|.
        temperature: (points,) their kinetic temperature ⟨m v²⟩/k_BT; NaN without inertia.
        temperature_error: (points,) its standard error.
        heat: (points,) mean heat so far, k_BT.
    """

    name: str
    mass: float
    growth: float
    times: Floats
    correlation: Floats
    durations: Floats
    quality: Floats
    temperature: Floats
    temperature_error: Floats
    heat: Floats

    @property
    def onset(self) -> float:
        """Get the time at which the mean |correlation| first reaches that of a recognised digit."""
        return float(np.interp(RECOGNISED, *self._rise()))

    @property
    def emission(self) -> float:
        """Get the time by which 90 % of the heat has left."""
        share = self.heat / self.heat[-1]
        last = int(np.argmax(share >= HEAT_SHARE))
        points = slice(max(last - 1, 0), last + 1)
        return float(np.exp(np.interp(HEAT_SHARE, share[points], np.log(self.durations[points]))))

    def _rise(self) -> tuple[Floats, Floats]:
        first = int(np.argmax(self.correlation >= RECOGNISED))
        return self.correlation[: first + 1], self.times[: first + 1]


def oscillator(mass: float) -> MechanicalCard:
    """Get the card of a cantilever whose quality factor Q = √(m*·2 J2) makes its inertia m*."""
    card = cast(MechanicalCard, load_card("mechanical_cantilever"))
    quality = card.components.quality_factor.model_copy(update={"value": (2 * REFERENCE_J2 * mass) ** 0.5})
    return card.model_copy(update={"components": card.components.model_copy(update={"quality_factor": quality})})


def growth_rate(mass: float, excess: float) -> float:
    """Get the positive root s of m s² + s = excess."""
    return 2 * excess / (1 + (1 + 4 * mass * excess) ** 0.5)


def follow(run: TrainingRun, name: str, device: EmulatedDevice) -> Course:
    """Run ensembles of increasing duration, from the first growth until friction has taken the energy."""
    mass = device.spec.mass
    growth = growth_rate(mass, run.metrics["leading_mode"] - run.metrics["growth_line"])
    device.program(run.program)
    early = _recorded(run, device, 20 / growth)
    durations = np.geomspace(2 / growth, 20 / growth + 5 * mass, POINTS)
    quality, temperature, error, heat = (np.full(POINTS, np.nan) for _ in range(4))
    print(
        f"\n{name}: m* = {mass:.3g}\n  duration  |correlation|  recognised  entropy  kinetic temperature  heat (k_BT)"
    )
    for point, duration in enumerate(durations):
        samples = device.run(RunPlan(float(duration), CHAINS, seed=point + 2))
        fidelity = score(samples.visible_states, run.references, run.reference_labels)
        quality[point], heat[point] = fidelity.correlation, samples.heat.mean()
        if samples.velocities is not None:
            kinetic = mass * np.mean(samples.velocities.astype(np.float64) ** 2, axis=1)
            temperature[point], error[point] = kinetic.mean(), kinetic.std(ddof=1) / CHAINS**0.5
        print(
            f"{duration:10.2f} {fidelity.correlation:10.3f} {fidelity.recognised:13.2f} {fidelity.entropy:10.2f} "
            f"{temperature[point]:10.3f} ± {error[point]:.3f} {heat[point]:14.0f} ± "
            f"{samples.heat.std(ddof=1) / CHAINS**0.5:.0f}",
            flush=True,
        )
    return Course(name, mass, growth, *early, durations, quality, temperature, error, heat)


def _recorded(run: TrainingRun, device: EmulatedDevice, duration: float) -> tuple[Floats, Floats]:
    """Get times and mean |correlation| (records,) of one ensemble."""
    plan = RunPlan(duration, CHAINS, seed=1)
    steps = plan.steps(cast(float, device.run(replace(plan, n_samples=1)).dt))  # of the step that the device chooses
    samples = device.run(replace(plan, record_every=max(1, steps // RECORDS), keep="trajectory"))
    assert samples.trajectory is not None and samples.times is not None
    frames = samples.trajectory[:, :, : samples.visible]
    strength = [np.abs(correlations(frames[:, k], run.references)).max(axis=1).mean() for k in range(frames.shape[1])]
    return samples.times, np.array(strength)


def study(run: TrainingRun) -> Figure:
    """Follow the ideal computer, devices with much inertia and oscillators of graded inertia; draw the courses."""
    with open_device("ideal", integrator="leimkuhler-matthews") as device:
        ideal = follow(run, "ideal", device)
    courses: list[Course] = []
    for card in (*map(oscillator, MASSES), "mechanical_cantilever", "josephson_flux"):
        with open_device(card) as device:
            name = card if isinstance(card, str) else "oscillator"
            courses.append(follow(run, name, device))
    decades = ideal.onset * ideal.growth
    print(f"\nideal: digits at {ideal.onset:.2f}, {decades:.2f} growth times; 90 % of the heat by {ideal.emission:.2f}")
    print("       m*  digits at  expected  hottest, k_BT        at  90 % of heat by  over m*")
    for course in courses:
        top = int(np.argmax(course.temperature))
        print(
            f"{course.mass:9.4g} {course.onset:10.2f} {decades / course.growth:9.2f} {course.temperature[top]:14.2f} "
            f"{course.durations[top]:9.2f} {course.emission:15.2f} {course.emission / course.mass:8.1f}  {course.name}"
        )
    return draw(ideal, courses)


def draw(ideal: Course, courses: list[Course]) -> Figure:
    """Draw quality and kinetic temperature against time, and two times against inertia."""
    figure = Figure(figsize=(10.4, 3.5), layout="constrained")
    axes = cast(list[Axes], figure.subplots(1, 3).tolist())
    for course, colour in zip((ideal, *courses[len(MASSES) :]), (GREY, BLUE, RED), strict=True):
        name = course.name.replace("_", " ") + (f", $m^* = {course.mass:.4g}$" if course.mass else ", no inertia")
        axes[0].plot(course.times[1:], course.correlation[1:], color=colour, linewidth=0.9, label=name)
        axes[0].plot(course.durations, course.quality, "o", color=colour, markersize=3.5)
        if course.mass:
            errors = course.temperature_error
            axes[1].errorbar(course.durations, course.temperature, errors, fmt="o", color=colour, ms=3.5, label=name)
            axes[1].axvline(course.mass, ymax=0.8, color=colour, linestyle=":", linewidth=1)
    for panel, level, words in ((axes[0], RECOGNISED, "recognised"), (axes[1], 1.0, "bath")):
        panel.axhline(level, color="black", linestyle="--", linewidth=0.8)
        panel.text(0.01, level, words, transform=panel.get_yaxis_transform(), va="bottom", fontsize=7.5)
    axes[0].set(xscale="log", xlabel=TIME_LABEL, ylabel="mean |correlation| with a digit", ylim=(0, 1.15))
    axes[1].set(xscale="log", xlabel=TIME_LABEL, ylabel=r"kinetic temperature $\langle m v^2 \rangle / k_\mathrm{B}T$")
    axes[1].set(xlim=(0.5, None), ylim=(0.95, 2.3))
    axes[1].set_title("dotted: $t = m^*$", fontsize=8)
    _draw_times(axes[2], ideal, courses)
    for panel in axes:
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(frameon=False, fontsize=7.5, loc="upper left")
    return figure


def _draw_times(axes: Axes, ideal: Course, courses: list[Course]) -> None:
    mass = np.array([course.mass for course in courses])
    fine: Floats = np.geomspace(float(mass.min()), float(mass.max()), 200)
    rates: list[float] = [growth_rate(one, ideal.growth) for one in fine.tolist()]
    slower = ideal.growth / np.array(rates)  # without inertia, s = κ
    axes.loglog(mass, [course.onset for course in courses], "o", color=BLUE, ms=4, label="digits: |correlation| 0.6")
    law = r"$t_1 \kappa / s$ with $m^* s^2 + s = \kappa$"
    axes.loglog(fine, ideal.onset * slower, color=BLUE, linewidth=0.9, label=law)
    axes.loglog(
        mass, [course.emission for course in courses], "s", color=RED, mfc="none", ms=5, label="90 % of the heat"
    )
    law = r"$t_2 \kappa / s + m^* \ln 10$"
    axes.loglog(fine, ideal.emission * slower + np.log(10) * fine, "--", color=RED, linewidth=0.9, label=law)
    axes.set(xlabel=r"inertia $m^*$ ($1/\mu k_\mathrm{B}T$)", ylabel=TIME_LABEL, ylim=(0.1, 1e6))
    axes.set_title("$t_1$, $t_2$: those of the ideal computer", fontsize=8)
