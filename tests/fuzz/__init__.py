# SPDX-License-Identifier: Apache-2.0
"""Random small models, each compared with TensorFlow Lite Micro; `tools/fuzz.py` runs many.

draw.py        random choices that can be replayed and made smaller
graphs.py      a model of several operators, from one generator an operator
operators/     the generators
compare.py     one model: our C and TFLM on the same inputs
isolation.py   work in forked processes, because TFLM can crash
vectors.py     models as text, for what has failed once
"""
