"""Refresh or verify the scripts that come from npm: ``python -m ui.vendor [--check]``.

Files are taken unmodified from the packages' archives (`npm pack`) at the versions pinned here, each with its
licence, and listed with their SHA-256 in manifest.json. The kit itself never asks the network for a script.
"""

from __future__ import annotations

import hashlib
import json
import posixpath
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
MANIFEST = "manifest.json"
_IMPORT = re.compile(rb"""(?:from|import)\s*["'](\.{1,2}/[^"']+)["']""")


@dataclass(frozen=True)
class Package:
    """`entries` are files of the archive; what they import relatively comes along."""

    name: str
    version: str
    licence: str
    entries: tuple[str, ...]
    folder: str = "ui/static/vendor"
    texts: tuple[str, ...] = ("LICENSE",)


PACKAGES = (
    Package("socket.io-client", "4.8.4", "MIT", ("dist/socket.io.esm.min.js",)),
    Package("hls.js", "1.7.4", "Apache-2.0", ("dist/hls.light.min.mjs",)),
    Package("media-chrome", "4.19.4", "MIT", ("dist/index.js", "dist/lang/fr.js")),
    Package("axe-core", "4.14.1", "MPL-2.0", ("axe.min.js",), "tests/ui/vendor", ("LICENSE", "LICENSE-3RD-PARTY.txt")),
)
FOLDERS = tuple(sorted({package.folder for package in PACKAGES}))


def closure(entries: tuple[str, ...], files: dict[str, bytes]) -> list[str]:
    """The entries and all they import, by path inside the archive. Raises KeyError for a missing file."""
    found: set[str] = set()
    waiting = list(entries)
    while waiting:
        path = waiting.pop()
        if path in found:
            continue
        found.add(path)
        if path.endswith((".js", ".mjs")):
            folder = posixpath.dirname(path)
            imports = (match.group(1).decode() for match in _IMPORT.finditer(files[path]))
            waiting += [posixpath.normpath(posixpath.join(folder, name)) for name in imports]
    return sorted(found)


def problems(folder: Path) -> list[str]:
    """What in `folder` differs from its manifest."""
    listed = {
        file["path"]: file["sha256"] for package in read_manifest(folder)["packages"] for file in package["files"]
    }
    present = {
        path.relative_to(folder).as_posix(): path
        for path in folder.rglob("*")
        if path.is_file() and path.name != MANIFEST
    }
    wrong = [f"{name}: not in the manifest" for name in sorted(present.keys() - listed.keys())]
    wrong += [f"{name}: missing" for name in sorted(listed.keys() - present.keys())]
    wrong += [
        f"{name}: checksum differs"
        for name in sorted(present.keys() & listed.keys())
        if hashlib.sha256(present[name].read_bytes()).hexdigest() != listed[name]
    ]
    return wrong


def read_manifest(folder: Path) -> dict[str, Any]:
    manifest: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    return manifest


def fetch(package: Package, folder: Path) -> dict[str, bytes]:
    """All files of the package's archive. Raises CalledProcessError when npm fails."""
    command = ["npm", "pack", "--silent", f"{package.name}@{package.version}"]
    archive = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True).stdout.split()[-1]
    files = {}
    with tarfile.open(folder / archive) as tar:
        for member in tar.getmembers():
            content = tar.extractfile(member)
            if content is not None:
                files[member.name.split("/", 1)[1]] = content.read()
    return files


def refresh(folder: Path, packages: list[Package], downloads: Path) -> None:
    """Replace `folder` by the pinned packages' files and their manifest."""
    shutil.rmtree(folder, ignore_errors=True)
    entries = []
    for package in packages:
        files = fetch(package, downloads)
        kept = [*closure(package.entries, files), *package.texts]
        listed = []
        for name in kept:
            target = folder / package.name / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(files[name])
            listed.append({"path": f"{package.name}/{name}", "sha256": hashlib.sha256(files[name]).hexdigest()})
        entries.append({"name": package.name, "version": package.version, "licence": package.licence, "files": listed})
    (folder / MANIFEST).write_text(json.dumps({"packages": entries}, indent=1) + "\n", encoding="utf-8")


def main(arguments: list[str]) -> int:
    if arguments not in ([], ["--check"]):
        sys.stderr.write("usage: python -m ui.vendor [--check]\n")
        return 2
    if not arguments:
        with tempfile.TemporaryDirectory() as downloads:
            for name in FOLDERS:
                refresh(ROOT / name, [package for package in PACKAGES if package.folder == name], Path(downloads))
    wrong = [f"{name}/{problem}" for name in FOLDERS for problem in problems(ROOT / name)]
    for line in wrong:
        sys.stderr.write(f"{line}\n")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
