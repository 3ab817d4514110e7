# SPDX-License-Identifier: Apache-2.0
"""`torpor doctor` says what is missing and how to get it."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from torpor.cli import doctor
from torpor.cli.doctor import all_checks, check_needs, check_packages, check_third_party
from torpor.third_party import Pin


def run_doctor(*args: str, path: str | None = None) -> subprocess.CompletedProcess[str]:
    environment = dict(os.environ, COLUMNS="80")
    if path is not None:
        environment["PATH"] = path
    command = [sys.executable, "-c", "from torpor.cli.main import main; raise SystemExit(main())"]
    return subprocess.run(
        [*command, "doctor", *args], check=False, capture_output=True, text=True, env=environment
    )


def test_everything_that_tests_need_is_there() -> None:
    needed = [c for c in all_checks() if not c.optional or c.purpose.startswith("tests:")]
    assert "chromium" in {c.name for c in needed}
    assert [c.name for c in needed if not c.present] == []


def test_a_missing_program_names_its_package_and_exits_3(tmp_path: Path) -> None:
    shown = run_doctor(path=str(tmp_path))
    assert shown.returncode == 3
    assert "missing: arm-none-eabi-gcc: apt-get install gcc-arm-none-eabi" in shown.stderr
    assert "Traceback" not in shown.stderr


def test_json_lists_every_check() -> None:
    shown = run_doctor("--json")
    assert shown.returncode == 0
    checks = json.loads(shown.stdout)
    assert {"gcc", "picolibc.specs", "qemu-system-arm", "numpy", "renode-test"} <= {
        c["name"] for c in checks
    }
    assert all(set(c) == set(checks[0]) for c in checks)


@pytest.mark.parametrize("row", ["/nonexistent/x.specs | pkg | why", "no-such-program | pkg | why"])
def test_rows_of_the_needs_table_are_files_or_programs(row: str) -> None:
    (check,) = check_needs(f"# comment\n\n{row}\n")
    assert not check.present
    assert check.get == "apt-get install pkg"


def test_what_only_tests_need_is_optional() -> None:
    for purpose, optional in (("tests: a page", True), ("tests look at it", False)):
        (check,) = check_needs(f"no-such-program | pkg | {purpose}\n")
        assert check.optional == optional


def test_a_package_that_is_not_installed_is_reported() -> None:
    (check,) = check_packages(["no-such-package-at-all>=3"])
    assert (check.name, check.present, check.get) == (
        "no-such-package-at-all",
        False,
        "tools/setup",
    )


def test_c_that_was_not_fetched_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"monocypher", "bearssl", "microfrontend", "microfrontend_tables"}
    assert {check.name for check in check_third_party()} == names
    assert all(check.present and check.detail for check in check_third_party())
    lost = Pin("lost", sources=(), include=(), pip="lost==1", archive="lost-1.tar.gz", version="1")
    monkeypatch.setattr(doctor, "pins", lambda: {"lost": lost})
    (check,) = check_third_party()
    assert (check.name, check.present, check.detail) == ("lost", False, "")
    assert (check.get, check.optional) == ("tools/setup", False)
