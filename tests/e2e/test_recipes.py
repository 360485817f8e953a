"""Recipes of docs/recipes.md on the deployed stack: what they print there is what they print without AWS."""

from pathlib import Path

import pytest

from tests import recipes
from tests.e2e.conftest import StackOf

pytestmark = pytest.mark.usefixtures("in_this_process")

PREFIX = "input/recipes/"


def test_recipes_print_what_the_page_says(
    stack_of: StackOf,
    tmp_path: Path,
    capfdbinary: pytest.CaptureFixture[bytes],
) -> None:
    stack = stack_of("access_log")
    recipes.put(tmp_path)
    for file in tmp_path.rglob("*"):
        if file.is_file():
            stack.put(PREFIX + str(file.relative_to(tmp_path)), file.read_bytes())
    here = {one.question: one for one in recipes.read(recipes.PAGE.read_text())}
    root = f"s3://{stack.deployment.bucket}/{PREFIX}"
    for question in (
        "Which pages were slow yesterday?",
        "Where is every line with this request id, in a year of logs?",
    ):
        recipe = here[question]
        with recipes.terminal(recipe.command):
            printed = recipes.printed([word.replace(recipes.BUCKET, root) for word in recipe.command[1:]])
        assert recipe.output in printed.replace(root, recipes.BUCKET)
    (again,) = (one.command for one in here.values() if "--reuse-days" in one.command)
    words = [word.replace(recipes.BUCKET, root) for word in again[1:]]
    first, second = recipes.printed([*words, "--json"]), recipes.printed([*words, "--json"])
    assert ('"blocks_reused": 0' in first, '"blocks_reused": 1' in second) == (True, True)
