"""Tables of numbers in any dialect of CSV: each number is the file's, each row is read once, or none."""

import bz2
import csv
import io
import math
import re
from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from lambda_src.errors import FanfoldError, TableUnusable
from lambda_src.input.objects import input_of_bytes
from lambda_src.input.ownership import check_chain
from lambda_src.job import Place, Span
from lambda_src.jobs.column_permutations import rows as rows_module
from lambda_src.jobs.column_permutations.dialect import HEAD_BYTES, Dialect, dialect_of
from lambda_src.jobs.column_permutations.rows import Rows, csv_records, read_rows

MISSING, NO_NUMBER = "missing", "no number"
Cell = float | str

PLAIN = "a,b,y\n1.5,2,1045.5\n2.5,1,2045.25\n3,4,2999\n4.5,3,4100.75\n6,5,5500\n"
LINES = PLAIN.splitlines()


def cells_of(rows: Rows) -> list[list[Cell]]:
    return [
        [
            MISSING if missing else NO_NUMBER if math.isnan(value) else value
            for value, missing in zip(values, flags, strict=True)
        ]
        for values, flags in zip(rows.values.tolist(), rows.missing.tolist(), strict=True)
    ]


def read(
    text: str | bytes, block_bytes: int = 1 << 30, *, head_bytes: int = HEAD_BYTES
) -> tuple[Dialect, list[list[Cell]]]:
    """The table as blocks of a run read it, after the proof of their borders."""
    data = text.encode() if isinstance(text, str) else text
    return read_objects([data], block_bytes, dialect_of(data[:head_bytes]))


def read_objects(
    objects: list[bytes], block_bytes: int, dialect: Dialect
) -> tuple[Dialect, list[list[Cell]]]:
    dialect = msgspec.json.decode(msgspec.json.encode(dialect), type=Dialect)
    source, found, owned = input_of_bytes(objects), list[list[Cell]](), []
    for start in range(0, source.size_bytes, block_bytes):
        block = Span(start, min(start + block_bytes, source.size_bytes))
        owned.append(
            source.feed(
                block,
                csv_records(dialect),
                lambda chunk, at: found.extend(cells_of(read_rows(chunk, dialect, at))),
            )
        )
    check_chain(owned, source.size_bytes)
    return dialect, found


def rows_of(text: str) -> Rows:
    """Of a text that is one chunk."""
    return read_rows(text.encode(), dialect_of(text.encode()), Place("t.csv", 0))


def joined(separator: str, *, comma: bool = False) -> str:
    text = PLAIN.replace(",", separator)
    return text.replace(".", ",") if comma else text


@pytest.mark.parametrize(
    "text",
    [
        PLAIN.removesuffix("\n"),
        PLAIN.replace("\n", "\r\n"),
        PLAIN.replace("\n", "\n\n\r\n  \n"),
        "\ufeff" + PLAIN,
        "\ufeff\ufeff" + PLAIN,
        '\ufeff\ufeffsep=,\n"a",b,y\n' + PLAIN.partition("\n")[2],
        '\ufeff\ufeff"a","b","y"\n' + PLAIN.partition("\n")[2],
        "\n\r\n" + PLAIN,
        PLAIN.replace(",", ", "),
        PLAIN.replace("\n", "\t \n").replace(",", " \t,"),
        joined(";"),
        joined(";", comma=True),
        joined("\t"),
        joined("\t", comma=True),
        joined("|", comma=True),
        "sep=,\n" + PLAIN,
        "sep=;\r\n" + joined(";", comma=True).replace("\n", "\r\n"),
        "\ufeffsep=\t\n" + joined("\t"),
        '"sep=;"\n' + joined(";"),
        '\ufeff"a","b","y"\n' + PLAIN.partition("\n")[2],
        re.sub(r"[^,\n]+", r'"\g<0>"', PLAIN),
        re.sub(r"[^;\n]+", r'" \g<0> "', joined(";", comma=True)).replace('" a "', "a").replace('" b "', "b"),
        "\n".join(f"{number or ''},{line}" for number, line in enumerate(LINES)),
        "\n".join(f'"{number or ""}",{line}' for number, line in enumerate(LINES)),
    ],
)
@pytest.mark.parametrize("block_bytes", [1 << 30, 7])
def test_dialects_of_one_table(text: str, block_bytes: int) -> None:
    dialect, rows = read(text, block_bytes)
    assert [name.strip().strip('"').strip() for name in dialect.columns] == ["a", "b", "y"]
    assert rows == [[float(cell) for cell in line.split(",")] for line in LINES[1:]]


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("", "The table is empty"),
        ("\n", "The table is empty"),
        ("sep=;\n", "The table is empty"),
        ("a\n1\n", "at least 2 columns, separated by commas, semicolons, tabs or vertical bars; it names 1."),
        ("a^b\n1^2\n", "It looks separated by carets"),
        ("a b\n1 2\n", "It looks separated by blanks"),
        ("sep=^\na^b\n1^2\n", "The first line names the separator '^'"),
        ("a,,c\n1,2,3\n", "Column 2 has no name"),
        ("a,b,\n1,2,\n", "Column 3 has no name: give it one, or remove the separator at the end of rows"),
        (",a\n1,2\n", "at least 2 columns besides the names of rows"),
        ("a,b,a\n1,2,3\n", "More than one column is named 'a'"),
        (PLAIN.replace("5\n", "5,\n"), "Row 2 has 4 cells, the header 3, separated by commas"),
        (joined(";").replace("\n2", ";\n2"), "Row 2 has 4 cells, the header 3, separated by semicolons"),
        (PLAIN.replace("\n", "\r"), "carriage return"),
        (PLAIN + "# done\n", "Row 7 has 1 cell, the header 3, separated by commas"),
        ("# of 2026\n" + PLAIN, "must name at least 2 columns"),
        ("x,1;y,1\n1,5;2,5\n", "separated by commas or semicolons: say which"),
        ("a;b\n1,5;2\n1.5;3\n", "Column 'a' has decimal commas and decimal points"),
        ("a;b\n1,5;2\n3;3.5\n", "Column 'a' has decimal commas and column 'b' decimal points"),
        ("a;b\n1,500;2\n3;3\n", "Column 'a' has numbers such as 1,234, separated by semicolons"),
        ("a\tb\n1,500\t2.500\n", "Column 'a' has numbers such as 1,234, separated by tabs"),
        ('"a,b\n1,2\n', "not a CSV row"),
        ('a,b\n"1,2\n', "does not end"),
        (b"a\xff,b\n1,2\n", "The header is not UTF-8 from byte 1 on: convert the table to UTF-8."),
        (b"sep=;\na;temp\xe9rature\n1;2\n", "not UTF-8 from byte 12 on"),
        ("1.5,2,1045.5\n2.5,1,2045.25\n", "All names in the header are values such as '1.5'"),
        ("1,5;2;1045,5\n3;1;2045,25\n", "All names in the header are values such as '1,5'"),
        ("1,,1\n2,3,4\n", "put a line with the names of the columns in front"),
        ("2026-11-28 10:00,2.5,NA,true\n2026-11-29 10:00,3.5,4,true\n", "All names in the header are values"),
        ("a,a,b\n1,2,3\n", "More than one column is named 'a': rename all but one."),
        ('"a" "b"\n"1" 1 2\n', "It looks separated by blanks: replace them."),
        ("a~b\n1~2\n", "It looks separated by tildes: replace them."),
        ("a\x01b\n1\x012\n", "It looks separated by characters U+0001: replace them."),
        ("Report of 2026\n\n" + PLAIN, "Line 3 has more: if that is the header, remove the lines before it."),
        (
            "Report of 2026,,\n" + PLAIN,
            "Column 2 has no name: give it one, or remove the separator at the end",
        ),
        ("Report of 2026,,\n" + PLAIN, "or lines before the header."),
        (
            "# by logger, v2\n" + PLAIN,
            "the header 2, separated by commas: remove comments before the header, ",
        ),
        ("Device;Logger 1\n" + joined(";"), "at the end of rows, or lines before the header."),
        ('{"a": 1, "b": 2}\n{"a": 2, "b": 3}\n', "The table is JSON: convert it to CSV."),
        ('[\n {"a": 1, "b": 2}]\n', "The table is JSON: convert it to CSV."),
        ("<html>\n<table><tr><td>a</td></tr></table>\n", "It looks like HTML or XML: convert it to CSV."),
    ],
)
def test_what_is_no_table_is_refused_in_a_sentence(text: str | bytes, named: str) -> None:
    with pytest.raises(TableUnusable, match=re.escape(named)) as refused:
        read(text)
    assert re.fullmatch(r"[A-Z][^\n]*[.,]", str(refused.value))


@pytest.mark.parametrize(
    ("cell", "like"),
    [
        ("?", "text"),
        ("NULL", "text"),
        ("n/a", "text"),
        ("nan", "text"),
        ("inf", "infinity"),
        ("-Infinity", "infinity"),
        ("0x1f", "text"),
        ("1_000", "a number with separators of thousands"),
        ("1 234", "a number with separators of thousands"),
        ("1\u00a0234", "a number with separators of thousands"),
        ('"1,234"', "a number with separators of thousands"),
        ("1.234.567", "a number with separators of thousands"),
        ('"1.234,5"', "a number with separators of thousands"),
        ('"1,5"', "a number with another decimal mark"),
        ("\u22121.5", "a number with a minus sign that is not ASCII"),
        ('"1,00,000"', "a number with separators of thousands"),
        ('"12,34,567.5"', "a number with separators of thousands"),
        ("1\u2019045.50", "a number with separators of thousands"),
        ("- 1", "text"),
        ("9007199254740993", "an integer too long for a 64-bit float"),
        ("-1764324173000000001", "an integer too long for a 64-bit float"),
        ("+9007199254740993", "an integer too long for a 64-bit float"),
        ("1e999", "a number too large for a 64-bit float"),
        ("12.5%", "a number with a unit"),
        ("$12", "a number with a unit"),
        ("$ 12.50", "a number with a unit"),
        ("12.5 %", "a number with a unit"),
        ("12\u20ac", "a number with a unit"),
        ("2026-11-28", "a date"),
        ("28.11.2026 10:30", "a date"),
        ("2026-11-28T10:30:00Z", "a date"),
        ("11/28/2026", "a date"),
        ("１２", "text"),
        ("1\r2", "text"),
        ("1\x002", "text"),
        ("1 .", "text"),
        ("1 2", "text"),
        ("12 kg", "text"),
        ("192.16.0.1", "text"),
        ("1.12.34", "a date"),
        ("1e", "text"),
        ("e5", "text"),
        ("-", "text"),
        (".", "text"),
        ("--1", "text"),
        ("1-", "text"),
        ("1e5e", "text"),
        ("1e5-3", "text"),
        ('"1"5', "text"),
        ('5"', "text"),
        ('""""', "text"),
        ('"1\n2"', "text"),
        ("TRUE ?", "text"),
    ],
)
def test_a_cell_that_is_no_number_is_text_of_its_column(cell: str, like: str) -> None:
    rows = rows_of(f"a,b,c\n1,2,3\n4,{cell},6\n7,NA,-8.5e1\n9,{cell},0\n")
    assert cells_of(rows) == [[1, 2, 3], [4, NO_NUMBER, 6], [7, MISSING, -85], [9, NO_NUMBER, 0]]
    a, b, c = rows.texts
    assert (a.cells, b.cells, c.cells) == (0, 2, 0)
    assert (b.first, b.like) == (Place("t.csv", 12), like)


@pytest.mark.parametrize("cell", ["", "NA", "NaN", "null", " NA ", "\tnull", '""', '"NA"', " "])
def test_missing(cell: str) -> None:
    rows = rows_of(f"a,b\n{cell},1\n2,{cell}\n")
    assert cells_of(rows) == [[MISSING, 1], [2, MISSING]]
    assert [texts.cells for texts in rows.texts] == [0, 0]


def test_true_and_false() -> None:
    rows = rows_of("a,b,c,d\nTRUE,true,1,yes\nFALSE,NA,True,no\nTrue,false,0,no\nFalse,TRUE,2,no\n")
    assert rows.booleans.tolist() == [4, 3, 1, 0]
    assert [texts.cells for texts in rows.texts] == [0, 0, 0, 4]
    assert rows.values[:, :3].tolist()[::3] == [[1, 1, 1], [0, 1, 2]]
    assert cells_of(rows)[1] == [0, MISSING, 1, NO_NUMBER]


NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""The test's own notion of a number, apart from its size."""


def meaning(cell: str, decimal: str = ".", separator: str = ",") -> Cell:
    cell = cell.strip(" \t".replace(separator, ""))
    if cell in ("", "NA", "NaN", "null"):
        return MISSING
    if cell.lower() in ("true", "false") and cell in (cell.upper(), cell.lower(), cell.capitalize()):
        return float(cell.lower() == "true")
    if decimal == ",":
        cell = cell.replace(".", "?").replace(",", ".")
    if not NUMBER.fullmatch(cell):
        return NO_NUMBER
    value = float(Decimal(cell))
    if math.isinf(value) or (cell.lstrip("+-").isdigit() and Decimal(value) != Decimal(cell)):
        return NO_NUMBER
    return value


@pytest.mark.parametrize(
    "cell",
    [
        "9007199254740992",
        "-9007199254740994",
        "1764324173000000000",
        "9007199254740993.0",
        "1" + 30 * "0" + "e0",
    ],
)
def test_long_integers_that_are_floats_are_numbers(cell: str) -> None:
    assert cells_of(rows_of(f"a,b\n{cell},1\n"))[0][0] == float(cell)


DIGITS = st.text("0123456789", max_size=20)
NUMERIC = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers(-(10**18), 10**18).map(str),
    st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-1e6, max_value=1e6).map(str),
    st.builds("{}{}.{}".format, st.sampled_from(["", "-", "+"]), DIGITS, DIGITS),
    st.text("0123456789+-.eE", max_size=9),
)


@settings(max_examples=100)
@given(st.lists(st.tuples(NUMERIC, NUMERIC), min_size=1, max_size=9))
@example([("0.1", "9007199254740993"), ("1e400", "-.5"), ("5.", "0.30000000000000004")])
@example([("-0", "4.9e-324"), ("123456789012345.6", "1e22")])
def test_numbers_are_those_of_python_to_the_bit(rows: list[tuple[str, str]]) -> None:
    text = "a,b\n" + "".join(f"{one},{other}\n" for one, other in rows)
    expected = [[meaning(cell) for cell in row] for row in rows]
    assert cells_of(rows_of(text)) == expected


CELL = st.one_of(
    NUMERIC,
    st.sampled_from(
        ["NA", "NaN", "null", "TRUE", "false", "True", "", " ", "1 2", "2026-11-28", "1,5", "1.5"]
    ),
    st.text('1a",;\t\n\r .-NA|', max_size=8),
)


def written(cell: str, separator: str, *, always: bool) -> str:
    if always or re.search(rf'[{separator}"\n\r]', cell):
        return '"' + cell.replace('"', '""') + '"'
    return cell


@st.composite
def tables(draw: Any) -> tuple[str, str, list[list[str]]]:
    """A well-formed table, its separator, and its cells."""
    separator = draw(st.sampled_from([",", ";", "\t", "|"]))
    width = draw(st.integers(2, 4))
    cells = draw(st.lists(st.lists(CELL, min_size=width, max_size=width), max_size=12))
    end = draw(st.sampled_from(["\n", "\r\n", "\n\n"]))
    quoted = draw(st.lists(st.booleans(), min_size=width, max_size=width))
    header = [f"c{number}" for number in range(width)]
    rows = [
        separator.join(
            written(cell, separator, always=always) for cell, always in zip(row, quoted, strict=True)
        )
        for row in [header, *cells]
    ]
    text = end.join(rows) + draw(st.sampled_from(["", end]))
    return draw(st.sampled_from(["", "\ufeff"])) + f"sep={separator}\n" + text, separator, cells


@settings(max_examples=100)
@given(tables(), st.integers(1, 40))
def test_each_row_of_a_table_is_read_once_wherever_blocks_are_cut(
    table: tuple[str, str, list[list[str]]], block_bytes: int
) -> None:
    text, separator, cells = table
    body = text.removeprefix("\ufeff").partition("\n")[2]
    parsed = [row for row in csv.reader(io.StringIO(body, newline=""), delimiter=separator) if row][1:]
    assert parsed == cells
    try:
        dialect_of(text.encode())
    except TableUnusable:
        assert separator != ","  # decimal marks that are not clear
        return
    dialect, rows = read(text, block_bytes)
    assert rows == [[meaning(cell, dialect.decimal, separator) for cell in row] for row in cells]


@settings(max_examples=100)
@given(tables(), st.integers(1, 40), st.integers(1, 9), st.booleans())
def test_a_wrong_guess_about_quotes_ends_the_run(
    table: tuple[str, str, list[list[str]]], block_bytes: int, look_ahead_bytes: int, quoted: bool
) -> None:
    """Where the quotes that decide are too far away, or none were seen at the beginning."""
    text, separator, cells = table
    try:
        dialect = dialect_of(text.encode())
    except TableUnusable:
        return
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(rows_module, "LOOK_AHEAD_BYTES", look_ahead_bytes)
        dialect = msgspec.structs.replace(dialect, quoted=quoted)
        try:
            _, rows = read_objects([text.encode()], block_bytes, dialect)
        except FanfoldError:
            return
    assert rows == [[meaning(cell, dialect.decimal, separator) for cell in row] for row in cells]


def test_a_border_in_a_cell_that_no_quote_announced_is_explained() -> None:
    data = PLAIN + '1,2,"\n\n"\n'
    with pytest.raises(TableUnusable, match=r"does not end: .* choose a larger block_bytes"):
        read(data, len(data) - 4, head_bytes=len(PLAIN))


@pytest.mark.parametrize("block_bytes", [1 << 30, 60, 5])
def test_several_objects_have_the_same_header(block_bytes: int) -> None:
    text = ("sep=;\r\n" + joined(";", comma=True)).encode()
    dialect = dialect_of(text)
    _, rows = read_objects([text, b"", text], block_bytes, dialect)
    assert rows == 2 * [[float(cell) for cell in line.split(",")] for line in LINES[1:]]
    for other in (text.replace(b"a", b"c"), text.replace(b"\r", b""), text[7:], b"1;2;3\n", text[:9]):
        with pytest.raises(TableUnusable, match="begins with another header than the first object"):
            read_objects([text, other], block_bytes, dialect)


@pytest.mark.parametrize("block_bytes", [1 << 30, 20])
def test_streams_of_bzip2(block_bytes: int) -> None:
    text = b'a,b\n1,"x\n,""y"\n3,"\n5,6\n7,8"\n9,10\n'
    streams = b"".join(bz2.compress(text[at : at + 9]) for at in range(0, len(text), 9))
    _, rows = read_objects([streams], block_bytes, dialect_of(text))
    assert rows == [[1, NO_NUMBER], [3, NO_NUMBER], [9, 10]]


def test_further_words_for_missing() -> None:
    text = "a;b;c\n1,5;?;-9,9\nn.a.;no data;-9,90\n\u00a0;3;4\n".encode()
    words = ["?", "n.a.", "no data", "-9,9", "\u00a0", "", '"', ";"]
    rows = read_rows(text, dialect_of(text, words), Place("t", 0))
    assert cells_of(rows) == [[1.5, MISSING, MISSING], [MISSING, MISSING, MISSING], [MISSING, 3, 4]]
    assert not any(texts.cells for texts in rows.texts)


@settings(max_examples=100)
@given(st.text('1,"\n', max_size=60), st.integers(1, 20))
@example('1"\n,1\n1,1\n"1\n1",1\n', 4)
def test_any_quotes_are_read_as_csv_does_or_end_the_run(body: str, block_bytes: int) -> None:
    """Also quotes where no writer puts them, which are text: the csv module makes 15 of "1"5."""
    text = "a,b\n" + body
    try:
        _, rows = read(text, block_bytes)
    except FanfoldError:
        return
    parsed = [row for row in csv.reader(io.StringIO(text, newline="")) if row and row != [""]][1:]
    assert all(len(row) == 2 for row in parsed)
    assert len(rows) == len(parsed)
    for found, row in zip(rows, parsed, strict=True):
        for value, cell in zip(found, row, strict=True):
            assert value in (meaning(cell), NO_NUMBER) if '"' in body else value == meaning(cell)
