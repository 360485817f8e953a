"""The blobs of a run, in a folder of this machine."""

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from fanfold.errors import RunError
from lambda_src.errors import BlobDamaged
from lambda_src.store.blobs import BlobStore
from lambda_src.store.keys import complete_key
from lambda_src.wire.reports import Manifest


class FolderBlobs(BlobStore):
    """Blobs as files of ``folder``."""

    def __init__(self, folder: Path, run_id: str) -> None:
        super().__init__(cast(Any, None), str(folder), run_id)  # no object store: see _put and _get
        self.run_id, self._folder = run_id, folder

    def get_complete(self, name: str, start: int, end: int) -> bytes:
        """Bytes of an object of complete sums: see ``fanfold.runs.complete.Get``. Raises RunError."""
        try:
            return self._get(complete_key(self.run_id, name), start, end)[0].getvalue()
        except BlobDamaged as error:
            raise RunError(str(error)) from error

    def _put(self, key: str, body: bytes | Sequence[bytes]) -> None:
        path = self._folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f"{path.name}.part")
        with half.open("wb") as file:
            file.writelines([body] if isinstance(body, bytes) else body)
        half.replace(path)

    def _get(self, key: str, start: int = 0, end: int | None = None) -> tuple[io.BytesIO, int]:
        try:
            with (self._folder / key).open("rb") as file:
                size = file.seek(0, io.SEEK_END)
                file.seek(start)
                data = io.BytesIO(file.read(-1 if end is None else end - start))
        except FileNotFoundError as error:
            raise BlobDamaged(f"{self._folder / key} is missing: try again.") from error
        data.seek(0, io.SEEK_END)
        return data, size

    def get_piece(self, key: str) -> bytes:
        """What a block kept under ``key``. Raises BlobDamaged."""
        return self._get(key)[0].getvalue()

    def manifest(self) -> Manifest:
        """The manifest of a run that has succeeded."""
        return msgspec.json.decode(self.get_manifest(), type=Manifest)
