# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The eight points of Ed25519 whose order is 1, 2, 4 or 8, in all ways to write them, computed."""

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493  # order of the base point
D = -121665 * pow(121666, -1, P) % P

Point = tuple[int, int]


def add(a: Point, b: Point) -> Point:
    """Add two points of -x^2 + y^2 = 1 + D x^2 y^2."""
    product = D * a[0] * b[0] * a[1] * b[1]
    x = (a[0] * b[1] + b[0] * a[1]) * pow(1 + product, -1, P)
    y = (a[1] * b[1] + a[0] * b[0]) * pow(1 - product, -1, P)
    return x % P, y % P


def times(count: int, point: Point) -> Point:
    """Add a point to itself."""
    total = (0, 1)
    while count:
        total = add(total, point) if count & 1 else total
        point, count = add(point, point), count >> 1
    return total


def on_curve(y: int) -> Point | None:
    """Return a point with this y, or None."""
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def _generator() -> Point:
    """Return a point of order 8: L times a point whose order has all of the cofactor."""
    for y in range(2, 100):
        point = on_curve(y)
        if point and times(4, found := times(L, point)) != (0, 1):
            return found
    raise AssertionError("there is one among the first few")


POINTS = [times(n, _generator()) for n in range(8)]


def _encodings() -> list[bytes]:
    """Return every 32 bytes that decode to one of POINTS: y below 2^255, either sign of x."""
    numbers = {y for _, point_y in POINTS for y in (point_y, point_y + P) if y < 2**255}
    return [(y | sign << 255).to_bytes(32, "little") for y in sorted(numbers) for sign in (0, 1)]


ENCODINGS = _encodings()
