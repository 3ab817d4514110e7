# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Puts what the demos really print into README.md, between `<!-- demo -->` and `<!-- end -->`.

`python tools/readme_output.py` builds and runs the demo, `python tools/readme_output.py wake` the
one of the sleeping device (some minutes); tests/docs fails when a number in the README is more than
5 % off.
"""

import os
import re
import subprocess
import sys

from torpor.paths import ROOT

README = ROOT / "README.md"
BLOCK = re.compile(r"(<!-- demo -->\n```\n)(.*?)(```\n<!-- end -->)", re.S)
WAKE_BLOCK = re.compile(r"(<!-- wake -->\n```\n)(.*?)(```\n<!-- end -->)", re.S)
ROWS = 4
TABLE_HEAD = 4  # lines above the first row: title, blank line, column names, rule


def excerpt(printed: str) -> str:
    """Return the first rows of the first table and the whole summary, from the demo's output."""
    lines = [line.rstrip() for line in printed.splitlines()]
    summary = next(i for i, line in enumerate(lines) if re.search(r"\bint8 +int4$", line))
    table = [line for line in lines[: TABLE_HEAD + ROWS] if line]
    rest = [line for line in lines[summary:] if line]
    return "\n".join([*table, " …", *rest]) + "\n"


def numbers(text: str) -> dict[str, list[float]]:
    """Return the numbers of each row of the summary, by what stands before them."""
    rows = re.findall(r"^ ([^\d\n]+?) {2,}(\d.*)$", text, re.M)
    return {
        name: [float(number.replace(",", "")) for number in re.findall(r"[\d,.]+", row)]
        for name, row in rows
    }


def wake_rows(text: str) -> dict[str, list[float]]:
    """Return the numbers of each line of the table of `torpor demo wake`, by the scene's name."""
    rows = re.findall(r"^ +([a-z]+(?: [a-z]+ \d+ dB)?) {2,}([\d, M.%]+)$", text, re.M)
    return {
        name: [float(number.replace(",", "")) for number in re.findall(r"[\d,.]+", row)]
        for name, row in rows
    }


def printed(*words: str) -> str:
    """Return what a demo prints on a terminal of 80 columns."""
    command = [sys.executable, "-m", "torpor", "demo", *words]
    environment = os.environ | {"COLUMNS": "80"}
    shown = subprocess.run(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, check=True
    )
    return shown.stdout


def main() -> int:
    """Run a demo and renew the README."""
    text = README.read_text()
    if sys.argv[1:] == ["wake"]:
        lines = [line.rstrip() for line in printed("wake").splitlines()]
        fresh = "\n".join(lines) + "\n"
        text = WAKE_BLOCK.sub(lambda match: match[1] + fresh + match[3], text)
    else:
        fresh = excerpt(printed("motion"))
        text = BLOCK.sub(lambda match: match[1] + fresh + match[3], text)
    README.write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
