"""Parts that the terminal views of several jobs share."""

from collections.abc import Sequence

from rich.columns import Columns
from rich.text import Text

from fanfold.safe_text import visible


def side_by_side(counts: Sequence[tuple[str, int]]) -> Columns:
    """Texts with their counts, as many in a line as fit."""
    return Columns(
        [Text.assemble(visible(text), " ", (f"{count:,}", "cyan")) for text, count in counts], padding=(0, 2)
    )
