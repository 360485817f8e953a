"""The page of a run in a real Chromium: what a person sees, hears, copies, prints; and what an attacker gets."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest

from client.page import page
from lambda_src.job import names
from lambda_src.messages import Trace
from tests.fake_runs import FakeRun, fake_run
from tests.page.browser import CHROMIUM, Seen, Visit, in_browser

pytestmark = pytest.mark.skipif(
    CHROMIUM is None, reason="there is no chromium: apt-get install --no-install-recommends chromium"
)

WIDTHS, THEMES = (360, 800, 1440), ("light", "dark")


def written(run: FakeRun, folder: Path, name: str = "page") -> str:
    """The path of the page of ``run``."""
    path = folder / f"{name}.html"
    path.write_text(page(run.job, run.record, run.summary, run.trace, parts=run.parts, manifest=run.manifest))
    return str(path)


def seen(file: str, *steps: list[Any], **more: Any) -> Seen:
    """What came of one visit, which must neither complain nor ask for anything."""
    visit: Visit = {"file": file, "steps": list(steps), **more}  # type: ignore[typeddict-item]
    (found,) = in_browser([visit])
    assert found.errors == []
    assert found.requests == []
    return found


@pytest.mark.parametrize("run", [*names(), "failed", "without a trace"])
def test_every_page_is_quiet_alone_and_accessible(run: str, tmp_path: Path) -> None:
    """In three widths and both themes, with everything opened that can be."""
    made = fake_run(run) if run in names() else fake_run(status="FAILED" if run == "failed" else "SUCCEEDED")
    if run == "without a trace":
        made = made._replace(trace=Trace("run", []))
    file = written(made, tmp_path)
    steps: list[list[Any]] = [
        ["axe"],
        ["evaluate", "for (const one of document.querySelectorAll('details')) one.open = true"],
        ["axe"],
        ["evaluate", "document.documentElement.scrollWidth - document.documentElement.clientWidth"],
    ]
    visits: list[Visit] = [
        {"file": file, "width": width, "theme": theme, "steps": steps} for width in WIDTHS for theme in THEMES
    ]
    for visit, found in zip(visits, in_browser(visits), strict=True):
        where = f"{visit['width']} {visit['theme']}"
        assert found.errors == [], where
        assert found.requests == [], where
        shut, _, opened, wider = found.values
        bad = [fault for fault in shut + opened if fault["impact"] in ("serious", "critical")]
        assert bad == [], f"{where}: {json.dumps(bad, indent=1)}"
        assert wider == 0, f"{where}: the page is wider than its window"


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
    assert "caught" not in title.partition("s3://")[0]
    assert word == nasty.replace("\u202e", "\\u202e")
    assert row == nasty[:20]
    assert not has_override


def test_what_runs_in_the_page_is_its_own_script_alone(tmp_path: Path) -> None:
    """Were there a way in after all, the policy is in its way."""
    file = written(fake_run(blocks=20), tmp_path)
    (found,) = in_browser([{"file": file, "steps": [
        ["evaluate", "(() => { const one = document.createElement('script'); one.textContent = 'window.caught = 1';"
                     " document.body.append(one); return window.caught ?? 0; })()"],
        ["evaluate", "fetch('https://example.com/').then(() => 'sent', () => 'refused')"],
        ["evaluate", "(() => { const one = document.createElement('b'); one.setAttribute('onclick', 'window.caught = 2');"
                     " document.body.append(one); one.click(); return window.caught ?? 0; })()"],
    ]}])  # fmt: skip
    assert found.values == [0, "refused", 0]
    assert found.requests == []


COPIED = """(() => {
  const range = document.createRange();
  range.selectNodeContents(document.querySelector('%s'));
  getSelection().removeAllRanges();
  getSelection().addRange(range);
})()"""
PASTE = "(() => { const box = document.body.appendChild(document.createElement('textarea')); box.id = 'paste'; box.focus(); })()"


def test_numbers_that_are_copied_paste_as_numbers(tmp_path: Path) -> None:
    """By the keys that a person copies with; a spreadsheet takes a tab for the next cell."""
    made = fake_run()
    found = seen(
        written(made, tmp_path),
        ["evaluate", COPIED % ".rankings table tbody"],
        ["press", "Control+c"],
        ["evaluate", PASTE],
        ["press", "Control+v"],
        ["evaluate", "document.getElementById('paste').value"],
    )
    lines = [line.split("\t") for line in found.values[-1].strip().splitlines()]
    top = made.summary["top_words"]["1"]
    assert [(word, int(count)) for word, count, *_ in lines] == [
        (entry["word"], entry["count"]) for entry in top
    ]


def test_the_timeline_is_walked_by_keys(tmp_path: Path) -> None:
    made = fake_run()
    detail = ["evaluate", "document.getElementById('detail').textContent"]
    told = "document.getElementById('detail').textContent"
    found = seen(
        written(made, tmp_path),
        ["evaluate", "document.getElementById('timeline').focus()"],
        ["press", "n"],
        ["until", f"{told}.includes('second 0.')"],
        detail,
        ["press", "n"],
        ["until", f"{told} !== {json.dumps('')} && !{told}.includes('Point at')"],
        ["press", "ArrowDown", "ArrowRight", "+", "+", "-", "0", "End"],
        [
            "until",
            f"{told}.startsWith('log_results') || {told}.includes('log_results') || {told}.includes('length')",
        ],
        detail,
        ["press", "Escape"],
        ["evaluate", "document.querySelector('#timeline .tip').hidden"],
    )
    first, last, hidden = found.values[1:]
    calls = sorted(made.trace.calls, key=lambda call: (call.started_at, call.queued_at))
    marked = next(call for call in calls if call.outcome != "done" or call.attempt > 1)
    assert first.startswith(f"{marked.task}, {marked.function}: {marked.outcome}")
    assert last.startswith(f"{calls[-1].task}, {calls[-1].function}: ")
    assert hidden is True


def test_everything_is_reached_by_tab_in_order(tmp_path: Path) -> None:
    where = "(() => { const at = document.activeElement; return at.id || at.textContent.trim().slice(0, 20) || at.tagName; })()"
    steps: list[list[Any]] = []
    for _ in range(26):
        steps += [["press", "Tab"], ["evaluate", where]]
    reached = seen(written(fake_run(), tmp_path), *steps).values
    assert reached[0] == "Skip to the result"
    assert reached[1] == "theme"
    assert "timeline" in reached
    assert reached.index("Run it again") < reached.index("Whole run") < reached.index("timeline")


def test_a_box_that_is_drawn_is_what_is_seen_then(tmp_path: Path) -> None:
    """Dragging zooms in, a double click shows the whole run."""
    axis = "(() => { const canvas = document.querySelector('#timeline canvas'); return canvas.toDataURL().length; })()"
    middle = "document.getElementById('timeline').scrollIntoView({block: 'center'})"
    pause = ["evaluate", "new Promise((done) => setTimeout(done, 300))"]
    found = seen(
        written(fake_run(), tmp_path),
        ["evaluate", middle],
        ["evaluate", axis],
        ["drag", 500, 400, 620, 480],
        pause,
        ["evaluate", axis],
        [
            "evaluate",
            "document.querySelector('#timeline .u-over').dispatchEvent(new MouseEvent('dblclick', {bubbles: true}))",
        ],
        pause,
        [
            "evaluate",
            "document.querySelector('#timeline .u-over').dispatchEvent(new MouseEvent('mouseleave'))",
        ],
        ["evaluate", axis],
    )
    before, zoomed, after = (
        value for value in found.values if isinstance(value, int) and not isinstance(value, bool)
    )
    assert zoomed != before == after


def test_the_theme_follows_the_system_and_the_button(tmp_path: Path) -> None:
    ground = ["evaluate", "getComputedStyle(document.body).backgroundColor"]
    file = written(fake_run(blocks=20), tmp_path)
    by_system = [seen(file, ground, theme=theme).values[0] for theme in THEMES]
    toggled = seen(file, ["click", "#theme"], ground, ["click", "#theme"], ground).values
    assert by_system[0] != by_system[1]
    assert toggled == [by_system[1], by_system[0]]


def test_on_paper_it_is_day(tmp_path: Path) -> None:
    """A dark page is printed in light colours, its canvases too, and is dark again afterwards."""
    file = written(fake_run(blocks=20), tmp_path)
    corner = "(() => { const c = document.querySelector('#concurrency canvas'); return [...c.getContext('2d').getImageData(c.width * 0.15, c.height * 0.6, 1, 1).data]; })()"
    found = seen(
        file,
        ["evaluate", corner],
        ["evaluate", "dispatchEvent(new Event('beforeprint'))"],
        ["evaluate", "new Promise((done) => setTimeout(done, 50))"],
        ["evaluate", "document.documentElement.dataset.theme"],
        ["evaluate", "dispatchEvent(new Event('afterprint'))"],
        ["evaluate", "document.documentElement.dataset.theme ?? 'system'"],
        ["pdf", str(tmp_path / "page.pdf")],
        theme="dark",
    )
    assert "light" in found.values
    assert found.values[-1] == "system"
    assert (tmp_path / "page.pdf").stat().st_size > 10_000


def test_ten_thousand_calls_are_drawn_and_found(tmp_path: Path) -> None:
    made = fake_run(blocks=10_000)
    found = seen(
        written(made, tmp_path),
        ["evaluate", "document.getElementById('timeline').focus()"],
        ["press", "n", "+", "+", "+", "ArrowRight"],
        ["until", "document.getElementById('detail').textContent.includes('block')"],
        ["evaluate", "document.getElementById('calls').open = true"],
        ["until", "document.querySelectorAll('#rows tr').length === 50"],
        ["evaluate", "document.getElementById('which').textContent"],
    )
    assert found.values[-1] == f"1 to 50 of {len(made.trace.calls)}"
