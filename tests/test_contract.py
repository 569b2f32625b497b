# SPDX-License-Identifier: Apache-2.0
"""The device contract: simulated devices and a wrapper keep it, and devices that are wrong on purpose break it."""

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import pytest

from thermohw.backends import SimulatedDevice
from thermohw.device import DeviceWrapper, Progress, ThermodynamicDevice
from thermohw.errors import DeviceLimitError
from thermohw.langevin.observer import Observer
from thermohw.plan import RunPlan
from thermohw.program import Program
from thermohw.samples import Readout
from thermohw.testing import DeviceContract


class TestIdealDevice(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return SimulatedDevice()


class TestFastHotDevice(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return SimulatedDevice(mobility=40.0, kT=2.5)


class TestDeviceInJoules(DeviceContract):
    samples = 256
    time_step = 0.005

    def make_device(self) -> ThermodynamicDevice:
        return SimulatedDevice(mobility=3e20, kT=4.1e-21, precision="float64")


class TestLeimkuhlerMatthewsDevice(DeviceContract):
    samples = 512
    time_step = 0.01

    def make_device(self) -> ThermodynamicDevice:
        return SimulatedDevice(0.5, 0.1, integrator="leimkuhler-matthews", precision="float64")


class TestReferenceDevice(DeviceContract):
    samples = 128
    time_step = 0.02

    def make_device(self) -> ThermodynamicDevice:
        return SimulatedDevice(engine="reference", integrator="leimkuhler-matthews")


class TestWrappedDevice(DeviceContract):
    def make_device(self) -> ThermodynamicDevice:
        return DeviceWrapper(SmallDevice())


class SmallDevice(SimulatedDevice):
    """A board of few units and modest couplings, that neither changes biases nor shows trajectories."""

    def __init__(self) -> None:
        super().__init__()
        limits = {"units": 7, "coupling_limit": 1.0, "bias_limit": 0.9, "schedules": False, "trajectories": False}
        self._spec = self._spec.model_copy(update=limits)


class Faulty(DeviceWrapper):
    """Claims to be an ideal device at kT = 1 and runs something else."""

    def __init__(
        self,
        child: ThermodynamicDevice,
        program: Callable[[Program], Program] = lambda program: program,
        plan: Callable[[RunPlan], RunPlan] = lambda plan: plan,
        readout: Callable[[Readout], Readout] = lambda readout: readout,
    ) -> None:
        super().__init__(child)
        self._spec = child.spec.model_copy(update={"kT": 1.0, "mobility": 1.0})
        self._change_program, self._change_plan, self._change_readout = program, plan, readout

    def _program(self, program: Program) -> None:
        self._child.program(self._change_program(program))

    def _run(self, plan: RunPlan, observers: Sequence[Observer], progress: Progress | None) -> Readout:
        return self._change_readout(self._child.run(self._change_plan(plan), observers, progress).readout())


def other_schedule(plan: RunPlan) -> RunPlan:
    return replace(plan, bias_schedule=None)


FAULTS: dict[str, tuple[Callable[[], ThermodynamicDevice], str]] = {
    "5 % too hot": (lambda: Faulty(SimulatedDevice(kT=1.05)), "test_equipartition"),
    "5 % too cold": (lambda: Faulty(SimulatedDevice(kT=0.95)), "test_equipartition"),
    "biases of the wrong sign": (
        lambda: Faulty(SimulatedDevice(), program=lambda program: program.with_biases(-program.biases)),
        "test_a_coupled_pair_is_boltzmann_distributed",
    ),
    "couplings of the wrong sign": (
        lambda: Faulty(SimulatedDevice(), program=lambda program: replace(program, couplings=-program.couplings)),
        "test_a_coupled_pair_is_boltzmann_distributed",
    ),
    "couplings 10 % too weak": (
        lambda: Faulty(SimulatedDevice(), program=lambda program: replace(program, couplings=0.9 * program.couplings)),
        "test_a_coupled_pair_is_boltzmann_distributed",
    ),
    "schedule ignored": (lambda: Faulty(SimulatedDevice(), plan=other_schedule), "test_a_schedule_replaces_the_biases"),
    "work of the wrong sign": (
        lambda: Faulty(SimulatedDevice(), readout=lambda readout: replace(readout, work=-readout.work)),
        "test_work_obeys_jarzynskis_equality",
    ),
    "no work": (
        lambda: Faulty(SimulatedDevice(), readout=lambda readout: replace(readout, work=0 * readout.work)),
        "test_work_obeys_jarzynskis_equality",
    ),
    "heat of the wrong sign": (
        lambda: Faulty(SimulatedDevice(), readout=lambda readout: replace(readout, heat=-readout.heat)),
        "test_heat_is_the_energy_lost",
    ),
    "chains not numbered": (
        lambda: Faulty(SimulatedDevice(), plan=lambda plan: replace(plan, first_chain=0)),
        "test_chains_are_numbered",
    ),
    "seed ignored": (
        lambda: Faulty(SimulatedDevice(), plan=lambda plan: replace(plan, seed=None)),
        "test_a_seed_fixes_the_samples",
    ),
    "seed constant": (
        lambda: Faulty(SimulatedDevice(), plan=lambda plan: replace(plan, seed=1)),
        "test_a_missing_seed_is_chosen_and_recorded",
    ),
    "states lost": (
        lambda: Faulty(SimulatedDevice(), plan=lambda plan: replace(plan, keep="none")),
        "test_brings_back_what_was_asked_for",
    ),
    "records at other times": (
        lambda: Faulty(SimulatedDevice(), plan=lambda plan: replace(plan, record_every=7)),
        "test_records_trajectories",
    ),
}


class TestFaultyDeviceWithoutFault(DeviceContract):
    """What the wrong devices below are made of is itself right."""

    def make_device(self) -> ThermodynamicDevice:
        return Faulty(SimulatedDevice())


@pytest.mark.parametrize("fault", FAULTS)
def test_a_wrong_device_breaks_the_contract(fault: str) -> None:
    make, test = FAULTS[fault]

    class Contract(DeviceContract):
        def make_device(self) -> ThermodynamicDevice:
            return make()

    arguments = ("both",) if test == "test_brings_back_what_was_asked_for" else ()
    with pytest.raises(AssertionError):
        getattr(Contract(), test)(*arguments)


def test_a_device_that_holds_less_than_its_spec_says_breaks_the_contract() -> None:
    class Boasting(SimulatedDevice):
        def _program(self, program: Program) -> None:
            raise DeviceLimitError("more than one coupling is too much for me")

    class Contract(DeviceContract):
        def make_device(self) -> ThermodynamicDevice:
            return Boasting()

    with pytest.raises(DeviceLimitError):
        Contract().test_runs_with_couplings(2)


@pytest.mark.parametrize(
    "arguments",
    [{"engine": "refrence"}, {"integrator": "heun"}, {"precision": "float16"}, {"kT": 0.0}, {"mobility": np.nan}],
)
def test_a_misspelt_or_impossible_simulator_is_refused(arguments: dict[str, object]) -> None:
    with pytest.raises(DeviceLimitError, match="must be"):
        SimulatedDevice(**arguments)  # pyright: ignore[reportArgumentType]
