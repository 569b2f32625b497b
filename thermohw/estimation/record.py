# SPDX-License-Identifier: Apache-2.0
"""Records of calibration: what was found on one device on one day, with all that it rests on, as a folder."""

import logging
import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from thermohw import __version__
from thermohw.device import ThermodynamicDevice
from thermohw.errors import CalibrationError, FileFormatError, StorageError
from thermohw.estimation.comparison import Difference, compare, deviations
from thermohw.estimation.estimates import Estimates
from thermohw.estimation.estimates_file import load_estimates, names_of, save_estimates
from thermohw.estimation.line_quality import judge_lines
from thermohw.estimation.lines import LineMoments
from thermohw.estimation.pairs import PairEstimates
from thermohw.estimation.pairs_file import load_pairs, save_pairs
from thermohw.estimation.probing import Probe
from thermohw.estimation.quality import Quality, judge
from thermohw.estimation.readings import file_of
from thermohw.estimation.request import FILE as REQUEST_FILE
from thermohw.estimation.request import Request, other_device
from thermohw.estimation.sealed import file_digest, write_sealed
from thermohw.estimation.statement import (
    ESTIMATES_FILE,
    FILE,
    PAIRS_FILE,
    PROGRAM_FILE,
    SCHEMA,
    Parameter,
    Statement,
)
from thermohw.program import Program

_log = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class CalibrationRecord:
    """A calibration as it stands in its folder.

    Attributes:
        folder: Where.
        statement: What `record.json` says.
        program: What was calibrated, as the device holds it.
        estimates: What was found.
        pairs: Of couplings one by one, where lines were found first; None if nobody asked.
    """

    folder: Path
    statement: Statement
    program: Program
    estimates: Estimates
    pairs: PairEstimates | None = None

    @classmethod
    def of(cls, probed: Probe) -> Self:
        """Estimate, judge and write the record of a device that was probed; one that stands there already is kept.

        Raises:
            CalibrationError: Nothing can be estimated from what was read; the readings are kept.
            StorageError: A file cannot be read or written.
            FileFormatError: A file of the record that stands there was changed since.
        """
        folder, request = probed.folder, probed.request
        if not probed.measured and (folder / FILE).exists():
            return cls.load(folder)
        estimates = probed.estimate()
        save_estimates(folder / ESTIMATES_FILE, estimates)
        readings = [file_of(folder, number) for number in range(request.recipe.patterns)]
        texts = [path.with_suffix(".csv") for path in readings]
        names = [
            REQUEST_FILE,
            PROGRAM_FILE,
            ESTIMATES_FILE,
            *(path.name for path in (*readings, *texts) if path.exists()),
        ]
        pairs = probed.estimate_pairs(estimates)
        if pairs is not None:
            save_pairs(folder / PAIRS_FILE, pairs)
            names.append(PAIRS_FILE)
        statement = Statement(
            date=datetime.now(UTC).replace(microsecond=0),
            version=__version__,
            request=request,
            method=estimates.method if pairs is None else "pairs",
            parameters={name: Parameter.of(estimates, name) for name in names_of(estimates.method)},
            reasons=dict(estimates.reasons),
            quality=_judge(probed, estimates, pairs),
            seconds=float(probed.seconds.sum()),
            files={name: file_digest(folder / name) for name in names},
        )
        write_sealed(folder / FILE, SCHEMA, statement.model_dump(mode="json"))
        return cls(folder, statement, probed.program, estimates, pairs)

    @classmethod
    def load(cls, folder: str | os.PathLike[str]) -> Self:
        """Read a record and check all of its files.

        Raises:
            StorageError: There is no record, or a file is missing or cannot be read.
            FileFormatError: A file is damaged, edited, or of another kind.
            CalibrationError: The files are not those of one calibration.
        """
        place = Path(folder)
        if not (place / FILE).exists():
            going = " (a calibration that is not finished: run it again)" if (place / REQUEST_FILE).exists() else ""
            raise StorageError(f"{place} holds no record of calibration, {FILE}{going}")
        statement = Statement.read(place / FILE)
        for name, digest in statement.files.items():
            if file_digest(place / name) != digest:
                raise FileFormatError(f"{place / name}: not the file that the record was made of: it was changed since")
        program = Program.load(place / PROGRAM_FILE)
        estimates = load_estimates(place / ESTIMATES_FILE, program)
        if estimates.method != ("lines" if statement.method == "pairs" else statement.method):
            raise CalibrationError(f"{place}: {FILE} and {ESTIMATES_FILE} are not of one method")
        if program.digest != statement.request.program or Request.read(place) != statement.request:
            raise CalibrationError(f"{place}: record, request and program are not of one calibration")
        names = names_of(estimates.method)
        if any(statement.parameters.get(name) != Parameter.of(estimates, name) for name in names):
            raise CalibrationError(f"{place}: {FILE} and {ESTIMATES_FILE} are not of one calibration")
        pairs = load_pairs(place / PAIRS_FILE, program) if statement.method == "pairs" else None
        return cls(place, statement, program, estimates, pairs)

    @property
    def request(self) -> Request:
        """Get what was asked."""
        return self.statement.request

    @property
    def age(self) -> timedelta:
        """Get the time since the record was made."""
        return datetime.now(UTC) - self.statement.date

    @property
    def outdated(self) -> str | None:
        """Get the warning that the record is older than its recipe allows, or from the future; None if it is not."""
        valid = self.request.recipe.valid_days
        if self.age < -timedelta(days=1):
            return f"{self.folder}: made on {self.statement.date:%Y-%m-%d}, which is yet to come: check the clocks"
        if valid is None or self.age <= timedelta(days=valid):
            return None
        days = self.age / timedelta(days=1)
        return f"{self.folder}: made {days:.0f} days ago, its recipe calls it good for {valid:g}: calibrate again"

    def deviations(self) -> list[Difference]:
        """Compare the estimates with what was programmed and what the device states."""
        return deviations(self.estimates, self.program, self.request.device)

    def changes_since(self, earlier: "CalibrationRecord") -> list[Difference]:
        """Compare the estimates with those of an earlier record, parameter by parameter.

        Raises:
            CalibrationError: It is of another program.
        """
        if earlier.program.digest != self.program.digest:
            raise CalibrationError(
                f"{earlier.folder} and {self.folder} are calibrations of different programs: "
                f"{earlier.program.digest[:12]}… and {self.program.digest[:12]}…"
            )
        return compare(earlier.estimates, self.estimates)

    def applies_to(self, device: ThermodynamicDevice, program: Program) -> None:
        """Check that the record is of this device and program; an old record is told in the log.

        Raises:
            CalibrationError: It is of another.
        """
        request = self.request
        difference = other_device(request.device, device.spec)
        if difference is not None:
            raise CalibrationError(f"{self.folder} is the calibration of {difference}")
        if program.digest not in (request.program, request.asked):
            raise CalibrationError(
                f"{self.folder} is the calibration of another program: {request.asked[:12]}… there, "
                f"{program.digest[:12]}… now"
            )
        if self.outdated is not None:
            _log.warning("%s", self.outdated)


def _judge(probed: Probe, estimates: Estimates, pairs: PairEstimates | None) -> Quality:
    moments, kT = probed.moments, probed.request.device.kT
    if isinstance(moments, LineMoments):
        return judge_lines(moments, estimates, kT, pairs)
    return judge(moments, estimates, kT)
