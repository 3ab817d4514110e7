# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What SConstruct needs to build a firmware: options, generators, and the build steps."""
