# SPDX-License-Identifier: Apache-2.0
"""The SPICE netlist of an RC network, for ngspice in batch mode.

    C dV_i/dt = −g1 V_i − g3 V_i³ − I_b − Σ_j G_ij V_j + I_n,i        ⟨I_n I_n⟩ = 2 k_BT_eff g_n δ

Node n<i> carries the capacitor C<i>, the behavioural source B<i> (g1 and g3), the transconductances G<i>_<j>, the bias
source Ib<i> and the noise source In<i>. A Gaussian current that is held for NT at a time and has the standard deviation
√(2 k_BT_eff g_n/NT) has the spectrum of I_n at frequencies well below 1/NT.
"""

import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import KW_ONLY, dataclass, field
from itertools import pairwise
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thermohw.backends.rc_circuit import RCComponents
from thermohw.errors import FileFormatError, PlanError
from thermohw.langevin.noise import choose_seed
from thermohw.spice.network import fastest_relaxation, voltage_limit
from thermohw.storage import atomic_file

INTERVALS = 50
"""Noise intervals in the fastest relaxation time by default: variances are then within 2 %; with 10, within 5 %."""
MAX_CURRENT_INTERVALS = 2500
"""Most intervals of given currents: ngspice searches the whole list, two points an interval, at every time point."""
EDGE = 0.01
"""Share of an interval that a given current takes to change, centred on the change, so that its integral is exact."""
MAX_SEED = 2**31 - 1

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


def check_name(name: str) -> str:
    """Check the name of a file that ngspice is to read or write, and get it.

    Raises:
        FileFormatError: It is not 1 to 100 letters, digits and `. _ -`, starting with a letter or digit.
    """
    if not _NAME.fullmatch(name):
        raise FileFormatError(
            f"{name!r} cannot be the name of a netlist or of its output: use up to 100 letters, digits and . _ -, "
            "starting with a letter or digit"
        )
    return name


@dataclass(frozen=True, eq=False)
class Netlist:
    """A transient simulation of an RC network; `ngspice -b FILE` runs it and writes the node voltages to `output`.

    ngspice solves the nodes as a dense system: up to 16 units for statistics, up to 64 for one comparison of paths.

    Attributes:
        components: The network.
        duration: Simulated time, s.
        output: Name of the binary raw file that ngspice writes, in the folder in which it runs.
        noise_interval: NT, s; None for 1/50 of the fastest relaxation time.
        seed: Of ngspice's noise, 1 … 2³¹ − 1; None chooses one. Not used where `currents` are given.
        currents: (intervals, units) noise currents to hold for NT each, A, instead of ngspice's own Gaussian noise.
        initial: (units,) voltages at the start, V; None for zeros.
        provenance: Comments that say where the network comes from: digest of the program, card, scale.

    Raises:
        PlanError: A time, seed, array or voltage that is out of range or of the wrong shape.
        ProgramError: A unit that no conductance of its own confines.
        FileFormatError: `output` is not a plain file name.
    """

    components: RCComponents
    _: KW_ONLY
    duration: float
    output: str = "network.raw"
    noise_interval: float | None = None
    seed: int | None = None
    currents: NDArray[np.float64] | None = None
    initial: NDArray[np.float64] | None = None
    provenance: Mapping[str, str] = field(default_factory=dict[str, str])

    def __post_init__(self) -> None:
        check_name(self.output)
        seed = choose_seed() % MAX_SEED + 1 if self.seed is None else self.seed
        if not 1 <= seed <= MAX_SEED:
            raise PlanError(f"ngspice takes seeds 1 … 2³¹ − 1, got {seed}")
        object.__setattr__(self, "seed", seed)
        if self.noise_interval is None:
            object.__setattr__(self, "noise_interval", fastest_relaxation(self.components) / INTERVALS)
        if not (np.isfinite(self.duration) and 0 < self.interval <= self.duration):
            raise PlanError(
                f"the noise interval must lie between 0 and the duration {self.duration} s, got {self.interval} s"
            )
        initial = np.zeros(self.units) if self.initial is None else np.array(self.initial, np.float64)
        limit = voltage_limit(self.components)
        if initial.shape != (self.units,) or not (np.abs(initial) < limit).all():
            raise PlanError(f"initial voltages must have shape ({self.units},) and lie within ±{limit:.3g} V")
        object.__setattr__(self, "initial", initial)
        if self.currents is not None:
            object.__setattr__(self, "currents", self._checked_currents(np.array(self.currents, np.float64)))

    @property
    def units(self) -> int:
        """Get the number of units, and of nodes."""
        return len(self.components.linear_conductance)

    @property
    def interval(self) -> float:
        """Get the noise interval NT, s."""
        assert self.noise_interval is not None
        return float(self.noise_interval)

    @property
    def noise_amplitude(self) -> float:
        """Get the standard deviation of the noise currents, √(2 k_BT_eff g_n/NT), A."""
        return noise_amplitude(self.components, self.interval)

    def save(self, path: str | os.PathLike[str]) -> Path:
        """Write the netlist, line by line and atomically.

        Raises:
            StorageError: The file cannot be written.
            FileFormatError: The file's name is not plain, or is that of the output.
        """
        target = Path(path)
        if check_name(target.name) == self.output:
            raise FileFormatError(f"{target}: the netlist and its output need different names")
        with atomic_file(target) as file:
            file.writelines(f"{line}\n".encode() for line in self.lines())
        return target

    def __str__(self) -> str:
        return "".join(f"{line}\n" for line in self.lines())

    def lines(self) -> Iterator[str]:
        """Get the lines of the netlist one by one."""
        yield from self._comments()
        yield from self._elements()
        yield from self._couplings()
        yield from self._noise_sources()
        assert self.initial is not None
        yield from (f".ic v(n{unit})={voltage!r}" for unit, voltage in enumerate(self.initial.tolist()))
        yield from (f".save v(n{unit})" for unit in range(self.units))
        yield f".tran {self.interval!r} {float(self.duration)!r} 0 {self.interval!r} uic"
        yield from (".control", "set filetype=binary")
        if self.currents is None:
            yield f"setseed {self.seed}"
        yield from ("run", f"write {self.output}", "quit", ".endc", ".end")

    def _comments(self) -> Iterator[str]:
        components = self.components
        yield f"thermohw RC network of {self.units} units"
        for key, value in self.provenance.items():
            yield f"* {_printable(key)}: {_printable(value)}"
        yield f"* thermal energy: {float(components.thermal_energy)!r} J"
        yield f"* noise conductance: {float(components.noise_conductance)!r} S"
        yield f"* voltage limit: {voltage_limit(components)!r} V (a node beyond it has run away)"
        yield "* ngspice solves the nodes as a dense system: at most 16 units for statistics, 64 for one short path."
        yield "* Its time points cluster: interpolate to multiples of the noise interval before averaging."

    def _elements(self) -> Iterator[str]:
        components = self.components
        columns = (components.linear_conductance, components.cubic_conductance, components.bias_current)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for unit, (linear, cubic, bias) in enumerate(rows):
            v = f"v(n{unit})"
            yield f"C{unit} n{unit} 0 {float(components.capacitance)!r}"
            terms = [f"{value!r}*{factor}" for value, factor in ((linear, v), (cubic, f"{v}*{v}*{v}")) if value]
            yield f"B{unit} n{unit} 0 I={'+'.join(terms)}"
            if bias:
                yield f"Ib{unit} n{unit} 0 DC {bias!r}"

    def _couplings(self) -> Iterator[str]:
        conductances = self.components.coupling_conductance
        present = np.flatnonzero(conductances)
        for i, j, conductance in zip(*self.components.pairs[present].T, conductances[present], strict=True):
            value = repr(float(conductance))
            yield f"G{i}_{j} n{i} 0 n{j} 0 {value}"
            yield f"G{j}_{i} n{j} 0 n{i} 0 {value}"

    def _noise_sources(self) -> Iterator[str]:
        if self.currents is None:
            source = f"TRRANDOM(2 {self.interval!r} 0 {self.noise_amplitude!r} 0)"
            yield from (f"In{unit} 0 n{unit} DC 0 {source}" for unit in range(self.units))
            return
        for unit, currents in enumerate(self.currents.T.tolist()):
            yield f"In{unit} 0 n{unit} DC 0 PWL(0 {currents[0]!r}"
            for number, (before, after) in enumerate(pairwise(currents), 1):
                early, late = ((number + side * EDGE / 2) * self.interval for side in (-1, 1))
                yield f"+ {early!r} {before!r} {late!r} {after!r}"
            yield f"+ {len(currents) * self.interval!r} {currents[-1]!r})"

    def _checked_currents(self, currents: NDArray[np.float64]) -> NDArray[np.float64]:
        if currents.ndim != 2 or currents.shape[1] != self.units or not np.isfinite(currents).all():
            raise PlanError(f"currents must be finite, of shape (intervals, {self.units}), got {currents.shape}")
        needed = round(self.duration / self.interval)
        if not needed <= len(currents) <= MAX_CURRENT_INTERVALS:
            raise PlanError(
                f"{len(currents)} intervals of currents; the duration needs {needed}, and at most "
                f"{MAX_CURRENT_INTERVALS} go"
            )
        return currents


def noise_amplitude(components: RCComponents, interval: float) -> float:
    """Get √(2 k_BT_eff g_n/NT), the standard deviation of a noise current held for NT = `interval` (s), A."""
    return float(np.sqrt(2 * components.thermal_energy * components.noise_conductance / interval))


def _printable(text: str) -> str:
    """Keep a comment one line of ASCII; two backslashes at a line's end would join it to the next."""
    return " ".join(text.replace("\\", "/").encode("ascii", "replace").decode().split())
