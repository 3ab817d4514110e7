# SPDX-License-Identifier: Apache-2.0
"""Host side of torpor: quantize, compile, verify, build for and talk to microcontrollers."""

__version__ = "0.1.0"
