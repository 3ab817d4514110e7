# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The tables that the build makes for the sound front end."""

import re
from pathlib import Path

import numpy as np
import pytest

from torpor import third_party
from torpor.engine import library
from torpor.errors import MissingToolError
from torpor.features import tables
from torpor.features.tables import tables_source


@pytest.fixture(scope="module")
def text() -> str:
    return tables_source()


def numbers(text: str, name: str) -> list[int]:
    """Return the numbers of a table."""
    found = re.search(rf"\b{name}\[\w+(?: / 2)?\] = \{{(.*?)\n\}};", text, re.S)
    assert found, name
    return [int(word) for word in re.findall(r"-?\d+", found[1])]


def test_the_same_tables_are_made_every_time(text: str) -> None:
    assert tables_source() == text


def test_the_window_is_a_hann_window_of_twelve_bits(text: str) -> None:
    found = numbers(text, "coefficients")
    exact = 0.5 - 0.5 * np.cos(2 * np.pi * (np.arange(480) + 0.5) / 480)
    off = np.abs(np.array(found) - np.floor(exact * 4096 + 0.5))
    assert off.max() <= 1 and off.sum() <= 10, "the front end computes it in single precision"


def test_the_twiddles_are_those_of_a_transform_of_256(text: str) -> None:
    found = re.search(r"\.twiddles = \{(.*?)\}\};", text, re.S)
    assert found
    pairs = np.array(re.findall(r"-?\d+", found[1]), int).reshape(-1, 2)
    phase = -2 * np.pi * np.arange(256) / 256
    exact = np.stack([np.cos(phase), np.sin(phase)], 1)
    np.testing.assert_array_equal(pairs, np.floor(0.5 + 32767 * exact))
    assert ".factors = {4, 64, 4, 16, 4, 4, 4, 1, }" in text


def test_the_weights_of_neighbouring_channels_share_what_lies_between(text: str) -> None:
    weights, others = (np.array(numbers(text, n)) for n in ("weights", "unweights"))
    used = (weights != 0) | (others != 0)
    assert set((weights + others)[used].tolist()) <= {4095, 4096, 4097}
    assert used.sum() == 241 - 5, "one weight for each bin from the first to the last"
    starts, widths = (np.array(numbers(text, n)) for n in ("weight_starts", "widths"))
    assert len(starts) == len(widths) == 41
    assert max(starts + widths) == len(weights)


def test_gain_falls_with_noise(text: str) -> None:
    gains = numbers(text, "gains")
    assert len(gains) == 125
    assert gains[0] >= gains[1] >= gains[2] > 0
    assert all(a >= b for a, b in zip(gains[2::4], gains[6::4], strict=False))


def test_no_float_and_no_heap_is_in_what_a_device_gets(text: str) -> None:
    assert not re.search(r"\d\.\d|float|malloc", text)


def test_a_front_end_that_does_not_fit_the_header_is_a_bug_that_is_told(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    changed = tmp_path / "tables.c"
    rate = "#define RATE_HZ     16000"
    original = tables.PROGRAM.read_text()
    assert rate in original
    changed.write_text(original.replace(rate, "#define RATE_HZ 8000"))
    monkeypatch.setattr(tables, "PROGRAM", changed)
    with pytest.raises(RuntimeError, match="the front end does not fit drivers/sound/tables"):
        tables_source()


def test_without_a_compiler_or_the_front_end_nothing_is_made(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    with monkeypatch.context() as patch:
        patch.setenv("PATH", "")
        patch.delenv("CC", raising=False)
        with pytest.raises(MissingToolError, match="no C compiler"):
            tables_source()
    empty = tmp_path_factory.mktemp("empty")
    find = third_party.library
    monkeypatch.setattr(tables, "library", lambda name: find(name, empty, empty / "unpacked"))
    with pytest.raises(
        MissingToolError, match=r"^microfrontend_tables: pymicro_features.* is miss"
    ):
        tables_source()
    assert library.compiler()
