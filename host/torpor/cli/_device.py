# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What the commands that talk to a device share: where it is, and who is at the other end."""

import argparse
import contextlib
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from torpor.cli import whole_number
from torpor.errors import DeviceError

if TYPE_CHECKING:
    from torpor.update.device import Device


def add_port_arguments(parser: argparse.ArgumentParser, *, required: bool = True) -> None:
    """Declare --port and --baud."""
    parser.add_argument(
        "--port",
        required=required,
        metavar="PORT",
        help="of the device: /dev/ttyACM0, unix:PATH, socket://HOST:PORT",
    )
    parser.add_argument(
        "--baud", type=whole_number(1), default=115200, metavar="N", help="default: %(default)s"
    )


@contextlib.contextmanager
def open_device(
    args: argparse.Namespace, on_text: Callable[[str], None] | None = None
) -> "Iterator[Device]":
    """Give the device at args.port, connected.

    Raises:
        DeviceError: nobody answers there, or a firmware that knows nothing of updates.
    """
    from torpor.update.device import Device, NoAnswerError  # noqa: PLC0415  (imports smpclient)

    with Device(args.port, baud=args.baud, on_text=on_text) as device:
        try:
            device.connect()
        except NoAnswerError:
            if device.speaks_records():
                raise DeviceError(
                    "the firmware of this device cannot be updated: it was built without slots",
                    "load the bootloader and an image once: scons board=... image",
                ) from None
            raise
        yield device
