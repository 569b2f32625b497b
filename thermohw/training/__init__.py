# SPDX-License-Identifier: Apache-2.0
"""From images to a trained program."""

from thermohw.training.config import TrainingConfig as TrainingConfig
from thermohw.training.config import load_config as load_config
from thermohw.training.config import preset_names as preset_names
from thermohw.training.fidelity import Fidelity as Fidelity
from thermohw.training.fidelity import score as score
from thermohw.training.run import train as train
from thermohw.training.trained import TrainingRun as TrainingRun
