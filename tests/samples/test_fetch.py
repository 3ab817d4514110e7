# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""What a device has kept arrives whole, or not at all, whatever the wire and the device do."""

from dataclasses import replace
from typing import Any

import pytest

from tests.samples.conftest import device, sample
from torpor.errors import DeviceError
from torpor.link import DeviceClient
from torpor.link.fake import FakeDevice, FakeTransport
from torpor.link.faults import Damage, FaultyTransport, random_faults
from torpor.monitor.samples import fetch_samples
from torpor.stats.store import Entry
from torpor.wire.records import Record


def client(fake: FakeDevice, **options: Any) -> DeviceClient:
    return DeviceClient(FakeTransport(fake), first_seq=7, **options)


@pytest.mark.parametrize("size", [0, 1, 255, 256, 257, 512, 513, 3000])
def test_samples_of_any_size_are_fetched_whole(size: int) -> None:
    kept = [sample(2, size=size), sample(5, size=size), sample(6, kind=1)]
    assert list(fetch_samples(client(device(kept)))) == kept


def test_a_device_that_has_kept_nothing_gives_nothing() -> None:
    assert list(fetch_samples(client(device([])))) == []


def test_only_what_is_new_can_be_fetched() -> None:
    kept = [sample(number) for number in (2, 5, 8)]
    assert list(fetch_samples(client(device(kept)), after=4)) == kept[1:]
    assert list(fetch_samples(client(device(kept)), after=5)) == kept[2:]
    assert list(fetch_samples(client(device(kept)), after=8)) == []


@pytest.mark.parametrize("seed", range(10))
def test_a_bad_wire_costs_time_and_no_byte(seed: int) -> None:
    kept = [sample(number, size=700) for number in range(4)]
    faults = [Damage(random_faults(2 * seed + i, 600)) for i in range(2)]
    transport = FaultyTransport(FakeTransport(device(kept)), *faults)
    patient = DeviceClient(transport, tries=200, first_seq=7)
    assert list(fetch_samples(patient)) == kept
    assert faults[0].done + faults[1].done > 0


class Changing(FakeDevice):
    """A device whose samples change after some requests."""

    def __init__(self, *steps: list[Entry], every: int = 1) -> None:
        super().__init__(lambda inputs: inputs, (4,), (4,))
        self.steps, self.every, self.asked = steps, every, 0

    def _on_fetch(self, fetch: Any) -> list[Record]:
        step = min(self.asked // self.every, len(self.steps) - 1)
        self.samples = self.steps[step]
        self.asked += 1
        return super()._on_fetch(fetch)


@pytest.mark.parametrize("every", [1, 2, 3])
def test_a_sample_that_is_freed_while_it_is_fetched_is_left_out(every: int) -> None:
    old, new = [sample(1, size=1000), sample(2, size=1000)], [sample(2, size=1000)]
    fetched = list(fetch_samples(client(Changing(old, new, every=every))))
    assert fetched == new


def test_all_samples_may_be_freed_while_one_is_fetched() -> None:
    assert list(fetch_samples(client(Changing([sample(1, size=1000)], [])))) == []


def test_a_shorter_sample_in_its_place_is_told_by_its_number() -> None:
    old, new = [sample(1, size=1000)], [sample(2, size=100)]
    assert list(fetch_samples(client(Changing(old, new)))) == new


def test_a_device_that_was_cleared_and_counts_anew_is_not_mixed_up() -> None:
    old = sample(1, size=1000)
    new = replace(old, data=bytes(1000), time=7)
    assert list(fetch_samples(client(Changing([old], [new])))) == [new]


def test_samples_that_always_change_end_in_an_error() -> None:
    steps = [[replace(sample(1, size=1000), time=time)] for time in range(99)]
    with pytest.raises(DeviceError, match="change while they are fetched"):
        list(fetch_samples(client(Changing(*steps))))


class Lying(FakeDevice):
    """A device that changes its answers."""

    change: dict[str, Any]

    def _on_fetch(self, fetch: Any) -> list[Record]:
        (answer,) = super()._on_fetch(fetch)
        return [replace(answer, **self.change)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"size": 10}, "has 256 bytes, not 10"),
        ({"data": b""}, "has 0 bytes, not 300"),
        ({"offset": 1}, "at 1 unasked"),
        ({"number": 0}, "sample 0 at 0 unasked"),
    ],
)
def test_a_device_that_contradicts_itself_is_an_error(change: dict[str, Any], said: str) -> None:
    fake = Lying(lambda inputs: inputs, (4,), (4,), samples=[sample(5, size=300)])
    fake.change = change
    with pytest.raises(DeviceError, match=said):
        list(fetch_samples(client(fake), after=1))


class Deaf(FakeDevice):
    """A firmware that knows nothing of samples."""

    _on_fetch = None  # type: ignore[assignment]


def test_a_firmware_that_keeps_nothing_is_told_by_a_hint() -> None:
    fake = Deaf(lambda inputs: inputs, (4,), (4,))
    with pytest.raises(DeviceError, match="does not tell what it keeps: no answer") as raised:
        list(fetch_samples(client(fake, tries=2)))
    assert "app=wake" in raised.value.hint
