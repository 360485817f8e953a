"""Fanfold as part of a CDK app of your own: docs/operating.md#part-of-another-cdk-app.

It needs the extra ``deploy``: ``pip install 'CLONE[deploy]'``, with the folder of a clone. The first import
fetches the CDK's tools from npm, once, as the first ``fanfold deploy`` does.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING

from fanfold.checkout import ROOT
from fanfold.tools import prepare_tools

if TYPE_CHECKING:
    from stacks.map_reduce_job import MapReduceJob, Objects
    from stacks.storage import Storage, removal_of

__all__ = ["MapReduceJob", "Objects", "Storage", "removal_of"]


def _take() -> dict[str, ModuleType]:
    """Forget the modules of the package ``stacks``, and return them."""
    names = [name for name in sys.modules if name.partition(".")[0] == "stacks"]
    return {name: sys.modules.pop(name) for name in names}


def _import() -> None:
    """Import our ``stacks``, though another app may have a package of that name, too: each keeps its own.
    Raises ToolsMissing."""
    prepare_tools(lambda text: print(text, file=sys.stderr))
    theirs = _take()
    sys.path.insert(0, str(ROOT))
    try:
        from stacks import map_reduce_job, storage  # noqa: PLC0415 - from this path only

        for module, name in (
            (map_reduce_job, "MapReduceJob"),
            (map_reduce_job, "Objects"),
            (storage, "Storage"),
            (storage, "removal_of"),
        ):
            globals()[name] = getattr(module, name)
    finally:
        sys.path.remove(str(ROOT))
        _take()
        sys.modules.update(theirs)


_import()
