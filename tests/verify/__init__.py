# SPDX-License-Identifier: Apache-2.0
"""Where bytes differ, and the smallest model in which they do."""
