# SPDX-License-Identifier: Apache-2.0
# SPDX-FileCopyrightText: The torpor authors
"""The monitor's page in a browser: what a person sees there."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.monitor.made_up import START, MadeUpMonitor, history, snapshot
from tests.support.browser import Browser, Page
from torpor.monitor import web
from torpor.monitor.document import Snapshot

pytestmark = pytest.mark.xdist_group("browser")  # one browser is enough

Show = Callable[..., tuple[Page, MadeUpMonitor]]
# plotly carries a library of maps, which brings a style of its own; the page's policy refuses it
KNOWN = "error: Applying inline style violates the following Content Security Policy directive"
CHARTS = "[...document.querySelectorAll('.plot')].every((it) => it.layout)"
NAMES = "[...document.querySelectorAll('h2')].map((it) => it.innerText)"


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("browser"))
    yield browser
    browser.close()


@pytest.fixture(scope="module")
def site(browser: Browser) -> Iterator[tuple[Page, MadeUpMonitor]]:
    """One page for all: loading it takes a second or more."""
    monitor = MadeUpMonitor()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(web, "PACE_S", 0.02)
        server = web.serve(monitor, ":0")
        page = browser.open(server.url)
        page.wait_for_text("live", "#connection")
        page.evaluate("performance.setResourceTimingBufferSize(10000)")  # what is asked for, of all
        yield page, monitor
        page.close()
        server.close()


@pytest.fixture
def show(site: tuple[Page, MadeUpMonitor]) -> Show:
    """Give a function that has the page show new devices."""
    page, monitor = site

    def show_devices(*snapshots: Snapshot, width: int = 1280, dark: bool = False) -> Any:
        monitor.become()
        page.wait("document.querySelectorAll('.card').length === 0")
        page.forget_complaints()
        page.resize(width, 900)
        page.prefer("dark" if dark else "light")
        monitor.become(*snapshots)
        page.wait(f"document.querySelectorAll('.card').length === {len(snapshots)}")
        return page, monitor

    return show_devices


def complaints(page: Page) -> list[str]:
    return [text for text in page.complaints() if not text.startswith(KNOWN)]


def fact(page: Page, name: str) -> str:
    """Return what the page says about `name`."""
    pairs = "[...document.querySelectorAll('.facts > div')]"
    found = f"{pairs}.find((it) => it.querySelector('dt').innerText === {json.dumps(name)})"
    return str(page.evaluate(f"{found}.querySelector('dd').innerText")).replace("\u00a0", " ")


def test_a_person_reads_what_the_snapshot_says(show: Show) -> None:
    page, _ = show(snapshot("desk", history=history(5, seed=1)))
    assert page.text("h2") == "desk"
    assert page.text(".state").startswith("connected · heard")
    for known in ("mps2_an386", "motion 1.2.0", "firmware 1.4.0", "gated", "/dev/ttyACM0"):
        assert known in page.text(".identity")
    assert page.text(".decision .label") == "walking"
    assert page.text(".details").startswith("93 % · ")
    assert "from the model · latency 8.2 ms" in page.text(".details")
    assert fact(page, "confidence") == "91 % mean, 74 % low"
    assert fact(page, "latency") == "8.1 ms median, 9.4 ms 95 %"
    assert fact(page, "drift") == "0.04 (none)"
    assert fact(page, "battery, estimated") == "1.84 mAh a day, 122 days"
    assert fact(page, "wakes") == "8.5 a minute, 530 in all"
    assert fact(page, "inferences") == "27 a minute, 1,649 in all"
    assert fact(page, "awake") == "3.8 %"
    assert fact(page, "resets") == "0"
    assert fact(page, "lost") == "none"
    rows = "inferences by label standing 801 running 97 walking 702 badminton 49"
    assert " ".join(page.text(".counts").split()) == rows
    page.wait(CHARTS)
    assert complaints(page) == []


def test_a_device_of_which_nothing_is_known_is_shown(show: Show) -> None:
    nothing: dict[str, Any] = {"connected": False, "problem": "no such port", "board": ""}
    nothing |= dict.fromkeys(("model", "firmware", "sensor", "mode", "policy", "since"), "")
    nothing |= dict.fromkeys(("last_seen_s", "last_decision", "rates", "confidence"), None)
    nothing |= dict.fromkeys(("latency_us", "drift", "residency", "energy"), None)
    page, _ = show(snapshot("new", **nothing, counts={}, stack=0))
    assert page.text(".state") == "not connected · nothing heard yet"
    assert page.text(".problem") == "no such port"
    assert page.text(".decision .label") == "none yet"
    for name in ("confidence", "latency", "drift", "battery, estimated", "awake", "stack"):
        assert fact(page, name) == "\N{EN DASH}"
    assert page.evaluate("document.querySelectorAll('figure:not([hidden])').length") == 0
    assert complaints(page) == []


def test_without_devices_the_page_says_so(show: Show) -> None:
    page, monitor = show()
    page.wait_for_text("No device yet.")
    monitor.become(snapshot("desk"))
    page.wait_for_text("desk", "#devices")
    assert "No device yet." not in page.text()


def test_a_change_is_shown_without_reloading(show: Show) -> None:
    page, monitor = show(snapshot("desk"))
    page.evaluate("window.same = document.querySelector('.card')")
    decision: Any = {"label": "running", "score": 0.5, "source": "fallback", "failure": "deadline"}
    decision |= {"latency_us": 1_200_000, "age_s": 0.0}
    totals: Any = snapshot()["totals"] | {"resets": 2, "watchdogs": 1, "lost_records": 12}
    monitor.become(
        snapshot("desk", last_decision=decision, policy="saving", drift=0.3, totals=totals)
    )
    page.wait_for_text("running", ".decision .label")
    assert "50 % · now · fallback, not the model: it took too long" in page.text(".details")
    assert "saving: infers seldom" in page.text(".state")
    assert fact(page, "drift") == "0.30 (strong)"
    assert fact(page, "resets") == "2 seen (by watchdog 1 since power came)"
    assert fact(page, "lost") == "records on the way 12"
    assert page.evaluate("window.same === document.querySelector('.card')")


def test_devices_come_and_go(show: Show) -> None:
    page, monitor = show(snapshot("a"), snapshot("b"))
    monitor.become(snapshot("b"), snapshot("c"))
    page.wait("document.querySelectorAll('h2')[1]?.innerText === 'c'")
    assert page.evaluate(NAMES) == ["b", "c"]


def test_an_alert_is_words_and_in_the_title_until_it_is_over(show: Show) -> None:
    page, monitor = show(snapshot("desk"))
    assert page.text(".alerts") == ""
    alerts = [
        {"metric": "drift", "level": "limit", "value": 0.31, "baseline": 0.25, "since": START},
        {"metric": "duty", "level": "2 sigma", "value": 0.09, "baseline": 0.02, "since": START},
    ]
    alerts += [{"metric": "confidence_mean", "level": "limit", "value": 0.7, "baseline": 0.85}]
    alerts[-1]["since"] = START
    monitor.become(snapshot("desk", alerts=alerts))
    page.wait_for_text("Alert", ".alerts")
    drift, duty, confidence = page.text(".alerts").splitlines()
    assert drift.startswith("Alert drift 0.31: over the limit, limit 0.25, since ")
    assert duty.startswith("Warning awake 9.0 %: unusual (2 sigma), usually 2.0 %, since ")
    assert confidence.startswith("Alert mean confidence 70 %: below the limit, limit 85 %")
    assert page.evaluate("document.title") == "(3) torpor monitor"
    assert page.evaluate("document.querySelector('.alerts').getAttribute('aria-live')") == "polite"
    monitor.become(snapshot("desk"))
    page.wait("document.querySelector('.alerts').innerText === ''")
    assert page.evaluate("document.title") == "torpor monitor"


def test_a_refused_model_is_said_with_the_engine_s_words(show: Show) -> None:
    alert = {"metric": "model", "level": "limit", "value": 6, "baseline": 0, "since": START}
    why = "arena (tflm: Requested: 9)"
    page, _ = show(snapshot("desk", engine="tflm", refused=why, alerts=[alert]))
    assert page.text(".problem") == f"the model is refused: {why}"
    assert "engine tflm" in page.text(".identity")
    assert page.text(".alerts").startswith("Alert the model is refused, since ")
    assert complaints(page) == []


HOSTILE = "<script>window.hacked = 1</script><img src=x onerror='window.hacked = 1'>"


def test_hostile_names_and_labels_are_text(show: Show) -> None:
    decision: Any = dict(snapshot()["last_decision"] or {}, label=HOSTILE, failure=HOSTILE)
    alert = {"metric": HOSTILE, "level": HOSTILE, "value": 1, "baseline": 1, "since": START}
    names = dict.fromkeys(("board", "model", "firmware", "sensor", "mode", "policy"), HOSTILE)
    page, _ = show(
        snapshot(
            HOSTILE,
            **names,
            port=HOSTILE,
            problem=HOSTILE,
            last_decision=decision,
            counts={HOSTILE: 3, "__proto__": 4},
            alerts=[alert],
            history=history(3, seed=2),
        )
    )
    page.wait(CHARTS)
    assert page.text("h2") == HOSTILE
    assert page.text(".label") == HOSTILE
    assert HOSTILE in page.text(".alerts")
    assert HOSTILE in page.text(".counts")
    assert page.text(".identity").count(HOSTILE) == 6
    in_cards = "document.querySelectorAll('.card script, .card img, .card iframe').length"
    assert page.evaluate(in_cards) == 0
    assert page.evaluate("window.hacked") is None


def test_the_policy_stops_a_script_that_gets_in_all_the_same(show: Show) -> None:
    page, _ = show(snapshot())
    page.evaluate(f"document.body.insertAdjacentHTML('beforeend', {json.dumps(HOSTILE)})")
    page.evaluate("document.body.lastChild.dispatchEvent(new Event('error'))")
    assert page.evaluate("window.hacked") is None
    page.wait("document.body.lastChild.matches('img')")
    assert any("Executing inline" in text for text in page.complaints())
    page.evaluate("document.body.lastChild.remove()")


def test_charts_draw_the_history_and_say_its_end(show: Show) -> None:
    rows = history(30, seed=3)
    page, _ = show(snapshot("desk", history=rows))
    page.wait("document.querySelectorAll('figure:not([hidden]) .main-svg').length >= 12")
    captions = "[...document.querySelectorAll('figure:not([hidden])')].map((it) => "
    assert page.evaluate(captions + "it.querySelector('figcaption').innerText)") == [
        "confidence, %",
        "latency, 95 %, ms",
        "drift (stability index)",
        "wakes and inferences a minute",
        "charge, estimated, mAh a day",
        "time in each state, %",
    ]
    drawn = "document.querySelectorAll('.plot')[%d].data.map((it) => [it.name, it.y.length])"
    assert page.evaluate(drawn % 0) == [["mean", 30], ["low (10 %)", 30]]
    last = page.evaluate("document.querySelectorAll('.plot')[2].data[0].y[29]")
    assert last == pytest.approx(rows["drift"][-1][1])
    said = page.evaluate("document.querySelectorAll('.plot')[1].getAttribute('aria-label')")
    assert f"95 % {rows['latency_95'][-1][1] / 1000:.3g}" in said
    assert "0.25 strong" in page.text("figure:nth-child(3)")


def test_new_points_are_fetched_once_and_drawn(show: Show) -> None:
    page, monitor = show(snapshot("desk", history=history(10, seed=3)))
    page.wait("document.querySelectorAll('.plot')[2].data?.[0].y.length === 10")
    fetched = "performance.getEntriesByType('resource').filter((it) => it.name.includes('history'))"
    before = page.evaluate(fetched + ".length")
    monitor.become(snapshot("desk", history=history(10, seed=3), stack=1))
    page.wait_for_text("1 bytes at most")
    assert page.evaluate(fetched + ".length") == before
    monitor.become(snapshot("desk", history=history(11, seed=3), stack=1))
    page.wait("document.querySelectorAll('.plot')[2].data[0].y.length === 11")
    assert page.evaluate(fetched + ".length") == before + 1


def test_residency_is_bars_and_numbers(show: Show) -> None:
    page, _ = show(snapshot("desk"))
    page.wait_for_text("stage 2 1.10 %", ".legend")
    bars = page.evaluate("[...document.querySelectorAll('.plot')].at(-1).data.map((it) => it.x)")
    assert sum(all_time for all_time, _ in bars) == pytest.approx(100)
    assert sum(awake for _, awake in bars) == pytest.approx(100)
    assert bars[0] == [pytest.approx(96.2), 0]


def test_a_lost_connection_is_said_and_found_again(browser: Browser) -> None:
    monitor = MadeUpMonitor(snapshot("desk"))
    server = web.serve(monitor, ":0")
    page = browser.open(server.url)
    page.wait_for_text("live", "#connection")
    server.close()
    page.wait_for_text("connection lost", "#connection")
    assert page.text("h2") == "desk"  # what was known stays
    again = web.serve(MadeUpMonitor(snapshot("desk", drift=0.2)), server.address)
    page.wait_for_text("live", "#connection")
    page.wait_for_text("0.20 (some)", ".facts")
    page.close()
    again.close()


def test_a_monitor_that_has_stopped_talking_is_a_lost_connection(show: Show) -> None:
    page, _ = show(snapshot("desk"))
    script = """new Promise(async (resolve) => {
      const { follow } = await import('/static/stream.js');
      const real = window.EventSource;
      window.EventSource = class extends EventTarget { close() { resolve('closed'); } };
      follow('/nothing', () => {}, () => { window.EventSource = real; }, 20);
    })"""
    assert page.evaluate(script) == "closed"


def test_ages_grow_while_nothing_comes(show: Show) -> None:
    page, _ = show(snapshot("desk", last_seen_s=100.0))
    page.wait("/heard 10[2-9]\\ss ago/.test(document.querySelector('.state').innerText)")


@pytest.mark.parametrize(
    ("width", "scheme"), [(320, "light"), (390, "dark"), (768, "light"), (1280, "dark")]
)
def test_it_fits_the_screen_and_can_be_read(show: Show, width: int, scheme: str) -> None:
    long = "a-device-whose-name-is-as-long-as-names-may-be-and-has-no-spaces"
    page, _ = show(
        snapshot(long, port="/dev/serial/by-id/usb-" + 60 * "x", history=history(5, seed=4)),
        width=width,
        dark=scheme == "dark",
    )
    page.wait(CHARTS)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.evaluate(CONTRAST) >= 4.5


# Lowest contrast (WCAG 2.2, 1.4.3) between the colour of a text in a card and the card behind it
CONTRAST = """(() => {
  const channel = (value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
  const light = (color) => {
    const [r, g, b] = color.match(/[0-9.]+/g).map((it) => channel(Number(it) / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const back = light(getComputedStyle(document.querySelector('.card')).backgroundColor);
  const texts = [...document.querySelectorAll('.card :is(h2, p, dt, dd, th, td, li, figcaption)')];
  return Math.min(...texts.map((it) => {
    const own = light(getComputedStyle(it).color);
    return (Math.max(own, back) + 0.05) / (Math.min(own, back) + 0.05);
  }));
})()"""


def test_charts_follow_when_it_gets_dark(show: Show) -> None:
    page, _ = show(snapshot("desk", history=history(5, seed=4)))
    page.wait(CHARTS)
    color = "document.querySelector('.plot').layout.font.color"
    light = page.evaluate(color)
    page.prefer("dark")
    page.wait(f"{color} !== {json.dumps(light)}")


def test_it_is_structured_for_screen_readers(show: Show) -> None:
    page, _ = show(snapshot("desk", history=history(5, seed=4)))
    page.wait(CHARTS)
    assert page.evaluate("document.documentElement.lang") == "en"
    assert page.evaluate("document.querySelectorAll('main, h1').length") == 2
    assert page.evaluate("document.querySelector('#connection').getAttribute('role')") == "status"
    assert page.evaluate("document.querySelector('article').getAttribute('aria-label')") == "desk"
    plots = "[...document.querySelectorAll('figure:not([hidden]) .plot')]"
    assert page.evaluate(f"{plots}.every((it) => it.getAttribute('aria-label')?.length > 20)")
    assert page.evaluate(f"{plots}.every((it) => it.getAttribute('role') === 'img')")


def test_it_asks_nothing_of_anybody_else(show: Show) -> None:
    page, _ = show(snapshot("desk", history=history(5, seed=4)))
    page.wait(CHARTS)
    assert page.evaluate("document.querySelectorAll('iframe, object, embed').length") == 0
    asked = "performance.getEntriesByType('resource').map((it) => new URL(it.name).host)"
    assert page.evaluate(f"{asked}.every((it) => it === location.host)")
    assert page.evaluate(f"{asked}.length") > 7
