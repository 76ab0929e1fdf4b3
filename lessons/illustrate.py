"""What can be made of a recording's pictures: ``python -m lessons.illustrate FOLDER [--pages]``, a process that ends.

Thumbnail, strip over the seek bar, a still for each mark; with --pages it also looks where the board and the screen
change page. All of it is derived from what the journal vouches for, and made again when it is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import cv2
import msgspec
import structlog

from appliance import durable
from appliance.lifetime import die_with
from lessons import edition, images, stills, strip, vtt
from lessons.folder import THUMBNAIL
from lessons.images import NoPicture
from lessons.journal import CAMERA, NAME, SCREEN, Mark, parse
from lessons.pages import RULES, Pages
from lessons.recording import Recording, fold
from lessons.seen import PAGES, Seen, found, read_seen

log = structlog.get_logger()

THUMBNAIL_SIZE = 320, 1000
NICENESS = 15
KINDS = {CAMERA: "board", SCREEN: "screen"}


def illustrate(folder: Path, *, look: bool) -> None:
    """Make what is missing; with `look` look for pages too. Raises OSError."""
    recording = fold(parse((folder / NAME).read_bytes()).records)
    if recording is None:
        return
    make_thumbnail(folder, edition.of(recording).shown)
    make_strip(folder, recording)
    seen = read_seen(folder)
    if look:
        find_pages(folder, recording, seen)
    make_stills(folder, recording, [*recording.marks.values(), *stills.unknown(recording, found(seen, time.time()))])
    if look:
        durable.write(folder / PAGES, msgspec.msgpack.encode(seen))


def decoded(folder: Path, pictures: list[strip.Keyframe]) -> Iterator[tuple[strip.Keyframe, images.Image]]:
    """Those that can be decoded; a picture that cannot is passed over."""
    for picture in pictures:
        try:
            yield picture, images.decode(folder, picture)
        except NoPicture as error:
            log.warning("a picture cannot be decoded", folder=folder.name, error=str(error))


def make_thumbnail(folder: Path, recording: Recording) -> None:
    chosen = stills.thumbnail(recording)
    if chosen is None or (folder / THUMBNAIL).exists():
        return
    for _, image in decoded(folder, [chosen]):
        durable.write(folder / THUMBNAIL, images.jpeg(images.within(image, *THUMBNAIL_SIZE)))


def make_strip(folder: Path, recording: Recording) -> None:
    """Sheets first, then what says that they are there."""
    tiles = strip.tiles(strip.keyframes(recording.camera), recording.end)
    target = folder / strip.FOLDER
    known = (target / strip.NAME).read_text(encoding="utf-8") if (target / strip.NAME).exists() else ""
    text = vtt.render(strip.cues(len(tiles)))
    kept = known.count("-->")
    complete = all((target / strip.sheet_name(number)).exists() for number in range(-(-len(tiles) // strip.SHEET)))
    if not tiles:
        return
    if known == text and complete:
        (target / strip.NAME).touch()  # made of all there is
        return
    _make_folder(target)
    for number in range(-(-len(tiles) // strip.SHEET)):
        path = target / strip.sheet_name(number)
        first = number * strip.SHEET
        if not (path.exists() and first + strip.SHEET <= kept):
            durable.write(path, _sheet(folder, tiles[first : first + strip.SHEET]))
    durable.write(target / strip.NAME, text.encode())


def _sheet(folder: Path, tiles: list[strip.Keyframe]) -> bytes:
    onto = images.sheet()
    for tile, picture in enumerate(tiles):
        for _, image in decoded(folder, [picture]):
            images.put(onto, tile, image)
    return images.jpeg(onto)


def make_stills(folder: Path, recording: Recording, marks: list[Mark]) -> None:
    target = folder / stills.FOLDER
    wanted = {stills.name(at): picture for at, picture in stills.chosen(recording, marks).items()}
    if wanted:
        _make_folder(target)
    there = {path.name for path in target.iterdir()} if target.exists() else set()
    for name in wanted.keys() - there:
        for _, image in decoded(folder, [wanted[name]]):
            durable.write(target / name, images.jpeg(images.within(image, stills.WIDTH, stills.HEIGHT)))
    for name in there - wanted.keys():
        (target / name).unlink(missing_ok=True)


def find_pages(folder: Path, recording: Recording, seen: Seen) -> None:
    """Look at what came since the last run."""
    for source, kind in KINDS.items():
        before = seen.places.get(source, -1)
        new = [picture for picture in strip.keyframes(recording.strand(source)) if picture.at > before]
        if not new:
            continue
        pages = Pages(RULES[kind], seen.states.get(source))
        for picture, image in decoded(folder, new):
            seen.found += [(kind, at) for at in pages.push(picture.at, images.grey(image))]
        seen.places[source], seen.states[source] = new[-1].at, pages.state()


def _make_folder(folder: Path) -> None:
    """There may be torn files in it, of a run that was ended."""
    if not folder.exists():
        folder.mkdir(mode=0o750)  # fails when the lesson was deleted meanwhile
        durable.sync_folder(folder.parent)
    for torn in folder.glob(".*.tmp"):
        torn.unlink(missing_ok=True)


def main(arguments: list[str]) -> None:
    folder, *options = arguments
    die_with(os.getppid(), signal.SIGKILL)
    os.nice(NICENESS)
    cv2.setNumThreads(1)
    illustrate(Path(folder), look="--pages" in options)


if __name__ == "__main__":
    main(sys.argv[1:])
