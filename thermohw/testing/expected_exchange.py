# SPDX-License-Identifier: Apache-2.0
"""Tests of drivers without hardware: what must be sent, and what is answered."""

from collections.abc import Generator, Sequence
from contextlib import contextmanager

from thermohw.testing.scripted_transport import ScriptedTransport


@contextmanager
def expected_exchange(script: Sequence[tuple[bytes, bytes]], name: str = "scripted") -> Generator[ScriptedTransport]:
    r"""Play a script to a driver, and check that it sends exactly that and reads all of the answers.

        with expected_exchange([(b"*IDN?\n", b"thermohw,ideal,0,0.1.0 protocol 1.0\n")]) as transport:
            transport.write(b"*IDN?\n")
            assert transport.read_line(1.0).startswith(b"thermohw")

    Args:
        script: (sent, answer) of each exchange.
        name: What the transport calls itself.

    Raises:
        AssertionError: The first byte that differs, with both sides; or what is left over at the end.
    """
    transport = ScriptedTransport(script, name)
    yield transport
    transport.check_finished()
