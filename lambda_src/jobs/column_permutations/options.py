"""The options of ``column_permutations``."""

from typing import Annotated, Literal

from msgspec import Meta, Struct

MOST = 4
MOST_TOP = 1000

Names = list[str]


class Options(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Raises ValueError for a column that is named twice."""

    target: Annotated[
        Names,
        Meta(
            description="Explain only these columns. They explain no other. Default: each column in turn.",
            examples=["sales"],
        ),
    ] = []
    always: Annotated[
        Names,
        Meta(description="Columns that are in every model, besides those chosen.", examples=["year,month"]),
    ] = []
    never: Annotated[
        Names, Meta(description="Columns that are not read, as if the table lacked them.", examples=["id"])
    ] = []
    most: Annotated[int, Meta(ge=1, le=MOST, description="Choose 1 to this many predictors.")] = 3
    top: Annotated[
        int, Meta(ge=1, le=MOST_TOP, description="This many of the best for each number of predictors.")
    ] = 10
    missing: Annotated[
        Literal["rows", "columns"],
        Meta(description="Leave out rows with a missing value, or columns with one."),
    ] = "rows"
    missing_words: Annotated[
        list[str],
        Meta(
            description="Words that mean a missing value, besides NA, NaN and null.",
            examples=["?,-"],
        ),
    ] = []
    booleans: Annotated[
        bool, Meta(description="Read true as 1 and false as 0, in columns that hold only these.")
    ] = False

    def __post_init__(self) -> None:
        named = [*self.target, *self.always, *self.never]
        for name in named:
            if named.count(name) > 1:
                raise ValueError(f"target, always, never: {name!r} is named twice")
