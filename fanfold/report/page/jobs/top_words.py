"""The most frequent words, as bars for each length."""

from fanfold.report.page.figures import Ranking, Rankings, Result, Summary


def draw(summary: Summary) -> Result:
    by_length = sorted(summary["top_words"].items(), key=lambda entry: int(entry[0]))
    rankings = [
        Ranking(
            f"{length} letter{'s' if int(length) > 1 else ''}",
            "Word",
            "Times",
            [(top["word"], top["count"]) for top in words],
        )
        for length, words in by_length
        if words
    ]
    longer = summary["longer_words"]
    return Result(
        "The ten most frequent words of each length",
        summary["words"],
        "word" if summary["words"] == 1 else "words",
        f"of 1 to {len(by_length)} letters; {longer} longer {'one is' if longer == 1 else 'ones are'} "
        "not ranked",
        [Rankings("The most frequent words by length", rankings)],
    )
