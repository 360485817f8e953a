"""The pictures of the docs: ``python -m tests.page.screenshots FOLDER [REPORT.html]``.

They show answers, a run in progress, and a report: the one given, or one with made-up data. They need
Debian's chromium, and a font of many scripts looks best:
``apt-get install --no-install-recommends chromium fonts-noto-core``.
"""

import io
import shlex
import sys
import tempfile
from pathlib import Path
from random import Random

from rich.console import Console
from rich.text import Text

from fanfold.cli.live import Moment, as_picture
from fanfold.report.page import page
from fanfold.runs.csv_export import as_csv
from fanfold.runs.progress import Progress
from fanfold.runs.result import as_json, json_text
from lambda_src.wire.record import RunRecord
from tests import recipes
from tests.fake_runs import fake_run
from tests.page.browser import CHROMIUM, Visit, in_browser

PICTURES: dict[str, tuple[str, int, int, str]] = {
    "report.png": ("light", 1200, 900, "html"),
    "report-dark.png": ("dark", 1200, 900, "html"),
    "report-timeline.png": ("light", 1200, 1120, "#lambdas"),
    "report-cost.png": ("light", 1200, 900, "#cost"),
    "report-phone.png": ("dark", 390, 844, "html"),
}
"""By file: theme, width, height, and what is at the top."""


LIVE = "live.svg"


def live() -> str:
    """A run in progress in a terminal, as SVG."""
    record = RunRecord(
        run_id="run",
        started_at=0.0,
        bytes=10**10,
        units=10**10,
        units_done=3_584_000_000,
        blocks=597,
        blocks_done=214,
        calls={"running": 183, "at_most": 250, "tried_again": 1, "throttled": 2, "copies": 1},
        dollars={"gb_s": 0.0029},
    )
    console = Console(
        record=True, width=84, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    console.print("$ fanfold run enwiki.xml")
    console.print(as_picture(Moment(Progress(record, 0, 20), 2.01e9, 3.0, "bytes"), 84))
    return console.export_svg(title="fanfold run", unique_id="live")


QUESTIONS = "questions.svg"
ASKED = (
    "fanfold grep -o 'req=7d4f01c2.*' s3://BUCKET/input/app/",
    "fanfold run s3://BUCKET/input/web/ --job access_log --set by=path --set status=5xx --set top=3",
    "fanfold run s3://BUCKET/input/bgwiki-pages-articles.xml.bz2 --set markup=mediawiki --set top=3",
    "fanfold run s3://BUCKET/input/sensors.csv --job column_permutations --set target=wear --set top=1",
)
"""Questions to each job, about the inputs of the recipes."""


def sensors() -> str:
    """A table of measurements, as CSV; three of them explain wear."""
    random = Random(3)
    rows = ["temperature,vibration,pressure,humidity,wear"]
    for _ in range(200):
        heat, shake, press, wet, more = (random.gauss(0, 1) for _ in range(5))
        wear = 2 * heat + 3 * shake + press / 2 + more
        rows.append(f"{60 + 5 * heat:.2f},{3 + shake:.3f},{101 + press:.2f},{40 + 8 * wet:.1f},{wear:.3f}")
    return "\n".join(rows)


def questions() -> str:
    """What commands print in a terminal, as SVG."""
    console = Console(
        record=True, width=80, file=io.StringIO(), force_terminal=True, color_system="truecolor"
    )
    with recipes.in_a_folder_of_inputs():
        plain = [recipes.line_of(one).rpartition(" ")[0] for one in recipes.requests()]
        Path("input/web").mkdir()
        Path("input/web/access.log").write_text("\n".join(plain))
        Path("input/sensors.csv").write_text(sensors())
        for command in ASKED:
            console.print(Text("$ " + command.replace(" --", " \\\n    --", 1), style="bold"))
            console.print(Text(recipes.answer_of(shlex.split(command))))
    return console.export_svg(title="fanfold", unique_id="questions")


def main(folder: Path, report: Path | None) -> None:
    """Write the pictures to ``folder``."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as here:
        if report is None:
            run = fake_run()
            report = Path(here) / "report.html"
            json = json_text(as_json(run.job, run.summary, {}))
            report.write_text(
                page(
                    run.job,
                    run.record,
                    run.summary,
                    run.trace,
                    parts=run.parts,
                    manifest=run.manifest,
                    files={"csv": as_csv(run.job, run.summary), "json": json},
                )
            )
        visits: list[Visit] = [
            {
                "file": str(report.resolve()),
                "theme": theme,
                "width": width,
                "height": height,
                "steps": [
                    ["evaluate", f"document.querySelector('{top}').scrollIntoView()"],
                    ["view", str(folder / name)],
                ],
            }
            for name, (theme, width, height, top) in PICTURES.items()
        ]
        in_browser(visits)
    (folder / LIVE).write_text(live())
    (folder / QUESTIONS).write_text(questions())
    for name in (*PICTURES, LIVE, QUESTIONS):
        print(f"{folder / name}: {(folder / name).stat().st_size:,} bytes")


if __name__ == "__main__":
    if CHROMIUM is None or len(sys.argv) not in (2, 3):
        sys.exit(__doc__)
    main(Path(sys.argv[1]), Path(sys.argv[2]) if len(sys.argv) == 3 else None)
