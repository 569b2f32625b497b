# SPDX-License-Identifier: Apache-2.0
"""Byte streams with deadlines, and the frames that both ends of a line share: blocks, checksums, checked lines."""

from thermohw.transport.blocks import block as block
from thermohw.transport.blocks import with_checksum as with_checksum
from thermohw.transport.blocks import without_checksum as without_checksum
from thermohw.transport.checked_lines import seal as seal
from thermohw.transport.checked_lines import unseal as unseal
from thermohw.transport.recording import RecordingTransport as RecordingTransport
from thermohw.transport.stream import SerialTransport as SerialTransport
from thermohw.transport.stream import Transport as Transport
