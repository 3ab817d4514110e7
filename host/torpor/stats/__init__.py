# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""On-device statistics once more in Python: the same numbers from the same data. Pure."""
