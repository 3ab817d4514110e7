# SPDX-License-Identifier: Apache-2.0
"""The plan format: its layout, read from the C header, and a reader for reports and tests."""
