"""The best choices of columns, as bars of how much they explain."""

from fanfold.report.page.figures import Ranking, Rankings, Result, Summary


def draw(summary: Summary) -> Result:
    rankings = [
        Ranking(
            f"{size} predictor{'s' if int(size) > 1 else ''}",
            "Target, explained by",
            "R squared",
            [
                (f"{choice['target']}  ~  {' + '.join(choice['predictors'])}", choice["r_squared"])
                for choice in best
            ],
            most=1.0,
            decimals=9,
        )
        for size, best in summary["best"].items()
    ]
    used, left_out = summary["rows_used"], summary["rows_left_out"]
    return Result(
        "Which columns explain another one best",
        summary["choices"],
        "choices tested",
        f"of {len(summary['columns'])} columns, on {used} row{'' if used == 1 else 's'}; {left_out} "
        f"{'row with an empty cell was' if left_out == 1 else 'rows with an empty cell were'} left out",
        [
            Rankings(
                "The best choices of columns",
                rankings,
                "R squared of the least-squares fit with intercept. A full bar is 1: the target is explained"
                " completely.",
            )
        ],
    )
