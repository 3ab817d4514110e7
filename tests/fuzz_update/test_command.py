# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The command counts outcomes, makes finds smaller, writes them and replays them."""

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import tools.fuzz_update as tool
from tests.fuzz_update.build import Target, targets
from tests.fuzz_update.seeds import SEEDS, from_text, to_text
from tests.fuzz_update.test_fuzz import MISTAKES, with_mistake
from torpor.errors import MissingToolError, UsageError
from torpor.paths import BUILD, ROOT

pytestmark = pytest.mark.xdist_group("fuzz_update")

ARMED = "what was armed is still written"


@given(st.binary(max_size=200))
def test_an_input_is_text_and_back(content: bytes) -> None:
    text = to_text(content, "target: journal", "wrong: deadbeef")
    assert from_text(text) == content
    assert max(map(len, text.splitlines())) <= 64


def test_the_table_has_a_row_and_the_outcomes_of_each_target(
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["--inputs", "500", "--seed", "4", "--target", "image", "--target", "upload"]
    assert tool.main([*arguments, "--processes", "1"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split() == ["seed", "4", "inputs", "seconds", "a", "second", "edges", "kept"]
    assert [line.split()[:2] for line in lines[1:3]] == [["image", "500"], ["upload", "500"]]
    assert lines[3].startswith("image: ")
    assert "ok " in lines[4]


def test_json_has_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--inputs", "300", "--target", "image", "--json"]) == 0
    tree = json.loads(capsys.readouterr().out)
    [row] = tree["targets"]
    assert (tree["seed"], row["target"], row["inputs"], row["find"]) == (1, "image", 300, None)
    seeds = len(SEEDS["image"]())
    assert sum(row["outcomes"].values()) == 300 + seeds
    assert row["kept"] >= seeds


def test_lines_are_those_that_the_kept_inputs_reach(capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.main(["--inputs", "2000", "--target", "image", "--lines"]) == 0
    rows = {line.split()[0]: line.split() for line in capsys.readouterr().out.splitlines()}
    assert float(rows["firmware/update/image.c"][2]) > 90
    assert float(rows["firmware/update/verify.c"][2]) == 100
    assert float(rows["firmware/update/upload.c"][2]) == 0
    assert "firmware/core/crc32.c" not in rows


def test_a_find_is_made_smaller_and_kept_with_the_command_that_replays_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, file, old, new, wrong = MISTAKES[ARMED]
    broken = with_mistake(targets()[name], file, old, new)
    monkeypatch.setattr(tool, "FINDS", f"fuzz_update/{tmp_path.name}")
    monkeypatch.setattr(tool, "SHRINK_TRIES", 200)
    folder = BUILD / "fuzz_update" / tmp_path.name
    with monkeypatch.context() as patch:
        patch.setattr(tool, "targets", lambda: {name: broken})
        assert tool.main(["--inputs", "2000", "--target", name, "--seed", "3"]) == 1
        out, err = capsys.readouterr()
        path = folder / f"{name}-seed-3.txt"
        assert path.read_text() == err
        assert f"{name}   {wrong}" in out
        assert err.splitlines()[:3] == [
            f"# target: {name}",
            f"# wrong: {wrong}",
            f"# python -m tools.fuzz_update --replay {path.relative_to(ROOT)}",
        ]
        assert len(from_text(err)) < len(SEEDS[name]()["more behind"])
        assert tool.main(["--replay", str(path)]) == 1
        assert f"wrong: {wrong}" in capsys.readouterr().out
    assert tool.main(["--replay", str(path)]) == 0
    said = capsys.readouterr().out.splitlines()
    assert "nothing is wrong with it" in said[-1]
    assert any(line.startswith("arm slot") for line in said)
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("stderr", "wrong"),
    [
        ("wrong: a sentence\nmore\n", "a sentence"),
        ("a.c:3:5: runtime error: shift exponent 40 is too large\n    #0 0x1 in f\n",
         "a.c:3:5: runtime error: shift exponent 40 is too large"),
        ("=\n==12==ERROR: AddressSanitizer: heap-buffer-overflow on address 0x7f\n",
         "AddressSanitizer: heap-buffer-overflow"),
        ("hangs: an input takes longer than a minute\n",
         "hangs: an input takes longer than a minute"),
        ("", "it ended without a word"),
    ],
)  # fmt: skip
def test_what_is_wrong_is_one_line_without_addresses(stderr: str, wrong: str) -> None:
    assert tool.what_is_wrong(stderr) == wrong


def test_a_program_that_cannot_run_is_no_find(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tool, "build", lambda _target: Path("/bin/false"))
    with pytest.raises(RuntimeError, match="/bin/false failed"):
        tool.run(targets()["image"], 1, 1)


def test_an_unknown_target_is_named_with_the_nearest_known_one() -> None:
    with pytest.raises(UsageError, match="uploads") as error:
        tool.main(["--target", "uploads"])
    assert "upload" in error.value.hint + error.value.message


@pytest.mark.parametrize("text", ["00ff\n", "# target: upload\n0g\n", None])
def test_a_file_that_is_no_find_is_refused(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "find.txt"
    if text is not None:
        path.write_text(text)
    with pytest.raises(UsageError, match=r"find\.txt"):
        tool.main(["--replay", str(path)])


def test_without_clang_its_fuzzer_is_refused_with_a_hint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    with pytest.raises(MissingToolError) as error:
        tool.main(["--libfuzzer", "--target", "image", "--inputs", "1"])
    assert "clang" in error.value.hint


def test_with_clang_its_fuzzer_gets_the_seeds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The program is a script that writes down what it was called with."""
    said = tmp_path / "said"

    def build(_target: Target, folder: Path, clang: str) -> Path:
        assert clang == "/usr/bin/clang"
        program = folder / "program"
        program.write_text(f'#!/bin/sh\necho "$@" > {said}; ls "$5" >> {said}; exit 3\n')
        program.chmod(0o755)
        return program

    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/bin/{name}")
    monkeypatch.setattr(tool, "build_libfuzzer", build)
    assert tool.main(["--libfuzzer", "--target", "journal", "--inputs", "7", "--seed", "2"]) == 3
    options, *seeds = said.read_text().splitlines()
    assert options.split()[:2] == ["-runs=7", "-seed=2"]
    assert len(seeds) == len(SEEDS["journal"]())
