"""coreutils and mawk, in a pipe: python -m benchmarks.peer_mawk FILE ..."""

import subprocess

from benchmarks.peers import LONGEST, TOP, Ranked, print_answers

PIPE = f"""
tr A-Z a-z < "$1" | tr -cs a-z '\\n' |
mawk '{{ counts[$0]++ }} END {{ for (word in counts) print length(word), word, counts[word] }}' |
mawk '$1 > 0 && $1 <= {LONGEST}' | sort -k1,1n -k3,3nr -k2,2 |
mawk '$1 != letters {{ letters = $1; rank = 0 }} ++rank <= {TOP}'
"""


def rank(file: str) -> Ranked:
    """One process for each step, as the shell does it."""
    lines = subprocess.check_output(["sh", "-c", PIPE, "sh", file], text=True).splitlines()  # noqa: S607
    for line in lines:
        length, word, count = line.split(" ")
        yield int(length), word, int(count)


if __name__ == "__main__":
    print_answers(rank)
