# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""Where the monitor's servers listen, and who may ask them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from torpor.errors import UsageError
from torpor.monitor.address import Address, may_ask, parse


@pytest.mark.parametrize(
    ("text", "host", "port"),
    [
        ("", "127.0.0.1", 8765),
        ("9000", "127.0.0.1", 9000),
        (":9000", "127.0.0.1", 9000),
        ("0", "127.0.0.1", 0),
        ("127.0.0.1:9000", "127.0.0.1", 9000),
        ("localhost:9000", "localhost", 9000),
        ("localhost", "localhost", 8765),
        ("192.0.2.7", "192.0.2.7", 8765),
        ("0.0.0.0:65535", "0.0.0.0", 65535),
        ("[::1]", "::1", 8765),
        ("[::1]:9000", "::1", 9000),
    ],
)
def test_an_address_is_written_as_usual(text: str, host: str, port: int) -> None:
    assert parse(text) == Address(host, port)


@pytest.mark.parametrize(
    "text",
    [
        "host:",
        ":",
        "host:port",
        "host:65536",
        "::1",
        "::1:80",
        "[::1",
        "[]:80",
        "[host]:80",
        "a b:1",
        "user@host:80",
        "http://host:80",
        "host:-1",
        "host:٣",
        "host:080000",
    ],
)
def test_anything_else_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert "\n" not in caught.value.message
    assert caught.value.hint


@given(st.text(max_size=30))
def test_no_text_makes_a_port_or_a_host_that_cannot_be(text: str) -> None:
    try:
        address = parse(text)
    except UsageError:
        return
    assert 0 <= address.port <= 65535
    assert address.host
    assert parse(str(address)) == address


@pytest.mark.parametrize("text", ["", "9000", ":9000", "localhost:1", "127.3.2.1:1", "[::1]:1"])
def test_without_another_host_it_is_this_computer_only(text: str) -> None:
    assert not parse(text).is_public


@pytest.mark.parametrize("text", ["0.0.0.0", "192.0.2.7:1", "[::]:1", "workshop:1"])
def test_another_host_is_public(text: str) -> None:
    assert parse(text).is_public


@pytest.mark.parametrize(
    ("text", "shown"),
    [("0.0.0.0:1", "127.0.0.1:1"), ("[::]:1", "[::1]:1"), ("192.0.2.7:1", "192.0.2.7:1")],
)
def test_an_address_of_all_of_this_computer_is_shown_as_one_to_connect_to(
    text: str, shown: str
) -> None:
    assert str(parse(text).from_here) == shown


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.0.0.1:8765",
        "localhost:8765",
        "LOCALHOST",
        "[::1]:8765",
        "[::1]",
        "192.0.2.7:1",
        "workshop",
        "Workshop:8765",
    ],
)
def test_numbers_and_known_names_may_ask(host: str) -> None:
    assert may_ask(host, Address("workshop", 8765))


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "evil.example:8765",
        "127.0.0.1.evil.example",
        "localhost.",
        ":8765",
        "localhost:evil",
        "127.0.0.1:8765:8765",
        "evil.example@127.0.0.1",
        "[evil]",
        "workshop2",
    ],
)
def test_other_names_may_not_ask(host: str | None) -> None:
    assert not may_ask(host, Address("workshop", 8765))
