# SPDX-License-Identifier: Apache-2.0
"""What the programs of a sweep are judged by: the references and the path moments of one training."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thermohw.errors import TrainingError
from thermohw.program import Program
from thermohw.samples import Samples
from thermohw.storage import digest_arrays
from thermohw.sweep.points import Measure
from thermohw.topology import Topology
from thermohw.training import TrainingRun, score
from thermohw.training.quadratic import PathQuadratic

FIDELITY: dict[Measure, str] = {
    "recognised": "recognised",
    "correlation": "correlation",
    "purity": "purity",
    "diversity": "entropy",
    "upright": "upright",
}
"""Measures of a sweep that are scores of `Fidelity`, by their names there."""


@dataclass(frozen=True, eq=False)
class Judge:
    """Judges samples and programs by one training: the same measure for all programs of a sweep.

    Attributes:
        program: The program at strength zero, in floating point.
        run: Its training; None for a program alone, of which only the heat can be told.
    """

    program: Program
    run: TrainingRun | None = None

    @property
    def topology(self) -> Topology:
        """Get the topology of the trained program."""
        return self.program.topology

    @cached_property
    def digest(self) -> str:
        """Get a digest of all that judging depends on, 64 hex digits."""
        arrays: dict[str, NDArray[Any]] = {"program": np.array(self.program.digest)}
        if self.run is not None:
            arrays |= {"references": self.run.references, "labels": self.run.reference_labels}
            moments = self.run.moments
            if moments is not None:
                arrays |= {"mean": moments.mean, "force": moments.force, **vars(moments.second)}
        return digest_arrays(arrays)

    @cached_property
    def quadratic(self) -> PathQuadratic | None:
        """Get the likelihood of couplings and all biases; None where the training's path moments are not known.

        It is zero where J = 0 and b = 0, and of the trained program negative.
        """
        if self.run is None or self.run.moments is None:
            return None
        return PathQuadratic(self.run.moments, self.topology, np.arange(self.topology.units))

    @cached_property
    def gain(self) -> float:
        """Get the trained program's −ln P̃ per unit time less that of J = 0, b = 0; NaN where it is not known."""
        if self.quadratic is None:
            return float("nan")
        return self.quadratic.gain(self.quadratic.pack(self.program.couplings, self.program.biases))

    def judges_likelihood(self, program: Program) -> bool:
        """Get whether a program's likelihood can be told: moments are known, and it couples the same pairs."""
        return bool(self.gain < 0) and program.topology.same_as(self.topology)

    def likelihood(self, realised: Program) -> float:
        """Get the gain in log-likelihood over J = 0, b = 0 of couplings and biases, in units of the trained program's.

        1 for the trained program, 0 for none, negative for one that is worse than none. On-site energies, dynamics and
        readout have no part in it.

        Raises:
            TrainingError: It cannot be told.
        """
        if self.quadratic is None or not self.judges_likelihood(realised):
            raise TrainingError("the likelihood of this program cannot be told by the path moments of that training")
        return self.quadratic.gain(self.quadratic.pack(realised.couplings, realised.biases)) / self.gain

    def fidelity(self, samples: Samples) -> dict[Measure, float]:
        """Get the scores of samples against the references, by the names in FIDELITY; none for a program alone.

        Raises:
            TrainingError: The samples have another number of visible units than the references.
        """
        if self.run is None:
            return {}
        fidelity = score(samples.visible_states, self.run.references, self.run.reference_labels)
        scores: dict[Measure, float] = {
            name: float(getattr(fidelity, attribute)) for name, attribute in FIDELITY.items()
        }
        return {name: value for name, value in scores.items() if np.isfinite(value)}
