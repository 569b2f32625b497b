# SPDX-License-Identifier: Apache-2.0
"""Netlists of RC networks: what they say, what ngspice makes of them, and what is refused."""

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from test_spice_rawfile import raw_bytes

from thermohw.backends.rc_circuit import RCCircuit, RCComponents
from thermohw.errors import DivergenceError, FileFormatError, PlanError, ProgramError, SimulatorError, ThermoHWError
from thermohw.langevin.noise import normals
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.spice import Netlist, run
from thermohw.spice.netlist import noise_amplitude
from thermohw.spice.network import fastest_relaxation, rms_voltages
from thermohw.topology import Topology

needs_ngspice = pytest.mark.skipif(shutil.which("ngspice") is None, reason="ngspice is not installed")

NETWORK = RCComponents(
    capacitance=1e-9,
    noise_conductance=1e-3,
    thermal_energy=2.5e-12,
    linear_conductance=np.array([1e-3, 0.5e-3, -0.5e-3]),
    cubic_conductance=np.array([0.0, 0.2, 1 / 3]),
    bias_current=np.array([10e-6, 0.0, 15e-6]),
    pairs=np.array([[0, 1], [0, 2], [1, 2]], np.int32),
    coupling_conductance=np.array([-0.4e-3, 0.0, -0.3e-3]),
)


def example(**changes: Any) -> Netlist:
    arguments: dict[str, Any] = {"duration": 1e-5, "noise_interval": 2e-8, "seed": 7}
    return Netlist(NETWORK, **(arguments | changes))


def lines(netlist: Netlist, start: str) -> list[str]:
    return [line for line in str(netlist).splitlines() if line.startswith(start)]


# What a netlist says


def test_elements_carry_the_components_at_full_precision_and_zeros_are_left_out() -> None:
    netlist = example(initial=np.array([0.1, 0.0, -0.2]))
    assert lines(netlist, "C") == [f"C{unit} n{unit} 0 1e-09" for unit in range(3)]
    assert lines(netlist, "B") == [
        "B0 n0 0 I=0.001*v(n0)",
        "B1 n1 0 I=0.0005*v(n1)+0.2*v(n1)*v(n1)*v(n1)",
        "B2 n2 0 I=-0.0005*v(n2)+0.3333333333333333*v(n2)*v(n2)*v(n2)",
    ]
    assert lines(netlist, "Ib") == ["Ib0 n0 0 DC 1e-05", "Ib2 n2 0 DC 1.5e-05"]
    assert lines(netlist, "G") == [
        "G0_1 n0 0 n1 0 -0.0004",
        "G1_0 n1 0 n0 0 -0.0004",
        "G1_2 n1 0 n2 0 -0.0003",
        "G2_1 n2 0 n1 0 -0.0003",
    ]
    assert lines(netlist, ".ic") == [".ic v(n0)=0.1", ".ic v(n1)=0.0", ".ic v(n2)=-0.2"]


def test_noise_has_the_spectrum_of_the_noise_conductance() -> None:
    amplitude = np.sqrt(2 * 2.5e-12 * 1e-3 / 2e-8)
    assert lines(example(), "In") == [
        f"In{unit} 0 n{unit} DC 0 TRRANDOM(2 2e-08 0 {float(amplitude)!r} 0)" for unit in range(3)
    ]


def test_the_control_block_makes_batch_mode_enough() -> None:
    text = str(example(output="a.raw"))
    assert text.endswith(
        ".tran 2e-08 1e-05 0 2e-08 uic\n.control\nset filetype=binary\nsetseed 7\nrun\nwrite a.raw\nquit\n.endc\n.end\n"
    )
    assert text.startswith("thermohw RC network of 3 units\n* ")


def test_a_seed_is_chosen_and_recorded() -> None:
    first, second = example(seed=None), example(seed=None)
    assert first.seed != second.seed
    assert f"setseed {first.seed}\n" in str(first)


def test_given_currents_change_at_finite_edges_that_keep_their_integral() -> None:
    currents = np.array([[1e-4, 0.0, 1.0], [-3e-4, 0.0, 2.0], [2e-4, 0.0, -1.0], [5e-4, 0.0, 0.5]])
    netlist = example(duration=8e-8, currents=currents)
    assert "setseed" not in str(netlist)
    sources = re.findall(r"^In(\d) 0 n\1 DC 0 PWL\(([^)]*)\)$", str(netlist), re.MULTILINE)
    assert [unit for unit, _ in sources] == ["0", "1", "2"]
    for unit, (_, points) in enumerate(sources):
        times, values = np.array(points.replace("+", "").split(), np.float64).reshape(-1, 2).T
        assert (np.diff(times) > 0).all() and (times[0], times[-1]) == (0.0, pytest.approx(8e-8))
        middles = (np.arange(4) + 0.5) * 2e-8
        np.testing.assert_array_equal(np.interp(middles, times, values), currents[:, unit])
        charge = [np.interp(middles[k : k + 2], times, values).sum() for k in range(3)]
        grid = np.union1d(times, middles)
        current = np.interp(grid, times, values)
        for k, expected in enumerate(charge):  # from one middle to the next
            inside = (grid >= middles[k]) & (grid <= middles[k + 1])
            assert np.trapezoid(current[inside], grid[inside]) == pytest.approx(expected * 1e-8, rel=1e-9, abs=1e-20)


def test_provenance_cannot_leave_its_comment() -> None:
    text = str(example(provenance={"card": "a\n.control\nshell b\r\\\\", "scale\n.end": "1 µs"}))
    assert "\n* card: a .control shell b //\n* scale .end: 1 ?s\n" in text
    assert text.isascii()


def test_the_paper_sized_network_is_streamed(tmp_path: Path) -> None:
    topology = Topology.layered(784, 512)
    units, pairs = topology.units, len(topology.pairs)
    same = {name: np.full(units, value) for name, value in (("linear_conductance", 2e-2), ("cubic_conductance", 1.0))}
    network = replace(
        NETWORK,
        **same,
        bias_current=np.full(units, 1e-5),
        pairs=topology.pairs,
        coupling_conductance=np.linspace(1e-6, 2e-6, pairs),
    )
    path = Netlist(network, duration=1e-6, noise_interval=1e-9, seed=1).save(tmp_path / "paper.cir")
    with path.open() as file:
        assert sum(line.startswith("G") for line in file) == 2 * 532_224


# Times and voltages to be expected


def test_rms_voltages_are_exact_for_linear_units_and_an_upper_bound_for_others() -> None:
    theta = 2.5e-12 * 1e-3 / 1e-9
    bounds = rms_voltages(NETWORK)
    assert bounds[0] >= np.sqrt(theta / 1e-3 + 1e-4)  # the mean is −I_b/g1 = −10 mV
    assert rms_voltages(replace(NETWORK, bias_current=np.zeros(3)))[0] == pytest.approx(np.sqrt(theta / 1e-3))
    v = np.linspace(-0.5, 0.5, 2001)
    for unit in (1, 2):
        g1, g3 = NETWORK.linear_conductance[unit], NETWORK.cubic_conductance[unit]
        density = np.exp(-((g3 / 4 * v**2 + g1 / 2) * v**2 + NETWORK.bias_current[unit] * v) / theta)
        assert 1 <= bounds[unit] ** 2 / np.average(v**2, weights=density) < 2


def test_the_default_noise_interval_is_a_fiftieth_of_the_fastest_relaxation() -> None:
    linear = replace(NETWORK, cubic_conductance=np.zeros(3), linear_conductance=np.array([1e-3, 1e-3, 2e-3]))
    alone = replace(linear, coupling_conductance=np.zeros(3))
    assert fastest_relaxation(alone) == pytest.approx(1e-9 / 2e-3)
    assert Netlist(alone, duration=1e-5).interval == pytest.approx(1e-8)
    rates = np.array([[1.0, -0.4, 0], [-0.4, 1.0, -0.3], [0, -0.3, 2.0]]) * 1e6
    assert 1 / fastest_relaxation(linear) == pytest.approx(np.linalg.eigvalsh(rates).max())


# What is refused


@pytest.mark.parametrize(
    "name", ["", "a b", "a/b", "../a", "-r", ".a", 'a"', "a\n", "a;b", "ä", "a" * 101, "a\0b", "$a"]
)
def test_names_that_ngspice_could_misread_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(FileFormatError, match="letters, digits"):
        example(output=name)
    if "/" not in name and name:
        with pytest.raises(FileFormatError, match="letters, digits"):
            example().save(tmp_path / name)


def test_a_netlist_is_not_overwritten_by_its_output(tmp_path: Path) -> None:
    with pytest.raises(FileFormatError, match="different names"):
        example(output="a").save(tmp_path / "a")
    path = tmp_path / "a"
    path.write_text(str(example(output="a")))
    with pytest.raises(FileFormatError, match="overwritten"):
        run(path)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"seed": 0}, "1 … 2³¹ − 1"),
        ({"seed": 2**31}, "1 … 2³¹ − 1"),
        ({"duration": float("nan")}, "noise interval"),
        ({"duration": float("inf")}, "noise interval"),
        ({"duration": 1e-9}, "noise interval"),
        ({"noise_interval": 0.0}, "noise interval"),
        ({"initial": np.zeros(2)}, "initial voltages"),
        ({"initial": np.full(3, 1e3)}, "initial voltages"),
        ({"initial": np.full(3, np.nan)}, "initial voltages"),
        ({"currents": np.zeros((500, 2))}, "currents must be finite"),
        ({"currents": np.full((500, 3), np.inf)}, "currents must be finite"),
        ({"currents": np.zeros((499, 3))}, "duration needs 500"),
        ({"currents": np.zeros((2501, 3))}, "at most 2500"),
    ],
)
def test_what_cannot_be_simulated_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(PlanError, match=message):
        example(**changes)


@pytest.mark.parametrize(("linear", "cubic"), [(-1e-3, 0.0), (0.0, 0.0), (1e-3, -0.1), (1e-3, float("nan"))])
def test_a_unit_that_is_not_confined_is_refused(linear: float, cubic: float) -> None:
    network = replace(NETWORK, linear_conductance=np.full(3, linear), cubic_conductance=np.full(3, cubic))
    with pytest.raises(ProgramError, match="unit 0 is not confined"):
        Netlist(network, duration=1e-5)


# Running it: first a stand-in for ngspice, whose outcome the test decides


Pretend = Callable[..., Path]


@pytest.fixture
def pretend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Pretend:
    """Put a script named ngspice on the PATH; get a function that sets what it writes and does, and the netlist."""

    def set_up(result: bytes = b"", script: str = "exit 0") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        copying = "/bin/cp bin/result network.raw\n" if result else ""
        (folder / "result").write_bytes(result)
        (folder / "ngspice").write_text(f"#!/bin/sh\n{copying}{script}\n")
        (folder / "ngspice").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder))
        return example().save(tmp_path / "net.cir")

    return set_up


NODES = ["v(n0)", "v(n1)", "v(n2)"]


def result(last: float = 1e-5, voltages: NDArray[np.float64] | None = None, nodes: list[str] = NODES) -> bytes:
    return raw_bytes(nodes, np.array([1e-9, 5e-6, last]), np.zeros((3, 3)) if voltages is None else voltages)


def test_a_run_that_kept_its_promises_is_read(pretend: Pretend) -> None:
    found = run(pretend(result()))
    assert (found.variables, found.times[-1]) == (tuple(NODES), 1e-5)


@pytest.mark.parametrize(
    ("outcome", "error", "message"),
    [
        ((b"", "exit 0"), SimulatorError, r"wrote no network\.raw"),
        ((b"", "echo Error: no such vector; exit 0"), SimulatorError, "no such vector"),
        ((result(), "echo Error on line 3; exit 1"), FileFormatError, r"exit status 1\): Error on line 3"),
        ((result(last=9e-6), "exit 0"), DivergenceError, "stopped at 9e-06 s of 1e-05 s"),
        (
            (result(voltages=np.array([[0, 0, 0], [0, 18.0, 0], [0, 0, 0]])), "exit 0"),
            DivergenceError,
            r"v\(n1\) is 18",
        ),
        ((result(nodes=["v(n0)", "v(n1)", "v(n3)"]), "exit 0"), FileFormatError, "the netlist saves"),
        ((result()[:-1], "exit 0"), FileFormatError, "bytes from byte"),
    ],
)
def test_an_outcome_that_cannot_be_trusted_is_an_error(
    pretend: Pretend, outcome: tuple[bytes, str], error: type[ThermoHWError], message: str
) -> None:
    with pytest.raises(error, match=message):
        run(pretend(*outcome))


def test_a_result_left_from_before_is_not_taken_for_a_new_one(pretend: Pretend) -> None:
    netlist = pretend()
    (netlist.parent / "network.raw").write_bytes(result())
    with pytest.raises(SimulatorError, match="wrote no"):
        run(netlist)


def test_a_run_that_does_not_end_is_stopped(pretend: Pretend) -> None:
    with pytest.raises(SimulatorError, match=r"did not end within 0\.2 s"):
        run(pretend(script="exec /bin/sleep 60"), timeout=0.2)


def test_without_ngspice_the_error_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SimulatorError, match="apt-get install ngspice"):
        run(example().save(tmp_path / "net.cir"))


@pytest.mark.parametrize("line", ["write network.raw", "* voltage limit", ".tran"])
def test_only_netlists_of_thermohw_are_run(pretend: Pretend, line: str) -> None:
    netlist = pretend(result())
    netlist.write_text("".join(kept for kept in netlist.read_text().splitlines(True) if not kept.startswith(line)))
    with pytest.raises(FileFormatError, match="0 lines"):
        run(netlist)


# ngspice itself


@needs_ngspice
def test_ngspice_repeats_a_seed_bit_for_bit(tmp_path: Path) -> None:
    first, again, other = (run(example(seed=seed).save(tmp_path / "net.cir")) for seed in (7, 7, 8))
    np.testing.assert_array_equal(first.values, again.values)
    assert abs(first.resample(2e-8).values - other.resample(2e-8).values).max() > 1e-3


@needs_ngspice
@pytest.mark.parametrize(
    ("edit", "error"),
    [
        (("+0.2*", "-0.2*"), DivergenceError),
        (("\nrun\n", "\nstop when time > 5e-6\nrun\n"), DivergenceError),
        (("\nrun\n", "\n"), FileFormatError),
        (("C0 n0 0 1e-09", "Q0 nothing"), FileFormatError),
        (("\nquit\n", "\n"), FileFormatError),
    ],
)
def test_what_ngspice_lets_pass_is_caught(tmp_path: Path, edit: tuple[str, str], error: type[ThermoHWError]) -> None:
    path = example(initial=np.full(3, 0.2)).save(tmp_path / "net.cir")
    text = path.read_text()
    assert text.count(edit[0]) == 1
    path.write_text(text.replace(*edit))
    with pytest.raises(error):
        run(path)


# Path by path: ngspice and the RC backend on the same noise

PROGRAM = Program(Topology.complete(3), np.array([10.0, 5.0, -5.0]), np.array([1.0, 10.0, 15.0]),
                  biases=np.array([2.0, -1.0, 0.5]), couplings=np.array([-4.0, 2.0, -3.0]))  # fmt: skip
START = np.array([0.2, -0.1, 0.3])
STEP, STEPS = 2e-4, 2000
"""In t0: less than a hundredth of the fastest relaxation time, of which 14 pass."""


def both_paths(
    folder: Path, seed: int, alter: Callable[[RCComponents], RCComponents] = lambda components: components
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Get the voltages (steps, units) of the backend at seed 5 and of ngspice at `seed`, with components altered."""
    with RCCircuit("rc_board", integrator="euler-maruyama", precision="float64") as device:
        device.program(PROGRAM)
        plan = RunPlan(STEP * STEPS, 1, dt=STEP, initial=START[None], keep="trajectory", seed=5)
        trajectory = device.run(plan).trajectory
        components, scale = device.components(PROGRAM), device.scale
    assert trajectory is not None
    interval = STEP * scale.time
    noise = np.concatenate([normals(seed, [0], step, 3) for step in range(STEPS)])
    netlist = Netlist(
        alter(components),
        duration=STEPS * interval,
        noise_interval=interval,
        currents=noise_amplitude(components, interval) * noise,
        initial=START * scale.length,
    )
    voltages = run(netlist.save(folder / "net.cir")).resample(interval).values
    return trajectory[0, 1:].astype(np.float64) * scale.length, voltages


def relative_rms(pair: tuple[NDArray[np.float64], NDArray[np.float64]]) -> NDArray[np.float64]:
    """Get each unit's rms difference in units of its standard deviation."""
    expected, found = pair
    return np.sqrt(np.mean((found - expected) ** 2, axis=0)) / expected.std(axis=0)


@needs_ngspice
def test_ngspice_follows_the_rc_backend_path_by_path(tmp_path: Path) -> None:
    assert relative_rms(both_paths(tmp_path, seed=5)).max() < 0.01


@needs_ngspice
def test_other_noise_or_other_components_make_another_path(tmp_path: Path) -> None:
    assert relative_rms(both_paths(tmp_path, seed=6)).min() > 0.1
    for name in ("cubic_conductance", "bias_current", "coupling_conductance"):
        wrong = both_paths(tmp_path, 5, lambda right, name=name: replace(right, **{name: 1.1 * getattr(right, name)}))
        assert relative_rms(wrong).max() > 0.01
