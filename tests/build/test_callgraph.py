# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The stack analysis on what GCC itself writes, and the list of what the compiler cannot see."""

import re
import shutil
import subprocess
import tomllib
from collections.abc import Mapping
from fnmatch import fnmatchcase

import pytest

from tests.build.test_footprint import graph
from torpor.board import board_names, load_board
from torpor.errors import BudgetError
from torpor.footprint.callgraph import CallGraph, StackAnalysis, worst_case
from torpor.footprint.measure import CALLS_TOML
from torpor.paths import FIRMWARE

COMPILERS = [c for c in ("gcc", "arm-none-eabi-gcc") if shutil.which(c)]
ONE = """
void far_away(void *);
static int __attribute__((noinline)) helper(int n) { char a[400]; far_away(a); return a[n]; }
int top(int n) { char a[100]; far_away(a); return helper(n) + a[n]; }
int leaf(int n) { return n + 1; }
"""
TWO = """
void far_away(void *);
static int __attribute__((noinline)) helper(int n) { char a[40]; far_away(a); return a[n]; }
int other(int n) { return helper(n) + 1; }
int through(int (*f)(int), int n) { return f(n) + 1; }
int again(int n) { char a[30]; far_away(a); return n ? again(n - 1) + a[n] : 0; }
int grows(int n) { char a[n]; far_away(a); return a[0]; }
"""


@pytest.fixture(scope="module", params=COMPILERS)
def made(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> CallGraph:
    folder = tmp_path_factory.mktemp("calls")
    found = CallGraph()
    for name, text in (("one", ONE), ("two", TWO)):
        (folder / f"{name}.c").write_text(text)
        flags = ["-std=gnu11", "-O1", "-c", "-fstack-usage", "-fcallgraph-info=su", f"{name}.c"]
        subprocess.run([request.param, *flags], cwd=folder, check=True)
        found.add((folder / f"{name}.ci").read_text())
    return found


def analysed(made: CallGraph, targets: Mapping[str, list[str]] | None = None) -> StackAnalysis:
    linked = ["top", "helper", "leaf", "other", "through", "again", "grows"]
    return StackAnalysis(made, linked, targets or {}, {"far_away": 1000})


def test_the_frames_of_a_chain_are_added(made: CallGraph) -> None:
    path = analysed(made).deepest("top")
    assert path.functions == ("top", "helper", "far_away")
    assert path.bytes == made.frames["top"] + made.frames["one.c:helper"] + 1000
    assert made.frames["top"] >= 100 and made.frames["one.c:helper"] >= 400


def test_static_functions_of_one_name_are_told_apart(made: CallGraph) -> None:
    small, large = made.frames["two.c:helper"], made.frames["one.c:helper"]
    assert 40 <= small < 400 <= large
    assert analysed(made).deepest("other").bytes == made.frames["other"] + small + 1000


def test_a_call_through_a_pointer_is_seen_and_wants_a_declaration(made: CallGraph) -> None:
    with pytest.raises(BudgetError, match="through calls through a pointer"):
        analysed(made).deepest("through")
    path = analysed(made, {"through": ["leaf", "help*"]}).deepest("through")
    assert path.functions == ("through", "helper", "far_away")
    assert path.bytes == made.frames["through"] + made.frames["one.c:helper"] + 1000


def test_recursion_is_seen(made: CallGraph) -> None:
    with pytest.raises(BudgetError, match="recursion has no bound: again -> again"):
        analysed(made).deepest("again")


def test_recursion_with_a_declared_depth_counts_its_frame_so_often(made: CallGraph) -> None:
    known = StackAnalysis(made, [], {}, {"far_away": 1000}, {"again": 5})
    path = known.deepest("again")
    assert path.bytes == 5 * made.frames["again"] + 1000
    assert path.functions == ("again", "far_away")


def test_a_declared_depth_is_that_of_one_function_alone() -> None:
    made = graph("main>walk", "walk>walk", "walk>step", "step>walk", main=8, walk=16, step=4)
    with pytest.raises(BudgetError, match="recursion has no bound: walk -> step -> walk"):
        StackAnalysis(made, [], {}, {}, {"walk": 4}).deepest("main")


def test_an_array_of_variable_length_is_seen(made: CallGraph) -> None:
    with pytest.raises(BudgetError, match="frame of grows has no bound"):
        analysed(made).deepest("grows")


def test_a_function_that_nobody_knows_is_named(made: CallGraph) -> None:
    empty = StackAnalysis(made, ["top"], {}, {})
    with pytest.raises(BudgetError, match="nothing is known of far_away"):
        empty.deepest("top")


@pytest.mark.parametrize(
    ("function", "hint"),
    [
        ("through", 'add through = ["what_it_calls", ...] to [calls.targets] of own/app.toml'),
        ("top", "add its bytes of stack to [calls.library] of own/app.toml"),
        ("again", "if there is one: again = depth in [calls.recursion] of own/app.toml"),
        ("grows", "an array of it has a variable length, or it calls alloca()"),
    ],
)
def test_what_is_missing_is_to_be_written_into_the_file_of_the_application(
    made: CallGraph, function: str, hint: str
) -> None:
    library = {} if function == "top" else {"far_away": 1000}
    mine = StackAnalysis(made, ["leaf"], {}, library, where="own/app.toml")
    with pytest.raises(BudgetError) as error:
        mine.deepest(function)
    assert error.value.hint == hint


def test_what_is_missing_of_ours_is_to_be_written_into_our_file(made: CallGraph) -> None:
    with pytest.raises(BudgetError) as error:
        analysed(made).deepest("through")
    assert error.value.hint.endswith(" to [targets] of firmware/calls.toml")


# ---- interrupts


def test_the_deepest_interrupt_counts_not_the_first() -> None:
    made = graph("main>a", "isr>b", main=8, a=8, isr=4, b=4, tick=100)
    path = worst_case(
        StackAnalysis(made, [], {}, {}), {"main": "main", "handlers": ["isr", "tick"]}, 36
    )
    assert (path.bytes, path.functions) == (152, ("main", "a", "<interrupt>", "tick"))


def test_an_interrupt_that_shares_a_function_with_the_main_path_counts_it_twice() -> None:
    made = graph("main>put", "isr>put", main=8, put=50, isr=4)
    path = worst_case(StackAnalysis(made, [], {}, {}), {"main": "main", "handlers": ["isr"]}, 36)
    assert path.bytes == 8 + 50 + 36 + 4 + 50


def test_a_driver_counts_if_it_is_linked() -> None:
    made = graph("main>a", main=8, a=8, isr=4, alarm=100, other=200)
    start = {"main": "main", "handlers": ["isr"], "drivers": ["alarm", "not_there"]}
    for linked, expected in ((["main", "alarm"], 16 + 36 + 100), (["main"], 16 + 36 + 4)):
        assert worst_case(StackAnalysis(made, linked, {}, {}), start, 36).bytes == expected


def test_recursion_in_an_interrupt_is_an_error() -> None:
    made = graph("isr>isr", main=8, isr=4)
    with pytest.raises(BudgetError, match="isr -> isr"):
        worst_case(StackAnalysis(made, [], {}, {}), {"main": "main", "handlers": ["isr"]}, 36)


def test_a_missing_handler_is_an_error() -> None:
    with pytest.raises(BudgetError, match="nothing is known of isr"):
        worst_case(
            StackAnalysis(graph(main=8), [], {}, {}), {"main": "main", "handlers": ["isr"]}, 36
        )


def test_files_are_added_in_any_order() -> None:
    first, second = CallGraph(), CallGraph()
    nodes = 'node: { title: "b" label: "b\\nx.c:1:1\\n8 bytes (static)" }'
    edges = 'edge: { sourcename: "a" targetname: "b" label: "x.c:2:2" }'
    declared = 'node: { title: "b" label: "b\\n<built-in>" shape : ellipse }'
    for made, texts in ((first, (nodes, edges, declared)), (second, (declared, edges, nodes))):
        for text in texts:
            made.add(text)
    assert first == second
    assert first.frames == {"b": 8} and first.calls == {"a": {"b"}}


# ---- firmware/calls.toml


DECLARED = tomllib.loads(CALLS_TOML.read_text())
SOURCES = "\n".join(path.read_text() for path in sorted(FIRMWARE.rglob("*.c")))


def defined() -> set[str]:
    """Return the names of functions that are defined in firmware/, macros of names included."""
    attribute = r"(?:__attribute__\(\(.*\)\) )?"
    return set(re.findall(rf"^{attribute}[\w ]+[ *](\w+)\([^;]*?\)\n\{{", SOURCES, re.M))


def test_every_function_with_declared_targets_is_there() -> None:
    assert set(DECLARED["targets"]) <= defined()


def test_every_pattern_of_targets_matches_a_function_that_is_there() -> None:
    names = defined()
    for patterns in DECLARED["targets"].values():
        for pattern in patterns:
            assert any(fnmatchcase(name, pattern) for name in names), pattern


def test_the_stack_begins_in_functions_that_are_there() -> None:
    for start in DECLARED["start"].values():
        assert {start["main"], *start["handlers"], *start.get("drivers", ())} <= defined()


@pytest.mark.parametrize("name", board_names())
def test_the_core_of_every_board_has_the_size_of_its_exception_frame(name: str) -> None:
    board = load_board(name)
    if board.core.name.startswith("rv"):
        assert DECLARED["frame"][board.core.name] == 0, "the handler saves what it changes"
    elif board.memory:
        floats = any(flag.startswith("-mfpu") for flag in board.core.flags)
        words = 26 if floats or "hard" in " ".join(board.core.flags) else 8
        assert DECLARED["frame"][board.core.name] >= 4 * words + 4


def test_stacks_of_library_functions_are_whole_words() -> None:
    assert all(size > 0 and size % 4 == 0 for size in DECLARED["library"].values())
