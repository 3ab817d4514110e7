# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where the monitor's servers listen: on this computer only, unless a host is named."""

import contextlib
import ipaddress
import socket
from dataclasses import dataclass

from torpor.errors import UsageError

LOOPBACK = "127.0.0.1"
WEB_PORT = 8765


@dataclass(frozen=True)
class Address:
    """A TCP address to listen at. Port 0: any that is free."""

    host: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    @property
    def family(self) -> socket.AddressFamily:
        """IPv6 for literals of it, else IPv4."""
        return socket.AF_INET6 if ":" in self.host else socket.AF_INET

    @property
    def from_here(self) -> "Address":
        """Where to connect to, which is this address unless it stands for all of this computer."""
        ip = _ip(self.host)
        if ip is None or not ip.is_unspecified:
            return self
        return Address("::1" if ip.version == 6 else LOOPBACK, self.port)

    @property
    def is_public(self) -> bool:
        """Whether other computers may get here."""
        ip = _ip(self.host)
        return self.host != "localhost" and (ip is None or not ip.is_loopback)


def parse(text: str, port: int = WEB_PORT) -> Address:
    """Return the address that "HOST:PORT", "HOST", "PORT", ":PORT", "[::1]:PORT" or "" stands for.

    Args:
        text: what the user has written; without a host it is this computer only.
        port: the one where `text` has none.

    Raises:
        UsageError: it is none of these.
    """
    host, has_colon, number = text.rpartition(":")
    if text.endswith("]") or not has_colon:  # [::1] or a single word
        host, number = ("", text) if _is_number(text) else (text, str(port))
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        valid = isinstance(_ip(host), ipaddress.IPv6Address)
    else:
        valid = ":" not in host and not set(host) & set("[]/?#@ ")
    if not valid or not _is_number(number) or int(number) > 65535:
        raise UsageError(f"'{text}' is no address to listen at", "HOST:PORT, as 127.0.0.1:8765")
    return Address(host or LOOPBACK, int(number))


def may_ask(host_header: str | None, address: Address) -> bool:
    """Return whether a request with this Host header was meant for us.

    A page elsewhere can have its own name resolve to this computer and would then count as the same
    origin as we. That needs a name, so numbers are fine, and so are the names that we know.
    """
    if not host_header:
        return False
    host, number = host_header.lower(), ""
    if not host.endswith("]"):
        head, colon, tail = host.rpartition(":")
        host, number = (head, tail) if colon else (tail, "")
    if number and not _is_number(number):
        return False
    return host in ("localhost", address.host.lower()) or _ip(host.strip("[]")) is not None


def cannot_listen(address: Address, error: OSError, option: str) -> UsageError:
    """Return what to tell when the system does not let us listen at `address`."""
    reason = (error.strerror or str(error)).lower()
    hint = f"give another address: {option}" if option else ""
    return UsageError(f"cannot serve at {address}: {reason}", hint)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5


def _ip(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    with contextlib.suppress(ValueError):
        return ipaddress.ip_address(text)
    return None
