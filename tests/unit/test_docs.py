"""What the docs name is there: files, headings, commands."""

import re
from pathlib import Path

import pytest
import typer

from fanfold.cli import app as commands
from fanfold.new_job import write_job

ROOT = Path(__file__).parents[2]
PAGES = sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")])
LINK = re.compile(r"\]\(([^)\s]+)\)")
CONSOLE = re.compile(r"```console\n(.*?)```", re.DOTALL)
COMMANDS = typer.main.get_command(commands.app).commands  # type: ignore[attr-defined]
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def anchors(page: Path) -> set[str]:
    """The headings of a page, as links name them."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def typed(page: Path) -> list[list[str]]:
    """The command lines of a page, in words; those that go on in the next line are left to other tests."""
    lines = [line.strip() for block in CONSOLE.findall(page.read_text()) for line in block.splitlines()]
    return [line.partition(" | ")[0].split() for line in lines if line]


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    for link in LINK.findall(page.read_text()):
        if link.startswith("https://"):
            continue
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


@each_page
def test_commands_can_be_typed(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for job in ("log_messages", "lines_with"):  # jobs that the pages write
        write_job(tmp_path, job)
    monkeypatch.chdir(tmp_path)
    for words in typed(page):
        if words[0] == "fanfold":
            COMMANDS[words[1]].make_context(words[1], words[2:])
        if words[0] == "make":
            assert {word for word in words[1:] if "=" not in word and '"' not in word} <= TARGETS, words


def test_the_readme_has_commands() -> None:
    assert sum(words[0] in ("fanfold", "make") for words in typed(ROOT / "README.md")) > 10
