"""Calls a handler with one event after the other, as Lambda does, and tells where and by what it was done.

python -I -S -B invoke.py HANDLER FOLDER ... <events >answers

``-I -S`` leave this Python nothing but its standard library: all else is found in the folders. With ``-B`` it
leaves nothing there, as in Lambda, where nobody can.
"""

import importlib
import json
import os
import platform
import sys
from pathlib import Path


class Context:
    """What the handlers ask of Lambda's."""

    def get_remaining_time_in_millis(self) -> int:
        return 300_000


def main(handler: str, *folders: str) -> None:
    sys.path[:0] = folders
    answers, sys.stdout = sys.stdout, sys.stderr  # where handlers log
    compiled = list[object]()
    # Tells of a module's source, and of nothing where its bytecode is there.
    sys.addaudithook(lambda event, of: compiled.append(of[1]) if event == "compile" else None)
    module = importlib.import_module(f"lambda_src.handlers.{handler}")
    report = {
        "answers": [module.handler(event, Context()) for event in json.load(sys.stdin)],
        "machine": platform.machine(),
        "python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "modules": sorted({file for one in sys.modules.values() if (file := getattr(one, "__file__", None))}),
        "compiled": sorted({str(file) for file in compiled if str(file).endswith(".py")}),
        "libraries": sorted(_libraries()),
        "rules": importlib.import_module("lambda_src.job").load(os.environ["FANFOLD_JOBS"]).rules,
    }
    json.dump(report, answers)


def _libraries() -> set[str]:
    """The files of machine code that are loaded, those that ``ctypes`` has loaded too."""
    lines = Path("/proc/self/maps").read_text("utf-8").splitlines()
    mapped = {fields[5] for line in lines if len(fields := line.split(maxsplit=5)) == 6}
    return {file for file in mapped if ".so" in Path(file).name}


if __name__ == "__main__":
    main(*sys.argv[1:])
