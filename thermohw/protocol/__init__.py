# SPDX-License-Identifier: Apache-2.0
"""What the two ends of a line to a board say to each other (docs/protocol.md): capability, payloads, error numbers."""

from thermohw.protocol.capability import VERSION as VERSION
from thermohw.protocol.capability import Capability as Capability
from thermohw.protocol.capability import LineLimits as LineLimits
from thermohw.protocol.sample_payload import SampleLayout as SampleLayout
from thermohw.protocol.sample_payload import pack_samples as pack_samples
from thermohw.protocol.sample_payload import unpack_samples as unpack_samples
