# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What is known of a device, from the events that came from it. Pure."""

from torpor.monitor.document import Snapshot

__all__ = ["Snapshot"]
