"""A result in every format for files: nothing is lost, and no text becomes markup."""

import csv
import html
import importlib.util
import io
import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt
from rich.console import Console

from fanfold.cli import table_export
from fanfold.cli.table_export import as_html, as_json_lines, as_markdown, as_parquet, typed
from fanfold.errors import ReportError
from fanfold.jobs import any_job
from fanfold.jobs._tables import find
from fanfold.runs.csv_export import as_csv
from fanfold.safe_text import visible
from tests.unit.test_csv_export import SPLITS, is_formula

NASTY = ["<script>", "a|b", "\\|", "`x`", "**b**", "[a](http://x)", "![i](x)", "&lt;", "www.x.org", "a@@b.c"]
TEXT = (
    st.text(max_size=12)
    | st.sampled_from(NASTY)
    | st.text("|\\`*_~<>&[]()!#@:/.w1é-\n\r\x1b\u202e ", max_size=9)
)
ROWS = st.lists(
    st.builds(lambda host, n: {"host": host, "n": n}, TEXT, st.integers(0, 10**12)), min_size=1, max_size=4
)
MARKDOWN = MarkdownIt("commonmark").enable(["table", "strikethrough"])


CELLS = ("tr", "td", "th")


class Reader(HTMLParser):
    """Collects tags, with their attributes, and the texts of cells."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[Any] = []
        self.cells: list[str] = []
        self.in_cell = False
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, attrs))
        self.in_cell = tag in ("td", "th")
        if self.in_cell:
            self.cells.append("")

    def handle_endtag(self, tag: str) -> None:
        self.in_cell = self.in_cell and tag not in ("td", "th")

    def handle_data(self, data: str) -> None:
        if self.in_cell:
            self.cells[-1] += data


def cells_of(rows: list[dict[str, Any]]) -> list[str]:
    return [*rows[0], *(visible(str(cell)) for row in rows for cell in row.values())]


@given(ROWS)
def test_no_text_becomes_markdown(rows: list[dict[str, Any]]) -> None:
    text = as_markdown("mine", {"top": rows}).decode()
    assert all(line == visible(line) for line in text.splitlines())
    tokens = MARKDOWN.parse(text)
    inner = [token.children or [] for token in tokens if token.type == "inline"]
    assert {child.type for cell in inner for child in cell} <= {"text", "text_special", "code_inline"}
    assert ["".join(child.content for child in cell) for cell in inner] == [
        cell.strip(" ") for cell in cells_of(rows)
    ]
    assert sum(token.type == "table_open" for token in tokens) == 1


@pytest.mark.parametrize("name", ["remote_addr", "größe_2", "a_b_c"])
def test_underscores_in_names_stay(name: str) -> None:
    assert f"| {name} |" in as_markdown("mine", {"top": [{"name": name}]}).decode()


@given(ROWS)
def test_no_text_becomes_html(rows: list[dict[str, Any]]) -> None:
    read = Reader(as_html("mine", {"run_id": "<b>", "top": rows}).decode())
    plain = [{name: 0 if name == "n" else "" for name in row} for row in rows]
    assert read.tags == Reader(as_html("mine", {"run_id": "r", "top": plain}).decode()).tags
    assert read.cells == cells_of(rows)


@given(TEXT)
def test_options_are_above_a_table_as_texts(text: str) -> None:
    fields = {"run_id": "r", "options": {"pattern": text, "top": 3}, "top": [{"n": 1}]}
    shown = f"mine, pattern={visible(text)} top=3, run r"
    first, _, table = as_markdown("mine", fields).decode().partition("\n\n")
    assert table == as_markdown("mine", {"top": [{"n": 1}]}).decode()
    (paragraph,) = (token for token in MARKDOWN.parse(first) if token.type == "inline")
    children = paragraph.children or []
    assert {child.type for child in children} <= {"text", "text_special", "code_inline"}
    assert "".join(child.content for child in children) == shown
    page = as_html("mine", fields).decode()
    assert page.count(f"<caption>{html.escape(shown)}</caption>") == 1
    assert Reader(page).tags == Reader(as_html("mine", {"top": [{"n": 1}]}).decode()).tags


@given(ROWS)
def test_json_lines_hold_the_rows(rows: list[dict[str, Any]]) -> None:
    lines = as_json_lines("mine", {"top": rows}).decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows


TREE = st.recursive(
    TEXT | st.integers() | st.none(),
    lambda inner: (
        st.lists(st.dictionaries(TEXT, inner, max_size=2), max_size=2)
        | st.dictionaries(TEXT | st.sampled_from(["a", "a_"]), inner, max_size=3)
    ),
    max_leaves=8,
)


@given(st.dictionaries(TEXT, TREE, max_size=3))
@example({"a": {"k": {"a_": {"j": {"a": 1, "a_": 2, "x": [{"a": 1, "a_": 1}]}}}}})
def test_names_of_fields_are_as_harmless_as_texts(fields: dict[str, Any]) -> None:
    headings, *rows = ([*map(str, row)] for row in any_job("mine").rows(fields))
    for unique in (headings, *(table.headings for _, table in find(fields).tables)):
        assert len(set(unique)) == len(unique)
    names = list(map(visible, headings))

    markdown = as_markdown("mine", fields).decode()
    assert len(markdown.splitlines()) == 2 + len(rows)
    inner = [token.children or [] for token in MARKDOWN.parse(markdown) if token.type == "inline"]
    assert {child.type for cell in inner for child in cell} <= {"text", "text_special", "code_inline"}
    shown = ["".join(child.content for child in cell) for cell in inner]
    assert shown[: len(names)] == [name.strip(" ") for name in names]

    read = Reader(as_html("mine", fields).decode())
    assert {tag for tag, _ in read.tags} <= {"html", "meta", "title", "style", "table", "caption", *CELLS}
    assert read.cells[: len(names)] == names

    lines = as_json_lines("mine", fields).decode().split("\n")
    assert [list(json.loads(line)) for line in lines[:-1]] == [headings] * len(rows)

    table = list(csv.reader(io.StringIO(as_csv("mine", fields).decode(), newline="")))
    assert [len(row) for row in table] == [len(headings)] * (1 + len(rows))
    pieces = (piece for cell in table[0] for piece in re.split(f"[{SPLITS}]", cell))
    assert not any(map(is_formula, pieces))

    console = Console(file=io.StringIO(), width=60, markup=False, highlight=False)
    any_job("mine").show(console, fields)
    assert all(line == visible(line) for line in console.file.getvalue().split("\n"))  # type: ignore[attr-defined]


@given(st.lists(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()))
def test_a_column_has_one_kind_and_the_same_values(cells: list[Any]) -> None:
    (column,) = typed(["x"], [[cell] for cell in cells])
    kinds = {"integer": int, "number": float, "boolean": bool, "text": str}
    for cell, stored in zip(cells, column.cells, strict=True):
        assert stored is None if cell is None else type(stored) is kinds[column.kind]
        assert not isinstance(stored, int) or abs(stored) < 1 << 63
        if column.kind != "text" or isinstance(cell, str):
            assert stored == cell


def test_without_a_library_for_parquet_a_command_installs_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_export.sys, "executable", "/a b/python")  # type: ignore[attr-defined]
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ReportError, match=r"To install one: '/a b/python' -m pip install pyarrow$"):
        as_parquet("mine", {})


@pytest.mark.parametrize("library", ["pyarrow", "polars"])
def test_parquet_holds_the_rows(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    module = pytest.importorskip(library)
    monkeypatch.setattr(table_export, "check_parquet", lambda: module)

    def read(fields: dict[str, Any]) -> Any:
        written = io.BytesIO(as_parquet("mine", fields))
        if library == "polars":
            return module.read_parquet(written).to_dicts()
        return importlib.import_module("pyarrow.parquet").read_table(written).to_pylist()

    @settings(deadline=None)
    @given(st.dictionaries(TEXT, TREE, max_size=3))
    @example({"top": [{}]})
    @example({"top": [{"n": 1 << 63}, {"n": None}, {"n": -(1 << 63)}]})
    def any_rows(fields: dict[str, Any]) -> None:
        headings, *rows = any_job("mine").rows(fields)
        for column in typed(list(map(str, headings)), rows):
            assert [row[column.name] for row in read(fields)] == list(column.cells)

    any_rows()
    rows = [{"host": "ä|", "n": 1, "share": None, "ok": True}, {"host": "", "n": 2, "share": 0.5, "ok": None}]
    assert read({"top": rows}) == rows
