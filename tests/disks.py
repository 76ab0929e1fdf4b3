"""A real small disk for tests: ext4 on a loop device, that can be stalled, filled, and broken. Needs root."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType

import pytest

FIFREEZE, FITHAW = 0xC0045877, 0xC0045878  # ioctl_fsfreeze, linux/fs.h
FROZEN_AT_MOST_S = 60.0  # who waits for a frozen disk cannot be killed


def require() -> None:
    """Skip the test where no loop device can be mounted."""
    if os.geteuid():
        pytest.skip("only root may mount")
    if not Path("/dev/loop-control").exists() or not shutil.which("mkfs.ext4"):
        pytest.skip("no loop devices, or no mkfs.ext4")


class Disk:
    """`folder` is where it is mounted, `mib` its size. It is unmounted at the end, whatever it has been through."""

    def __init__(self, where: Path, mib: int) -> None:
        self.folder = where / "disk"
        self._image = where / "disk.img"
        self._mib = mib

    def __enter__(self) -> Disk:
        self.folder.mkdir()
        with self._image.open("wb") as file:
            file.truncate(self._mib << 20)
        run("mkfs.ext4", "-q", "-m", "0", "-E", "nodiscard", str(self._image))
        self.mount()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.thaw()
        self.unmount()

    def mount(self) -> None:
        run("mount", "-o", "loop,errors=remount-ro", str(self._image), str(self.folder))

    def unmount(self) -> None:
        run("umount", str(self.folder))

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every write and sync waits (reads go on)."""
        self._control(FIFREEZE)
        guard = threading.Timer(FROZEN_AT_MOST_S, self.thaw)
        guard.start()
        try:
            yield
        finally:
            guard.cancel()
            self.thaw()

    def thaw(self) -> None:
        """Idempotent."""
        with suppress(OSError):
            self._control(FITHAW)

    @contextmanager
    def full(self) -> Iterator[None]:
        """No block is free."""
        ballast = self.folder / "ballast"
        with ballast.open("wb") as file, suppress(OSError):
            size = 0
            for piece in (1 << 20, 1 << 12):
                with suppress(OSError):
                    while True:
                        os.posix_fallocate(file.fileno(), size, piece)
                        size += piece
        try:
            yield
        finally:
            ballast.unlink()

    def die(self) -> None:
        """Let the file system find an error in itself: it takes no write any more until it is mounted anew."""
        device = run("findmnt", "-no", "SOURCE", str(self.folder)).strip()
        Path("/sys/fs/ext4", Path(device).name, "trigger_fs_error").write_text("1")

    def repair(self) -> None:
        """Mount it anew after `die`, checked."""
        self.unmount()
        subprocess.run(["e2fsck", "-fy", str(self._image)], check=False, capture_output=True)  # 1: it has repaired
        self.mount()

    def _control(self, request: int) -> None:
        descriptor = os.open(self.folder, os.O_RDONLY)
        try:
            fcntl.ioctl(descriptor, request, 0)
        finally:
            os.close(descriptor)


def run(*command: str) -> str:
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
