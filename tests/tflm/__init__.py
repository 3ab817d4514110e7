# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Tests of engine=tflm: TensorFlow Lite Micro behind our interface."""
