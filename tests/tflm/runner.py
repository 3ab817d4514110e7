# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The engine tflm as a process of its own (runner.c), for a test to talk to."""

import re
import struct
import subprocess
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from torpor.paths import FIRMWARE

_HEADER = (FIRMWARE / "infer" / "infer.h").read_text(encoding="utf-8")
STATUS = {
    int(number): name.lower()
    for name, number in re.findall(r"^ +INFER_(?:E_)?(\w+) = (\d+),", _HEADER, re.M)
}
"""Name of a status by its number: "ok", "arena", ..."""

_COMMANDS = (
    *("open", "check", "measure", "open_with", "put", "show"),
    *("get", "invoke", "step", "reset", "name"),
)
_MESSAGE = 96


@dataclass(frozen=True)
class Answer:
    """What a call says: the name of its status, and the message."""

    status: str
    message: str


class Runner:
    """A running engine; several models can be open in it, by number.

    Args:
        program: from tests.support.tflm.build_runner.
    """

    def __init__(self, program: Path) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen([program], stdin=pipe, stdout=pipe, stderr=pipe)

    def __enter__(self) -> "Runner":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        _, said = self._process.communicate()
        if kind is None:
            assert (self._process.returncode, said.decode()) == (0, "")

    def open(self, plan: bytes, arena: int, *, number: int = 0, beside: int = 0) -> Answer:
        """Open `plan` in an arena of `arena` bytes from its byte `beside` on."""
        self._send("open", number, _counted(plan), struct.pack("<II", arena, beside))
        return self._answer()

    def open_with(self, plan: bytes, tensor_arena: int, *, number: int = 0) -> Answer:
        """Open `plan` with a tensor arena of its own size."""
        self._send("open_with", number, _counted(plan), struct.pack("<I", tensor_arena))
        return self._answer()

    def check(self, plan: bytes) -> tuple[str, int]:
        """Return status and index of infer_check()."""
        self._send("check", 0, _counted(plan))
        return STATUS[self._word()], struct.unpack("<i", self._take(4))[0]

    def measure(self, plan: bytes, arena: int) -> tuple[Answer, int, int]:
        """Return what tflm_measure() says: how it ended, tensor arena, bytes used."""
        self._send("measure", 0, _counted(plan), struct.pack("<I", arena))
        return self._answer(), self._word(), self._word()

    def put(self, value: bytes, *, index: int = 0, number: int = 0) -> None:
        """Write an input."""
        self._send("put", number, struct.pack("<I", index), value)

    def show(self, *, index: int = 0, number: int = 0) -> bytes:
        """Return what an input holds; nothing where there is no such input."""
        self._send("show", number, struct.pack("<I", index))
        return self._take(self._word())

    def get(self, *, index: int = 0, number: int = 0) -> bytes:
        """Return an output; nothing where there is no such output."""
        self._send("get", number, struct.pack("<I", index))
        return self._take(self._word())

    def invoke(self, *, number: int = 0) -> Answer:
        """Make an inference."""
        self._send("invoke", number)
        return self._answer()

    def step(self, op: int, *, number: int = 0) -> None:
        """Run one operator."""
        self._send("step", number, struct.pack("<I", op))

    def reset(self, *, number: int = 0) -> None:
        """Forget what the model keeps."""
        self._send("reset", number)

    def engine(self) -> str:
        """Return the engine's name."""
        self._send("name", 0)
        return self._take(self._word()).decode()

    def end(self) -> tuple[int, str]:
        """Wait for the process to end, which is not asked to; return exit code and stderr."""
        assert self._process.stderr is not None
        said = self._process.stderr.read().decode()
        return self._process.wait(), said

    def _send(self, command: str, number: int, *rest: bytes) -> None:
        assert self._process.stdin is not None
        head = struct.pack("<II", _COMMANDS.index(command), number)
        self._process.stdin.write(b"".join([head, *rest]))
        self._process.stdin.flush()

    def _answer(self) -> Answer:
        status = STATUS[self._word()]
        return Answer(status, self._take(_MESSAGE).split(b"\0")[0].decode("ascii"))

    def _word(self) -> int:
        return int(struct.unpack("<I", self._take(4))[0])

    def _take(self, count: int) -> bytes:
        assert self._process.stdout is not None
        found = self._process.stdout.read(count)
        assert len(found) == count, f"the engine has died: {self.end()}"
        return found


def _counted(plan: bytes) -> bytes:
    return struct.pack("<I", len(plan)) + plan
