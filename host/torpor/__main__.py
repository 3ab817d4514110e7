# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Lets `python -m torpor` be the same as `torpor`: the build calls it so."""

import sys

from torpor.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
