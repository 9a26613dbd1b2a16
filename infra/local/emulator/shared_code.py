"""What functions have in common is unpacked and compiled once: a worker starts in half of the time.

ministack gives each worker a folder of its own with all of its function's code. All functions of a stack bring the same
packages, which Python would compile in each of these folders again.
"""

import hashlib
import os
import tempfile
import zipfile
from collections import defaultdict
from pathlib import Path, PurePosixPath
from types import SimpleNamespace

from ministack.core import lambda_runtime

_MODULES = ""  # stands for all modules that are in no package, which share one folder of compiled files


def install() -> None:
    """Replace the module with which ministack unpacks code, of which it uses these three names."""
    lambda_runtime.zipfile = SimpleNamespace(
        ZipFile=SharedCode, BadZipFile=zipfile.BadZipFile, LargeFileError=zipfile.LargeZipFile
    )


class SharedCode(zipfile.ZipFile):
    """A zip that is unpacked into links to what was unpacked before, package by package."""

    def extractall(self, path: str | os.PathLike[str] | None = None, *_: object) -> None:
        """Make the links, in a folder that has none of these names."""
        folder, packages = Path(path or "."), defaultdict(list)
        for member in self.infolist():
            first, *rest = PurePosixPath(member.filename).parts
            packages[first if rest or member.is_dir() else _MODULES].append(member)
        for name, members in packages.items():
            shared = self._unpacked(members)
            for link in [name] if name else ["__pycache__", *(member.filename for member in members)]:
                (folder / link).symlink_to(shared / link)

    def _unpacked(self, members: list[zipfile.ZipInfo]) -> Path:
        """The folder with these members, made by whoever comes first; what is in it is told by the zip's directory."""
        listing = sorted((member.filename, member.CRC, member.file_size) for member in members)
        shared = Path(tempfile.gettempdir(), "code", hashlib.sha256(repr(listing).encode()).hexdigest())
        if not shared.exists():
            shared.parent.mkdir(exist_ok=True)
            made = Path(tempfile.mkdtemp(dir=shared.parent))
            (made / "__pycache__").mkdir()
            for member in members:
                self.extract(member, made)
            try:
                made.rename(shared)
            except OSError:  # somebody else was faster
                if not shared.exists():
                    raise
        return shared
