# SPDX-License-Identifier: Apache-2.0
"""What `show` tells of a run, a program, a table or samples."""

from matplotlib.figure import Figure

from thermohw import figures
from thermohw.cli.sources import Source
from thermohw.program import Program
from thermohw.report import OUTCOMES, program_figures
from thermohw.samples import Samples
from thermohw.spectrum import mode_spectrum
from thermohw.statistics import Estimate

Rows = list[tuple[str, str | int | float]]


def describe(source: Source) -> tuple[Rows, dict[str, Figure]]:
    """Get lines (what, value) and figures of a source."""
    if source.samples is not None:
        return _samples(source.samples, source.image_shape)
    program = source.runnable()
    rows: Rows = []
    if source.run is not None:
        config = source.run.config
        rows += [("kind", "trained run"), ("preset", config.preset), ("method", config.method)]
        rows += [("images", str(source.run.metrics.get("source", "unknown")))]
        rows += [("classes", ", ".join(map(str, source.run.classes)))]
    elif source.table is not None:
        rows += [("kind", "coupling table"), ("method", source.table.method), ("digest", source.table.digest)]
        for block, bits in source.table.bits.items():
            rows.append((f"{block}", f"{bits} bits, {source.table.scales[block]:.4g} k_BT a code"))
    else:
        rows.append(("kind", "program"))
    return rows + _program(program), program_figures(program, source.image_shape)


def _program(program: Program) -> Rows:
    topology, spectrum = program.topology, mode_spectrum(program)
    strongest = float(abs(program.couplings).max(initial=0.0))
    return [
        ("units", f"{topology.visible} visible, {topology.hidden} hidden"),
        ("couplings", len(program.couplings)),
        ("largest |J| (k_BT)", round(strongest, 6)),
        ("J2, J4 of unit 0 (k_BT)", f"{program.J2[0]:g}, {program.J4[0]:g}"),
        ("modes of −J that grow", spectrum.growing),
        ("leading mode of −J (k_BT)", round(float(spectrum.eigenvalues[0]), 4)),
        ("growth line 1/⟨x²⟩₀ (k_BT)", round(spectrum.growth_line, 4)),
        ("program digest", program.digest),
    ]


def _samples(samples: Samples, shape: tuple[int, int] | None) -> tuple[Rows, dict[str, Figure]]:
    heat = Estimate.of(samples.heat)
    rows: Rows = [
        ("kind", "samples"),
        ("samples", len(samples.heat)),
        ("units", f"{samples.visible} visible of {samples.states.shape[1]}"),
        ("mean heat (k_BT)", str(heat)),
        ("standard deviation of heat (k_BT)", round(heat.standard_deviation, 3)),
        ("seed", samples.seed),
        ("program digest", str(samples.provenance.get("program", "unknown"))),
    ]
    drawn = {"heat": figures.heat_histogram(samples.heat, heat.mean, heat.standard_error)}
    if shape is not None and len(samples.states):
        drawn["outcomes"] = figures.outcomes(samples.visible_states[:OUTCOMES], shape)
    return rows, drawn
