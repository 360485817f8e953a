"""Names that are not input are the same ones in a folder and under a prefix."""

import pytest

from lambda_src.input.names import is_stray


@pytest.mark.parametrize(
    "name",
    ["_SUCCESS", ".DS_Store", "._a.log", ".a.log.swp", "a.swp", "a.log~", "#a.log#", "_temporary/0/a.log",
     "2026/.hidden/a.log", "2026/_logs/a", "2026/11/_metadata", "_temporary/"],
)  # fmt: skip
def test_markers_and_leftovers_are_stray(name: str) -> None:
    assert is_stray(name, "", 5)
    assert is_stray(f"input/logs/{name}", "input/logs/", 5)
    assert not is_stray(f"input/logs/{name}", f"input/logs/{name}", 5), "it is named"


@pytest.mark.parametrize(
    "name", ["a.log", "a_b/c.d", "#", "a#b", "#a", "a~b", "swp", "a//b", "a/./b", "a/../b", "2026/", ""]
)
def test_all_else_is_input(name: str) -> None:
    assert not is_stray(name, "", 5)
    assert not is_stray(f"input/logs/{name}", "input/logs/", 5)


def test_an_icon_of_macos_is_stray_while_it_is_empty() -> None:
    assert is_stray("a/Icon\r", "", 0)
    assert not is_stray("a/Icon\r", "", 1)


def test_a_prefix_may_end_within_a_name() -> None:
    """The rest of that name is not a name."""
    assert not is_stray("logs/2026_11.log", "logs/2026", 1)
    assert not is_stray("logs/_old/a", "logs/_o", 1)
    assert is_stray("logs/2026/_SUCCESS", "logs/20", 1)
