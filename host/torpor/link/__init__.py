# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Talks to a device over any stream of bytes: ports, sockets, and the client on top of them."""

from torpor.link.client import DeviceClient, Inference, LinkCounters, check_schema
from torpor.link.transport import SerialTransport, SocketTransport, Transport, open_transport

__all__ = [
    "DeviceClient",
    "Inference",
    "LinkCounters",
    "SerialTransport",
    "SocketTransport",
    "Transport",
    "check_schema",
    "open_transport",
]
