# SPDX-License-Identifier: Apache-2.0
"""UNIDIRECTIONAL_SEQUENCE_LSTM, whose states the invocations of a case share."""

from tests.fuzz.graphs import Sketch, generator
from tests.support.lstm import GATES, Lstm


@generator("UNIDIRECTIONAL_SEQUENCE_LSTM")
def lstm(s: Sketch, _name: str) -> list[int]:
    dtype = s.draw.pick(("int8", "int16"))
    x = s.activation(3, dtypes=(dtype,), at_most=400)
    first, second, in_n = s.graph.shape(x)
    time_major = s.draw.chance(0.3)
    wide = dtype == "int16"
    layer = Lstm(
        batches=second if time_major else first,
        steps=first if time_major else second,
        in_n=in_n,
        out_n=s.draw.integer(1, 9),
        wide=wide,
        time_major=time_major,
        hidden=(s.draw.power(-16, -14) if wide else s.draw.power(-8, -5), s.zero_point(dtype)),
        cell_scale=s.draw.power(-16, -8) if s.draw.chance(0.3) else 2.0 ** -s.draw.integer(9, 15),
        weight_scales=tuple(s.draw.power(-9, -3) for _ in range(2 * GATES)),
        bias=1 << s.draw.pick((8, 12, 17)),
        cell_clip=s.draw.pick((0.0, 10.0, 0.5)),
        seed=s.draw.below(1 << 16),
    )
    return [layer.add_to(s.graph, x)]
