# SPDX-License-Identifier: Apache-2.0
"""The command line."""

from thermohw.cli.main import app as app
