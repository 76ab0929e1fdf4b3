"""Recorded lessons as files: HLS playlist, fMP4 parts, thumbnail, and the whole as one MP4;
the same for a shared screen.

For whoever may see the lesson (`ui.access`). Ranges follow RFC 9110, section 14; several at once are answered
with the whole, as it allows.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from flask import Blueprint, Response, jsonify, request, send_file
from flask_babel import gettext as _
from werkzeug.http import parse_range_header

from appliance.boxes import MalformedBoxes
from ui.access import reader as reader  # for the modules whose routes stand on this blueprint, too
from ui.auth import identify
from ui.context import Context
from ui.packed import pack
from ui.ports import Download
from ui.problems import Problem
from ui.timeline import SPAN, chapter_title, named, timeline_view
from ui.views import file_name

BLOCK = 64 * 1024
PLAYLIST = "application/vnd.apple.mpegurl"
blueprint = Blueprint("media", __name__, url_prefix="/lessons/<string(maxlength=64):id>")


@contextmanager
def known(what: str) -> Iterator[None]:
    """Turn the client's LookupError, and a file deleted meanwhile, into 404, a damaged file into 500 and the reason."""
    try:
        yield
    except MalformedBoxes as error:
        raise Problem(500, f"the recording is damaged: {error}") from None
    except (LookupError, FileNotFoundError):
        raise Problem(404, f"there is no such {what}") from None


def is_teacher(context: Context) -> bool:
    identity = identify(context.tokens)
    return identity is not None and identity.role == "teacher"


def is_live(context: Context, id: str) -> bool:
    live = context.state.live
    return live is not None and live.id == id


@blueprint.get("/index.m3u8")
def playlist(id: str) -> Response:
    return playlist_of(id, "camera")


@blueprint.get("/low.m3u8")
def low_playlist(id: str) -> Response:
    return playlist_of(id, "low")


@blueprint.get("/master.m3u8")
def master(id: str) -> Response:
    """The playlist of the rungs there are: `index.m3u8`, and `low.m3u8` once all of it is made."""
    context = reader()
    with known("lesson"):
        text = context.lessons.master(id)
    return fresh(Response(text, content_type="application/vnd.apple.mpegurl"))


@blueprint.get("/screen.m3u8")
def screen_playlist(id: str) -> Response:
    return playlist_of(id, "screen")


@blueprint.get("/screen.json")
def screen_spans(id: str) -> Response:
    """Where the playlist's parts, which follow each other without holes, belong on the lesson's timeline."""
    context = reader()
    with known("lesson"):
        spans = context.lessons.spans(id, "screen")
    return fresh(jsonify(spans=named(SPAN, spans)))


@blueprint.get("/timeline.json")
def timeline(id: str) -> Response:
    """What the replay page asks of a lesson besides its picture and sound, and asks again while it is live."""
    context = reader()
    with known("lesson"):
        found = context.lessons.timeline(id)
    return fresh(jsonify(timeline_view(found)))


def playlist_of(id: str, source: str) -> Response:
    context = reader()
    with known("lesson"):
        text = context.lessons.playlist(id, source)
    return fresh(Response(text, content_type=PLAYLIST))


def fresh(response: Response) -> Response:
    """The response for whoever has not got just this one already."""
    response.headers["Cache-Control"] = "no-cache"
    pack(response)
    response.add_etag()
    response.make_conditional(request)
    return response


class FileBytes:
    """The bytes that a file holds now; a part that grows is read up to its present end, and tagged by it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.length = path.stat().st_size
        self.tag = str(self.length)

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        with self._path.open("rb") as file:
            file.seek(start)
            while start < stop and (block := file.read(min(BLOCK, stop - start))):
                yield block
                start += len(block)


@blueprint.get("/<string:name>.mp4")
def part(id: str, name: str) -> Response:
    context = reader()
    with known("part"):
        file = FileBytes(context.lessons.part_path(id, f"{name}.mp4"))
        # What a teacher cut off is not for pupils; players ask for what the playlist names.
        shown = None if is_teacher(context) else context.lessons.part_ranges(id, f"{name}.mp4")
    response = Response(content_type="video/mp4")
    growing = is_live(context, id)
    # What a browser keeps of a lesson that is over, it keeps for five minutes after that is deleted.
    # A browser that keeps some ranges of a file asks for others only if it has not changed (If-Range): of one that
    # grows it would get all of it, for every range.
    response.headers["Cache-Control"] = "no-store" if growing else "private, max-age=300"
    return send(response, file, f"{id}-{name}", shown)


@blueprint.get("/thumbnail.jpg")
def thumbnail(id: str) -> Response:
    context = reader()
    with known("picture"):
        return picture(context.lessons.thumbnail_path(id))


def picture(path: Path) -> Response:
    response = send_file(path, mimetype="image/jpeg", max_age=60)
    response.headers["Cache-Control"] = "private, max-age=60"
    return response


@blueprint.get("/lesson.mp4")
def whole(id: str) -> Response:
    return whole_of(id, "camera", "")


@blueprint.get("/screen.mp4")
def whole_screen(id: str) -> Response:
    return whole_of(id, "screen", f" ({_('Screen')})")


def whole_of(id: str, source: str, suffix: str, ending: str = ".mp4", kind: str = "video/mp4") -> Response:
    context = reader()
    lesson = context.lessons.get(id)
    with known("lesson"):
        download = context.lessons.download(id, source, (lesson.title, chapter_title))
    response = Response(content_type=kind)
    response.headers["Cache-Control"] = "private, no-cache"
    response.headers["Content-Disposition"] = attachment(file_name(lesson.title + suffix, lesson.started_at, ending))
    response.headers["Vary"] = "Cookie, Accept-Language"  # names of chapters
    return send(response, download, f"{lesson.id}-{source}")


def send(
    response: Response, download: Download, name: str, allowed: Sequence[tuple[int, int]] | None = None
) -> Response:
    """Fill `response` with the bytes asked for, which must lie in one of the `allowed` ranges if there are any. Raises
    Problem 403 and 416."""
    response.set_etag(f"{name}-{download.tag}")
    response.headers["Accept-Ranges"] = "bytes"
    if not_changed(response):
        return response
    start, stop = 0, download.length
    if wanted := _single_range(response.headers["ETag"]):
        start, stop = _resolve(wanted, download.length)
        response.status_code = 206
        response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{download.length}"
    if allowed is not None and not any(begin <= start and stop <= end for begin, end in allowed):
        raise Problem(403, "this part of the recording is not shown")
    response.headers["Content-Length"] = str(stop - start)
    if request.method != "HEAD":
        response.response = download.read(start, stop)
    return response


def not_changed(response: Response) -> bool:
    """Whether the client has just this one already (304), or does not want it (412)."""
    response.make_conditional(request)
    return response.status_code != 200


def _single_range(etag: str) -> tuple[int, int | None] | None:
    """The one range of bytes asked for, as werkzeug gives it; None when the whole is to be sent. Only GET has ranges
    (RFC 9110, section 14.2); If-Range holds for the very tag, never for a date, of which there is none (13.1.5)."""
    if request.method != "GET":
        return None
    asked = parse_range_header(request.headers.get("Range"))
    if asked is None or asked.units != "bytes" or len(asked.ranges) != 1:
        return None
    if request.headers.get("If-Range", etag) != etag:
        return None
    return asked.ranges[0]


def _resolve(wanted: tuple[int, int | None], length: int) -> tuple[int, int]:
    """Start and stop of a range in `length` bytes. Raises Problem 416."""
    start, stop = wanted
    if start < 0:
        start, stop = max(0, length + start), length
    stop = length if stop is None else min(stop, length)
    if start >= stop:
        raise Problem(416, "the range lies behind the end", {"Content-Range": f"bytes */{length}"})
    return start, stop


def attachment(name: str) -> str:
    """Content-Disposition with a name for every browser (RFC 6266, section 4.3)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().replace('"', "")
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name)}"
