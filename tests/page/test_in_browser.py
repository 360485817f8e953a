"""The page of a run in a real Chromium: what a person sees, copies and prints; and what an attacker gets."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from fanfold.report.page import page
from fanfold.runs.csv_export import as_csv
from fanfold.runs.result import as_json, json_text
from lambda_src.job import names
from lambda_src.settings import DEFAULT_JOB
from lambda_src.telemetry.calls import Trace
from tests.fake_runs import FakeRun, fake_run
from tests.page.browser import CHROMIUM, Seen, Visit, in_browser
from tests.unit.test_report_page import asked

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium: apt-get install --no-install-recommends chromium"
)

WIDTHS, THEMES = (360, 800, 1280), ("light", "dark")

TOO_SMALL = """(() => {
  const seen = [...document.querySelectorAll("body *")].filter((one) => one.checkVisibility());
  const hasText = (one) => [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
  const targets = seen.filter((one) => one.matches("button, select, summary, nav a, .button"));
  return [
    ...seen.filter(hasText).filter((one) => parseFloat(getComputedStyle(one).fontSize) < 13.9),
    ...targets.filter((one) => one.getBoundingClientRect().height < 34),
  ].map((one) => one.outerHTML.slice(0, 200));
})()"""
"""Texts below 14 px, and what is too low for a finger."""


def written(run: FakeRun, folder: Path, name: str = "page") -> str:
    """The path of the page of ``run``."""
    path = folder / f"{name}.html"
    files = files_of(run) if run.parts else {}
    path.write_text(
        page(run.job, run.record, run.summary, run.trace, parts=run.parts, manifest=run.manifest, files=files)
    )
    return str(path)


def files_of(run: FakeRun) -> dict[str, bytes]:
    """The result of ``run`` in files."""
    return {"csv": as_csv(run.job, run.summary), "json": json_text(as_json(run.job, run.summary, {}))}


def seen(file: str, *steps: list[Any], **more: Any) -> Seen:
    """What came of one visit, which must neither complain nor ask for anything."""
    visit: Visit = {"file": file, "steps": list(steps), **more}  # type: ignore[typeddict-item]
    (found,) = in_browser([visit])
    assert found.errors == []
    assert found.requests == []
    return found


@pytest.mark.parametrize("which", [*names(), "by client", "failed", "without a trace"])
def test_every_page_is_quiet_alone_and_accessible(which: str, tmp_path: Path) -> None:
    """In both themes, one page also in all widths, with everything opened that can be."""
    status = "FAILED" if which == "failed" else "SUCCEEDED"
    made = fake_run(which if which in names() else DEFAULT_JOB, status=status)
    if which == "failed":  # and with a name that has no end
        record = msgspec.structs.replace(made.record, key="x" * 1000, options={"stop_words": ["y" * 1000]})
        made = made._replace(record=record)
    if which == "by client":
        clients = [f"2001:db8:85a3::8a2e:370:{place}" for place in range(50)]
        made = fake_run("access_log")
        made = made._replace(summary={**made.summary, **asked("client", clients, p50=0.1, p95=0.25, p99=1.5)})
        made = made._replace(summary={name: of for name, of in made.summary.items() if name != "hours"})
    if which == "without a trace":
        made = made._replace(trace=Trace("run", []))
    file = written(made, tmp_path)
    steps: list[list[Any]] = [
        ["evaluate", "for (const one of document.querySelectorAll('details')) one.open = true"],
        ["axe"],
        ["evaluate", "document.documentElement.scrollWidth - document.documentElement.clientWidth"],
        ["evaluate", TOO_SMALL],
    ]
    widths = WIDTHS if which == DEFAULT_JOB else (360,)
    visits: list[Visit] = [
        {"file": file, "width": width, "theme": theme, "steps": steps} for width in widths for theme in THEMES
    ]
    for visit, found in zip(visits, in_browser(visits), strict=True):
        where = f"{visit['width']} {visit['theme']}"
        assert found.errors == [], where
        assert found.requests == [], where
        _, faults, wider, too_small = found.values
        bad = [fault for fault in faults if fault["impact"] in ("serious", "critical")]
        assert bad == [], f"{where}: {json.dumps(bad, indent=1)}"
        assert wider == 0, f"{where}: the page is wider than its window"
        assert too_small == [], where


OVERLAPS = """(() => {
  const boxes = [...document.querySelectorAll('.rankings table')].map((one) => {
    const table = one.getBoundingClientRect();
    const cells = [...one.querySelectorAll('th, td, caption')].map((cell) => cell.getBoundingClientRect());
    return { left: table.left, top: table.top, bottom: table.bottom,
             right: Math.max(table.right, ...cells.map((cell) => cell.right)) };
  });
  const wide = document.documentElement.clientWidth;
  const meet = (a, b) => Math.max(a.left, b.left) < Math.min(a.right, b.right) - 1 &&
    Math.max(a.top, b.top) < Math.min(a.bottom, b.bottom) - 1;
  return {
    cards: boxes.length,
    outside: boxes.filter((one) => one.left < 0 || one.right > wide + 1).length,
    overlapping: boxes.filter((one, i) => boxes.some((other, j) => i < j && meet(one, other))).length,
  };
})()"""


def test_a_reason_beside_a_name_needs_no_sideways_scrolling(tmp_path: Path) -> None:
    run = fake_run("column_permutations")
    reason = f"text: 8 of 9 cells, the first in the row at byte 1 of {'k' * 90}; name them in missing_words"
    left_out = [{"column": name, "reason": reason} for name in ("visitors_of_the_shop", "x" * 256)]
    file = written(run._replace(summary={**run.summary, "columns_left_out": left_out}), tmp_path)
    wider = """[...document.querySelectorAll("#result .keyed")]
      .map((one) => [one.scrollWidth - one.clientWidth, one.querySelector("td:last-child").clientWidth])"""
    width = 390
    more, cell = seen(file, ["evaluate", wider], width=width).values[0][-1]
    assert more == 0
    assert cell > 0.4 * width


HIDDEN = """[...document.querySelectorAll('.scroll')]
  .filter((one) => one.checkVisibility() && one.scrollWidth > one.clientWidth + 1)
  .map((one) => getComputedStyle(one, '::before').content.includes('more') &&
       getComputedStyle(one).backgroundImage.includes('gradient'))"""


@pytest.mark.parametrize("letter", ["n", "w", "語"])
def test_every_ranking_is_seen_whole_at_any_width(letter: str, tmp_path: Path) -> None:
    """None overlaps another or lies outside of the page; a table that is cut off says so."""
    run = fake_run()
    tops = {
        length: [{"word": letter * int(length), "count": 10**9 + place} for place in range(10)]
        for length in run.summary["top_words"]
    }
    run = run._replace(summary={**run.summary, "top_words": tops})
    steps = [["evaluate", OVERLAPS], ["evaluate", HIDDEN]]
    visits: list[Visit] = [
        {"file": written(run, tmp_path), "width": width, "steps": steps} for width in (390, 800, 1024, 1280)
    ]
    for visit, found in zip(visits, in_browser(visits), strict=True):
        cards, hidden = found.values
        assert cards == {"cards": 20, "outside": 0, "overlapping": 0}, visit["width"]
        assert all(hidden), visit["width"]
        assert hidden or visit["width"] > 390


@pytest.mark.hostile
def test_words_that_are_markup_stay_words(tmp_path: Path) -> None:
    nasty = "</script><img src=x onerror=\"document.title='caught'\"><svg onload=alert(1)>\u202eabc"
    made = fake_run(blocks=20)
    top = {length: [{"word": nasty, "count": 7}] for length in made.summary["top_words"]}
    calls = [
        msgspec.structs.replace(call, task=nasty, error=nasty, function=nasty) for call in made.trace.calls
    ]
    record = msgspec.structs.replace(made.record, key=nasty, error=nasty, etag=nasty, prices=nasty)
    made = made._replace(summary={**made.summary, "top_words": top}, record=record, trace=Trace("run", calls))
    found = seen(
        written(made, tmp_path),
        ["evaluate", "document.querySelector('[data-call]').click()"],
        ["evaluate", "document.getElementById('calls').open = true"],
        ["until", "document.getElementById('detail').textContent.includes('onerror')"],
        ["evaluate", "document.querySelectorAll('img, svg[onload]').length"],
        ["evaluate", "document.title"],
        ["evaluate", "document.querySelector('.rankings bdi').textContent"],
        ["evaluate", "document.querySelector('#rows bdi').textContent.slice(0, 20)"],
        ["evaluate", "document.documentElement.outerHTML.includes('\\u202e')"],
    )
    images, title, word, row, has_override = found.values[2:]
    assert images == 0
    assert title.startswith("Words of ")
    assert word == nasty.replace("\u202e", "\\u202e")
    assert row == nasty[:20]
    assert not has_override


INTRUDERS = """(() => {
  const script = document.body.appendChild(document.createElement("script"));
  script.textContent = "window.caught = 1";
  document.body.append(script);
  const button = document.body.appendChild(document.createElement("button"));
  button.setAttribute("onclick", "window.caught = 2");
  button.click();
  return window.caught ?? 0;
})()"""


@pytest.mark.hostile
def test_what_runs_in_the_page_is_its_own_script_alone(tmp_path: Path) -> None:
    """Were there a way in after all, the policy is in its way."""
    asks = "fetch('https://example.com/').then(() => 'sent', () => 'refused')"
    file = written(fake_run(blocks=20), tmp_path)
    (found,) = in_browser([{"file": file, "steps": [["evaluate", INTRUDERS], ["evaluate", asks]]}])
    assert found.values == [0, "refused"]
    assert found.requests == []
    assert len(found.errors) >= 2, "Chromium says what it has refused"


COPY = """(() => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector(".rankings tbody"));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
})()"""
PASTE = """(() => {
  const box = document.body.appendChild(document.createElement("textarea"));
  box.id = "paste";
  box.focus();
})()"""


def test_numbers_that_are_copied_paste_as_numbers(tmp_path: Path) -> None:
    """By the keys that a person copies with; a spreadsheet takes a tab for the next cell."""
    made = fake_run()
    found = seen(
        written(made, tmp_path),
        ["evaluate", COPY],
        ["press", "Control+c"],
        ["evaluate", PASTE],
        ["press", "Control+v"],
        ["evaluate", "document.getElementById('paste').value"],
    )
    pasted = [line.split("\t") for line in found.values[-1].strip().splitlines()]
    top = [(entry["word"], entry["count"]) for entry in made.summary["top_words"]["1"]]
    assert [(word, int(count)) for word, count, *_ in pasted] == top


DETAIL = "document.getElementById('detail').textContent"


def test_the_timeline_is_walked_by_keys(tmp_path: Path) -> None:
    made = fake_run()
    calls = sorted(made.trace.calls, key=lambda call: (call.started_at, call.queued_at))
    marked = [call for call in calls if call.outcome != "done" or call.attempt > 1]
    tip = "document.querySelector('#timeline .tip').hidden"
    found = seen(
        written(made, tmp_path),
        ["evaluate", "document.getElementById('timeline').focus()"],
        ["press", "n"],
        ["until", f"{DETAIL}.startsWith('{marked[0].task}, {marked[0].function}: {marked[0].outcome}')"],
        ["press", "n"],
        ["until", f"{DETAIL}.startsWith('{marked[1].task}, {marked[1].function}: {marked[1].outcome}')"],
        ["press", "ArrowDown", "ArrowRight", "ArrowUp", "ArrowLeft", "+", "+", "-", "0", "End"],
        ["until", f"{DETAIL}.startsWith('{calls[-1].task}, {calls[-1].function}: ')"],
        ["evaluate", tip],
        ["press", "Escape"],
        ["evaluate", tip],
    )
    assert found.values[1:] == [False, True]


def test_the_files_of_the_result_are_downloaded_from_the_page(tmp_path: Path) -> None:
    """From a file on the disk, under the page's policy."""
    made = fake_run("access_log")
    kinds = files_of(made)
    steps = [["download", f"a[download$='.{kind}']", str(tmp_path / f"saved.{kind}")] for kind in kinds]
    found = seen(written(made, tmp_path), *steps)
    assert found.values == [f"fanfold-{made.record.run_id}.{kind}" for kind in kinds]
    for kind, content in kinds.items():
        assert (tmp_path / f"saved.{kind}").read_bytes() == content


FOCUSED = """(() => {
  const at = document.activeElement;
  return at.id || at.ariaLabel || at.firstChild.textContent.trim();
})()"""


def test_everything_is_reached_by_tab_in_order(tmp_path: Path) -> None:
    steps: list[list[Any]] = []
    for _ in range(21):
        steps += [["press", "Tab"], ["evaluate", FOCUSED]]
    assert seen(written(fake_run(), tmp_path), *steps).values == [
        *("Skip to the result", "theme", "Download CSV", "Download JSON"),
        *("Result", "The run", "Every Lambda", "Time", "Cost", "Proof", "Run it again"),
        *("The most frequent words by length", "The proof", "The bill", "what went wrong, and where"),
        *("Zoom in", "Zoom out", "Earlier", "Later", "Whole run", "Next marked call"),
    ]


def test_a_box_that_is_drawn_is_what_is_seen_then(tmp_path: Path) -> None:
    """Dragging zooms in, a double click shows the whole run."""
    over = "document.querySelector('#timeline .u-over')"
    look = [
        ["evaluate", f"{over}.dispatchEvent(new MouseEvent('mouseleave'))"],
        ["evaluate", "new Promise((done) => setTimeout(done, 300))"],
        ["evaluate", "document.querySelector('#timeline canvas').toDataURL()"],
    ]
    found = seen(
        written(fake_run(), tmp_path),
        ["evaluate", "document.getElementById('timeline').scrollIntoView({block: 'center'})"],
        *look,
        ["drag", 500, 400, 620, 480],
        *look,
        ["evaluate", f"{over}.dispatchEvent(new MouseEvent('dblclick', {{bubbles: true}}))"],
        *look,
    )
    before, zoomed, after = (value for value in found.values if str(value).startswith("data:"))
    assert zoomed != before == after


def test_the_theme_follows_the_system_and_the_button(tmp_path: Path) -> None:
    ground = ["evaluate", "getComputedStyle(document.body).backgroundColor"]
    file = written(fake_run(blocks=20), tmp_path)
    visits: list[Visit] = [{"file": file, "theme": theme, "steps": [ground]} for theme in THEMES]
    light, dark = (found.values[0] for found in in_browser(visits))
    assert light != dark
    toggled = seen(file, ["click", "#theme"], ground, ["click", "#theme"], ground, theme="light")
    assert toggled.values == [dark, light]


AT_WORK = """(() => {
  const drawn = document.querySelector("#concurrency canvas");
  const { width, height } = drawn;
  const context = new OffscreenCanvas(width, height).getContext("2d", { willReadFrequently: true });
  context.drawImage(drawn, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const wanted = %s;
  let found = 0;
  for (let at = 0; at < data.length; at += 4) {
    found += wanted.every((value, which) => data[at + which] === value);
  }
  return found;
})()"""


def test_on_paper_it_is_day(tmp_path: Path) -> None:
    """A dark page is printed in light colours, its canvases too, and is dark again afterwards."""
    light, dark = AT_WORK % "[20, 154, 134]", AT_WORK % "[55, 191, 169]"
    wait = ["evaluate", "new Promise((done) => setTimeout(done, 200))"]
    counts = [["evaluate", light], ["evaluate", dark]]
    found = seen(
        written(fake_run(blocks=20), tmp_path),
        *counts,
        ["evaluate", "dispatchEvent(new Event('beforeprint'))"],
        wait,
        *counts,
        ["evaluate", "dispatchEvent(new Event('afterprint'))"],
        wait,
        *counts,
        ["pdf", str(tmp_path / "page.pdf")],
        theme="dark",
    )
    numbers = [value for value in found.values if isinstance(value, int) and not isinstance(value, bool)]
    assert [number > 100 for number in numbers] == [False, True, True, False, False, True]
    assert (tmp_path / "page.pdf").stat().st_size > 10_000


def test_ten_thousand_calls_are_drawn_and_found(tmp_path: Path) -> None:
    made = fake_run(blocks=10_000)
    found = seen(
        written(made, tmp_path),
        ["evaluate", "document.getElementById('timeline').focus()"],
        ["press", "n", "+", "+", "+", "ArrowRight"],
        ["until", f"{DETAIL}.includes('block')"],
        ["evaluate", "document.getElementById('calls').open = true"],
        ["until", "document.querySelectorAll('#rows tr').length === 50"],
        ["evaluate", "document.getElementById('which').textContent"],
    )
    assert found.values[-1] == f"1 to 50 of {len(made.trace.calls):,}"
