"""Every command of docs/recipes.md prints what the page says, and what is true."""

from collections.abc import Iterator

import pytest

from tests import recipes
from tests.page.screenshots import QUESTIONS, questions
from tests.recipes import PAGE, Recipe, answer_of, cost_of, in_a_folder_of_inputs, rows_of, same, truth

RECIPES = recipes.read(PAGE.read_text())
UPDATE = "python -m tests.recipes writes what it is now into the page"

each_recipe = pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.question)


@pytest.fixture(scope="module", autouse=True)
def _inputs() -> Iterator[None]:
    with in_a_folder_of_inputs():
        yield


@pytest.mark.parametrize("recipe", [one for one in RECIPES if one.output], ids=lambda recipe: recipe.question)
def test_a_recipe_prints_what_the_page_says_and_what_is_true(recipe: Recipe) -> None:
    printed = answer_of(recipe.command)
    expected, found = truth()[recipe.question], rows_of(printed)
    assert [len(row) for row in found] == [len(row) for row in expected]
    for row, right in zip(found, expected, strict=True):
        assert all(map(same, row, right)), (row, right)
    assert printed == recipe.output, UPDATE


@each_recipe
def test_a_recipe_costs_what_the_page_says(recipe: Recipe) -> None:
    assert cost_of(recipe.command) == recipe.cost, UPDATE


def test_the_picture_of_the_readme_is_what_commands_print() -> None:
    """`make pictures` draws it."""
    assert (PAGE.parent / "pictures" / QUESTIONS).read_text() == questions()


def test_the_page_has_ten_questions_whose_answers_are_known() -> None:
    assert len(RECIPES) >= 10
    assert PAGE.read_text().count("\n## ") == len(RECIPES)
    assert truth().keys() == {one.question for one in RECIPES if one.output}
