# SPDX-License-Identifier: Apache-2.0
"""The reference models: files in archives in a pinned wheel, each by a name of its own."""

import io
import json
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from tests.models.wheels import sha256
from torpor.errors import ModelError, UsageError
from torpor.model import reference
from torpor.model.package_data import Member, Wheel, data_files
from torpor.model.reference import ABOUT, FLOAT, MLPERF_TINY, QUANTIZED, WHEEL, reference_models


def archive(**files: bytes) -> bytes:
    """Return a zip archive of `files`."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as writer:
        for name, content in files.items():
            writer.writestr(name, content)
    return out.getvalue()


def wheel_of(build: Path, content: bytes) -> Wheel:
    """Put a wheel with `content` as its only file `models` where fetched wheels lie."""
    path = build / "packages" / "nested-1.0-py3-none-any.whl"
    path.parent.mkdir(parents=True)
    path.write_bytes(archive(models=content))
    return Wheel("nested", "1.0", path.name, sha256(path.read_bytes()))


def test_a_file_in_an_archive_in_a_wheel_is_unpacked_under_its_name(tmp_path: Path) -> None:
    wheel = wheel_of(tmp_path, archive(net=b"codes"))
    (path,) = data_files(wheel, [Member("models", sha256(b"codes"), "net", "my.tflite")], tmp_path)
    assert path == tmp_path / "data" / "nested-1.0" / "my.tflite"
    assert path.read_bytes() == b"codes"


@pytest.mark.parametrize(
    ("content", "inside", "says"),
    [
        (archive(net=b"codes"), "other", "no 'other' in an archive in the wheel"),
        (archive(net=b"other"), "net", "another sha256"),
        (b"no archive", "net", "cannot unpack"),
    ],
    ids=["no such file", "other bytes", "no archive"],  # archives have a time in them
)
def test_what_is_not_in_the_archive_is_said(
    tmp_path: Path, content: bytes, inside: str, says: str
) -> None:
    wheel = wheel_of(tmp_path, content)
    with pytest.raises(ModelError, match=says):
        data_files(wheel, [Member("models", sha256(b"codes"), inside)], tmp_path)


def test_pip_is_told_what_a_wheel_of_another_python_is_for() -> None:
    options = ["--python-version", "3.11", "--abi", "cp311", "--platform", "manylinux2014_x86_64"]
    assert WHEEL.pip_target == options
    assert Wheel("tiny", "1.0", "tiny-1.0-py3-none-any.whl", "").pip_target == []
    native = Wheel("tiny", "1.0", "tiny-1.0-py3-none-manylinux_2_35_x86_64.whl", "")
    assert native.pip_target == ["--platform", "manylinux_2_35_x86_64"]


def test_every_model_has_a_name_and_a_content_of_its_own() -> None:
    members = [*QUANTIZED.values(), *FLOAT.values()]
    assert len({m.file for m in members}) == len({m.sha256 for m in members}) == len(members)
    assert set(MLPERF_TINY) <= set(QUANTIZED)


def test_a_wrong_name_is_met_with_the_right_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reference, "data_files", lambda *_: pytest.fail("fetched something"))
    with pytest.raises(UsageError, match="keyword_spotin") as caught:
        reference_models(["keyword_spotin"])
    assert "keyword_spotting" in f"{caught.value} {caught.value.hint}"


def test_models_lists_them_without_fetching_any() -> None:
    words = [sys.executable, "-m", "torpor", "models"]
    done = subprocess.run([*words, "--reference", "--json"], capture_output=True, check=True)
    rows = json.loads(done.stdout)
    assert [row["name"] for row in rows] == list(QUANTIZED) == list(ABOUT)
    assert set(rows[0]) == {"name", "title"}
    refused = subprocess.run([*words, "-o", "x"], capture_output=True, check=False)
    assert refused.returncode == 2
    assert b"-o is for --reference alone" in refused.stderr
