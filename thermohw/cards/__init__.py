# SPDX-License-Identifier: Apache-2.0
"""Device cards: what a device is made of, can represent and costs, each number with unit, source and status."""

from thermohw.cards.fields import EnergyCosts as EnergyCosts
from thermohw.cards.fields import Range as Range
from thermohw.cards.kinds import REFERENCE_J2 as REFERENCE_J2
from thermohw.cards.kinds import REFERENCE_J4 as REFERENCE_J4
from thermohw.cards.kinds import AnyCard as AnyCard
from thermohw.cards.kinds import DeviceCard as DeviceCard
from thermohw.cards.kinds import IdealCard as IdealCard
from thermohw.cards.kinds import JosephsonCard as JosephsonCard
from thermohw.cards.kinds import JosephsonParts as JosephsonParts
from thermohw.cards.kinds import MechanicalCard as MechanicalCard
from thermohw.cards.kinds import MechanicalParts as MechanicalParts
from thermohw.cards.kinds import RCCard as RCCard
from thermohw.cards.kinds import RCParts as RCParts
from thermohw.cards.reading import card_names as card_names
from thermohw.cards.reading import load_card as load_card
