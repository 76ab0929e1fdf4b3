"""Nothing is written below a lesson's folder that the log of writes does not know: strace sees every call."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections import Counter
from pathlib import Path

import msgspec
import pytest

from tests.disk import Create, Mkdir, Op, Rename, Sync, SyncFolder, Truncate, Unlink, Write
from tests.lessons.logged import Log

SECONDS = 3
# Whatever changes a file, a name or a folder, or makes that durable (Linux).
CALLS = (
    "open,openat,openat2,creat,write,pwrite64,writev,pwritev,pwritev2,ftruncate,truncate,fallocate,copy_file_range,"
    "sendfile,splice,vmsplice,mmap,rename,renameat,renameat2,unlink,unlinkat,rmdir,mkdir,mkdirat,link,linkat,symlink,"
    "symlinkat,mknod,mknodat,fsync,fdatasync,sync,syncfs,sync_file_range,setxattr,fsetxattr,io_uring_setup,io_submit"
)
CALL = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+|0x[0-9a-f]+)")
Seen = tuple[str, str, int]
"""What was done, to which path below the data folder, and a length where there is one."""


def seen(text: str, root: Path) -> Counter[Seen]:
    """The calls of a trace (strace -y) that changed something below `root`."""
    found: Counter[Seen] = Counter()
    for line in text.splitlines():
        call = CALL.match(line)
        if call is None or f"{root}/" not in line and f"<{root}>" not in line and f'"{root}"' not in line:
            continue
        name, arguments, result = call.groups()
        if result.startswith("-"):
            continue
        path = re.search(rf'[<"]{re.escape(str(root))}/?([^>"]*)[>"]', arguments)
        assert path, line
        if name in ("open", "openat", "openat2", "creat"):
            if name == "creat" or re.search(r"O_WRONLY|O_RDWR|O_TRUNC|O_CREAT", arguments):
                found["open", path[1], 0] = 1  # how often says nothing: whether it made the file cannot be seen
        elif name == "mmap":
            assert "MAP_SHARED" not in arguments or "PROT_WRITE" not in arguments, line
        elif name in ("ftruncate", "truncate"):
            found["truncate", path[1], int(arguments.rpartition(", ")[2])] += 1
        elif name == "fallocate":
            found["truncate", path[1], sum(map(int, arguments.split(", ")[-2:]))] += 1
        elif name in ("fsync", "fdatasync"):
            found["sync", path[1], 0] += 1
        else:
            found[name, path[1], int(result, 0) if name == "write" else 0] += 1
    return found


def noted(op: Op) -> Seen:
    """The same of what was noted."""
    match op:
        case Create(path):
            return "open", path, 0
        case Mkdir(path):
            return "mkdir", path, 0
        case Unlink(path):
            return "unlink", path, 0
        case Rename(path):
            return "rename", path, 0
        case Write(path, _, data):
            return "write", path, len(data)
        case Truncate(path, length):
            return "truncate", path, length
        case Sync(path) | SyncFolder(path):
            return "sync", path, 0


def test_nothing_is_written_beside_the_log(tmp_path: Path) -> None:
    if not shutil.which("strace"):
        pytest.skip("no strace here")
    root, file, trace = tmp_path / "data", tmp_path / "log", tmp_path / "trace"
    root.mkdir()
    trace.mkdir()
    # A file for each thread (-ff): no call is interrupted by another's line.
    command = ["strace", "-ff", "-y", "-qq", "-s", "0", "-e", f"trace=?{CALLS.replace(',', ',?')}"]
    command += [
        "-o",
        str(trace / "of"),
        sys.executable,
        "-m",
        "tests.lessons.logged",
        str(root),
        str(file),
        str(SECONDS),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode and "ptrace" in done.stderr:
        pytest.skip(f"strace may not trace here: {done.stderr.strip().splitlines()[-1]}")
    assert done.returncode == 0, done.stderr
    log = msgspec.msgpack.decode(file.read_bytes(), type=Log)
    traced: Counter[Seen] = Counter()
    for part in trace.iterdir():
        traced += seen(part.read_text(), root)
    traced = Counter({one: 1 if one[0] == "open" else count for one, count in traced.items()})
    expected = Counter(noted(entry.op) for entry in log.entries)
    assert traced == expected
    assert sum(count for (name, *_), count in expected.items() if name == "write") > 4 * SECONDS


def test_a_trace_is_read_as_it_is_written() -> None:
    root = Path("/data")
    lines = [
        'openat(AT_FDCWD</home>, "/data/a"..., O_WRONLY|O_CREAT|O_CLOEXEC, 0640) = 5</data/a>',
        'openat(AT_FDCWD</home>, "/data/a"..., O_RDONLY|O_CLOEXEC) = 5</data/a>',
        'openat(AT_FDCWD</home>, "/database/a"..., O_WRONLY|O_CREAT|O_CLOEXEC, 0640) = 5</database/a>',
        'write(5</data/f/a>, ""..., 178) = 100',
        'pwrite64(5</data/f/a>, ""..., 178, 0) = 178',
        "fdatasync(5</data/f/a>)             = 0",
        "fsync(5</data>)                     = 0",
        "fallocate(4</data/r>, 0, 0, 65536)  = 0",
        'mkdir("/data/f"..., 0750)              = 0',
        'mkdir("/data/f"..., 0750)              = -1 EEXIST (File exists)',
    ]
    assert seen("\n".join(lines), root) == Counter(
        {
            ("open", "a", 0): 1, ("write", "f/a", 100): 1, ("pwrite64", "f/a", 0): 1, ("sync", "f/a", 0): 1,
            ("sync", "", 0): 1, ("truncate", "r", 65536): 1, ("mkdir", "f", 0): 1,
        }
    )  # fmt: skip
