# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""firmware/duty, against models in Python that share nothing with it."""
