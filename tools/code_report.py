# SPDX-License-Identifier: Apache-2.0
"""Reports lengths of functions, #if density and the ratio of tests to code, and enforces the caps.

Lengths run from signature to closing brace. The caps are those of CONTRIBUTING.md: a function of
C at most 100 lines, of Python at most 80, less than one preprocessor conditional per 100 lines of
C (include guards and C++ guards not counted).
"""

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import tree_sitter_c
from tree_sitter import Language, Node, Parser

ROOT = Path(__file__).resolve().parents[1]
CAP_C, CAP_PYTHON, CAP_IF = 100, 80, 1.0
GUARD = re.compile(r"^\s*#\s*if(ndef\s+\w+_H$|def\s+__cplusplus)", re.M)
CONDITIONAL = re.compile(r"^\s*#\s*(if|elif)", re.M)


@dataclass(frozen=True)
class Function:
    """One function: where it stands and how many lines it has."""

    where: str
    name: str
    lines: int


def python_functions(where: str, text: str) -> list[Function]:
    """Return all functions and methods of a Python source."""
    nodes = ast.walk(ast.parse(text))
    return [
        Function(f"{where}:{n.lineno}", n.name, (n.end_lineno or n.lineno) - n.lineno + 1)
        for n in nodes
        if isinstance(n, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


def _nodes(node: Node, kind: str) -> Iterable[Node]:
    if node.type == kind:
        yield node
    for child in node.children:
        yield from _nodes(child, kind)


def c_functions(where: str, text: str) -> list[Function]:
    """Return all function definitions of a C source."""
    tree = Parser(Language(tree_sitter_c.language())).parse(text.encode())
    functions = []
    for node in _nodes(tree.root_node, "function_definition"):
        declarator = next(iter(_nodes(node, "function_declarator")), None)
        name = declarator.text.decode().split("(")[0] if declarator and declarator.text else "?"
        lines = node.end_point[0] - node.start_point[0] + 1
        functions.append(Function(f"{where}:{node.start_point[0] + 1}", name, lines))
    return functions


def conditionals_per_100(texts: Iterable[str]) -> float:
    """Return preprocessor conditionals per 100 non-blank lines, guards not counted."""
    count = lines = 0
    for text in texts:
        count += len(CONDITIONAL.findall(text)) - len(GUARD.findall(text))
        lines += sum(1 for line in text.splitlines() if line.strip())
    return 100 * count / max(lines, 1)


def _tracked(*patterns: str) -> list[Path]:
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "--", *patterns]
    output = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / line for line in output.splitlines() if (ROOT / line).is_file()]


def _summary(title: str, functions: list[Function], cap: int) -> list[Function]:
    lengths = sorted(f.lines for f in functions) or [0]
    p95 = lengths[min(len(lengths) - 1, int(0.95 * len(lengths)))]
    print(
        f"{title:<8} {len(functions):5} functions  median {statistics.median(lengths):g}"
        f"  p95 {p95}  longest {lengths[-1]}  (cap {cap})"
    )
    return [f for f in functions if f.lines > cap]


def _line_count(paths: Iterable[Path]) -> int:
    return sum(len(p.read_text().splitlines()) for p in paths)


def main() -> int:
    """Print the report; return 1 if a cap is broken."""
    c_paths = _tracked("firmware/*.c", "firmware/*.h", "firmware/*.cc")
    py_paths = _tracked("host/*.py", "site_scons/*.py", "tools/*.py", "models/*.py", "SConstruct")
    c_texts = {str(p.relative_to(ROOT)): p.read_text() for p in c_paths}
    py_texts = {str(p.relative_to(ROOT)): p.read_text() for p in py_paths}
    too_long = _summary("C", [f for k, v in c_texts.items() for f in c_functions(k, v)], CAP_C)
    too_long += _summary(
        "Python", [f for k, v in py_texts.items() for f in python_functions(k, v)], CAP_PYTHON
    )
    density = conditionals_per_100(c_texts.values())
    print(f"#if      {density:.2f} per 100 lines of C (cap {CAP_IF:g})")
    code, tests = (
        _line_count([*c_paths, *py_paths]),
        _line_count(_tracked("tests/*.py", "tests/*.c")),
    )
    print(f"tests    {tests} lines for {code} lines of code: {tests / max(code, 1):.2f}")
    for function in too_long:
        print(f"too long: {function.where} {function.name}: {function.lines} lines")
    return int(bool(too_long) or density >= CAP_IF)


if __name__ == "__main__":
    sys.exit(main())
