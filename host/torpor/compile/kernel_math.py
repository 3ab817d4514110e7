# SPDX-License-Identifier: Apache-2.0
"""The integer arithmetic of kernels, exactly as they do it, for what is computed beforehand.

Qm.n: m integer bits, n fractional bits, and a sign. Sources: kernels/internal/common.cc and
gemmlowp's fixedpoint.h, roundings and polynomials included. The same as
firmware/infer/kernels/requantize.h and softmax_s8.c have in C.
"""

from torpor.compile.fixed_point import INT8_MAX, INT8_MIN, Rescale, code_range

INT32_MAX = (1 << 31) - 1
_EXP_OF_MINUS_EIGHTH = 1895147668
_THIRD = 715827883
_EXP_OF_POWERS = (1672461947, 1302514674, 790015084, 290630308, 39332535, 720401, 242)
"""exp(-1/4), exp(-1/2), exp(-1), ... exp(-16) in Q0.31."""


def wrap(value: int, bits: int = 32) -> int:
    """Return `value` as a signed integer of `bits` bits."""
    half = 1 << (bits - 1)
    return (value + half) % (2 * half) - half


def clamp_code(value: int, dtype: str) -> int:
    """Return the code of an integer type that is nearest to `value`."""
    lowest, highest = code_range(dtype)
    return min(max(value, lowest), highest)


def clamp_int8(value: int) -> int:
    """Return the int8 code nearest to `value`."""
    return min(max(value, INT8_MIN), INT8_MAX)


def high_mul(a: int, b: int, bits: int = 32) -> int:
    """Return 2 * a * b / 2^bits, rounded to the nearest, ties upwards, saturated."""
    product = (a * b + (1 << (bits - 2))) >> (bits - 1)
    return min(product, (1 << (bits - 1)) - 1)


def rounding_shr(value: int, shift: int) -> int:
    """Return value / 2^shift, rounded to the nearest, ties away from zero."""
    half = (1 << shift) >> 1
    return (value + half) >> shift if value >= 0 else -((-value + half) >> shift)


def saturating_shl(value: int, shift: int) -> int:
    """Return value << shift, as gemmlowp saturates it: beyond +-(2^(31 - shift) - 1)."""
    most = INT32_MAX >> shift
    if value > most:
        return INT32_MAX
    return value << shift if value >= -most else -INT32_MAX - 1


def requantize(value: int, rescale: Rescale) -> int:
    """Return value * rescale, rounded twice."""
    if rescale.shift > 0:
        value = wrap(value << rescale.shift)
    product = high_mul(value, rescale.multiplier)
    return rounding_shr(product, -rescale.shift) if rescale.shift < 0 else product


def _exp_of_fraction(a: int) -> int:
    """Return exp(a), a in [-1/4, 0), both Q0.31: a Taylor series around -1/8."""
    x = a + (1 << 28)
    x2 = high_mul(x, x)
    x3, x4 = high_mul(x2, x), high_mul(x2, x2)
    upper = high_mul(rounding_shr(x4, 2) + x3, _THIRD) + x2
    series = x + rounding_shr(upper, 1)
    return _EXP_OF_MINUS_EIGHTH + high_mul(_EXP_OF_MINUS_EIGHTH, series)


def exp_of_negative(a: int, integer_bits: int) -> int:
    """Return exp(a) in Q0.31 of a < 0 with `integer_bits` (at most 5) integer bits."""
    quarter = 1 << (31 - integer_bits - 2)
    fraction = (a & (quarter - 1)) - quarter
    result = _exp_of_fraction(saturating_shl(fraction, integer_bits))
    for i, power in enumerate(_EXP_OF_POWERS[: integer_bits + 2]):
        if (fraction - a) & quarter << i:
            result = high_mul(result, power)
    return result


def _two_over_one_plus(x: int) -> int:
    """Return 2 / (1 + x) in Q2.29 for x in [0, 1) in Q0.31: three Newton steps."""
    half = (x + INT32_MAX + 1) // 2
    guess = 1515870810 + high_mul(half, -1010580540)
    for _ in range(3):
        error = (1 << 29) - high_mul(half, guess)
        guess += saturating_shl(high_mul(guess, error), 2)
    return guess


def logistic(a: int) -> int:
    """Return 1 / (1 + exp(-a)) in Q0.31 of `a` in Q4.27."""
    if a == 0:
        return 1 << 30
    positive = saturating_shl(_two_over_one_plus(exp_of_negative(-abs(a), 4)), 1)
    return positive if a > 0 else INT32_MAX - positive


def tanh(a: int) -> int:
    """Return tanh(a) in Q0.31 of `a` in Q4.27."""
    if a == 0:
        return 0
    two = _two_over_one_plus(exp_of_negative(-abs(a), 5))
    positive = saturating_shl(two - (1 << 29), 2)
    return positive if a > 0 else -positive
