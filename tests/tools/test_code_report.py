# SPDX-License-Identifier: Apache-2.0
"""The code report measures what it says."""

from tools.code_report import c_functions, conditionals_per_100, python_functions

C_SOURCE = """\
#include <stdint.h>

static int one(int a)
{
    return a;
}

const char *two(const char *(*f)(int),
                int n)
{
    if (n) {
        return f(n);
    }

    return 0;
}
"""


def test_c_functions_are_measured_from_signature_to_brace() -> None:
    found = c_functions("x.c", C_SOURCE)
    assert [(f.where, f.name, f.lines) for f in found] == [("x.c:3", "one", 4), ("x.c:8", "two", 9)]


def test_python_methods_and_nested_functions_count() -> None:
    source = "class A:\n    def f(self):\n        def g():\n            pass\n        return g\n"
    assert [(f.name, f.lines) for f in python_functions("x.py", source)] == [("f", 4), ("g", 2)]


def test_include_guards_are_not_conditionals() -> None:
    guard = "#ifndef A_B_H\n#define A_B_H\nint x;\n#endif\n"
    assert conditionals_per_100([guard]) == 0
    assert conditionals_per_100([guard + "#if FOO\nint y;\n#endif\n"]) > 10
