"""Settings travel from the stack to the handlers through the environment."""

import pytest

from lambda_src.settings import (
    GetOccurrencesSettings,
    ParseFileSettings,
    SettingsMissing,
    from_environment,
    to_environment,
)


def test_what_the_stack_writes_the_handler_reads() -> None:
    settings = ParseFileSettings(
        ("top_words",), "Fanfold", "amazonaws.com", "b", "s", "t", "f1", "f2", "f3", "f4", "on"
    )
    environment = {**to_environment(settings), "PATH": "/bin"}
    assert from_environment(ParseFileSettings, environment) == settings


@pytest.mark.parametrize("days", ["0", "-1", "1.5", "many"])
def test_a_number_of_the_wrong_form_is_named(days: str) -> None:
    settings = ParseFileSettings(
        ("top_words",), "Fanfold", "amazonaws.com", "b", "s", "t", "f1", "f2", "f3", "f4", "on", 7
    )
    environment = to_environment(settings)
    assert from_environment(ParseFileSettings, environment) == settings
    with pytest.raises(SettingsMissing, match=r"wrong form: .*keep_intermediates_days"):
        from_environment(ParseFileSettings, {**environment, "FANFOLD_KEEP_INTERMEDIATES_DAYS": days})


def test_missing_and_empty_variables_are_named() -> None:
    with pytest.raises(SettingsMissing, match="not set: FANFOLD_BUCKET, FANFOLD_TABLE"):
        from_environment(
            GetOccurrencesSettings,
            {"FANFOLD_JOBS": "top_words", "FANFOLD_URL_SUFFIX": "amazonaws.com", "FANFOLD_TABLE": ""},
        )


def test_a_value_of_the_wrong_form_is_named() -> None:
    settings = ParseFileSettings(
        ("top_words",), "Fanfold", "amazonaws.com", "b", "s", "t", "f1", "f2", "f3", "f4", "on"
    )
    environment = {**to_environment(settings), "FANFOLD_METRICS": "yes"}
    with pytest.raises(SettingsMissing, match=r"wrong form: .*'yes'.*metrics.*Deploy the stack again"):
        from_environment(ParseFileSettings, environment)
