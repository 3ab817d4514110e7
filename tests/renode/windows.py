# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Sends held-out windows to a device, and compares every byte with TensorFlow Lite Micro's.

`python -m tests.renode.windows PORT BITS FIRST COUNT` prints how many were equal and how many were
sent, as JSON. The two models, int8 and int4, answer differently in some windows: so it also says
how many of the device's answers are those of the other model.
"""

import contextlib
import json
import sys

from tests.emulated.updatable import MODEL
from torpor.golden import Golden
from torpor.link import DeviceClient, open_transport
from torpor.model import load_model, to_codes
from torpor.paths import BUILD, variant

Answers = list[list[bytes]]


def inputs_and_answers(bits: int, first: int, count: int) -> tuple[list[bytes], Answers]:
    """Return the codes of some windows, and what the model makes of them."""
    golden = Golden((BUILD / "models" / f"{variant(MODEL, bits)}.tflite").read_bytes())
    info = golden.inputs[0]
    xs, _ = load_model(MODEL).windows("test")
    codes = [to_codes(x, info).reshape(info.shape) for x in xs[first : first + count]]
    return [c.tobytes() for c in codes], [[o.tobytes() for o in golden.invoke([c])] for c in codes]


def main() -> int:
    """Run as a program."""
    port, bits, first, count = sys.argv[1], *map(int, sys.argv[2:])
    inputs, expected = inputs_and_answers(bits, first, count)
    _, others = inputs_and_answers(12 - bits, first, count)
    with contextlib.closing(open_transport(port, 115200)) as transport:
        client = DeviceClient(transport, timeout=10)
        client.hello()
        answers = [list(client.infer(first + i, [x]).outputs) for i, x in enumerate(inputs)]
    print(
        json.dumps(
            {
                "sent": len(inputs),
                "equal": sum(a == e for a, e in zip(answers, expected, strict=True)),
                "other": sum(a == e for a, e in zip(answers, others, strict=True)),
            }
        )
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
