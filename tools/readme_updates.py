# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Puts into README.md, between `<!-- updates -->` and `<!-- end -->`, what an update really prints.

`python -m tools.readme_updates` builds images, keeps a device running in QEMU, brings it an image
that crashes and one that does not, and writes down commands and output. A test fails when the words
differ.
"""

import os
import re
import signal
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.emulated import updatable
from torpor.paths import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- updates -->\n```console\n)(.*?)(```\n<!-- end -->)", re.S)
TORPOR = [sys.executable, "-m", "torpor"]
BOARD = "mps2_an386"
ENVIRONMENT = os.environ | {"COLUMNS": "90", "PYTHONPATH": f"{ROOT / 'host'}"}


def _shown(words: str, folder: Path) -> str:
    """Run a command of torpor as a user does; return it with what it prints on stdout."""
    done = subprocess.run(
        [*TORPOR, *words.split()[1:]],
        cwd=folder,
        env=ENVIRONMENT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        check=False,
    )
    lines = [line.rstrip() for line in done.stdout.splitlines()]
    return "\n".join([f"$ {words}", *(line for line in lines if line)]) + "\n"


def session() -> str:
    """Return commands and output of an update that is confirmed and of one that is not."""
    kit = updatable.kit(BOARD)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for file, image in (("new.bin", kit.new), ("crashing.bin", kit.crashing)):
            (folder / file).write_bytes(image.data)
        emulate = [*TORPOR, "emulate", "--board", BOARD, "--flash", "flash", "--link", "port"]
        process = subprocess.Popen(
            emulate, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True
        )
        try:
            assert process.stdout
            process.stdout.readline()
            commands = (
                "torpor update crashing.bin --port port",
                "torpor update new.bin --port port",
                "torpor history --port port",
                "torpor slots --port port",
            )
            return "".join(_shown(words, folder) for words in commands)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(30)


def words_of(text: str) -> str:
    """Return a session without its numbers, which change with every build."""
    return re.sub(r"0x[0-9a-f]+|\b[0-9a-f]{8}\b|[\d,]+|─+|  +", " ", text)


def main() -> int:
    """Run the session and renew the README."""
    fresh = session()
    README.write_text(BLOCK.sub(lambda found: found[1] + fresh + found[3], README.read_text()))
    print(fresh)
    return 0


if __name__ == "__main__":
    sys.exit(main())
