# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The second engine, TensorFlow Lite Micro: what a firmware of engine=tflm is made from."""
