"""Recordings over HTTP: ranges, names, who may."""

from __future__ import annotations

import gzip

import pytest

from appliance.boxes import MalformedBoxes
from appliance.messages import LessonState
from tests.ui.conftest import Kit
from tests.ui.doubles import PART, Bytes
from ui.media import attachment
from ui.views import file_name

SIZE = len(PART)


@pytest.mark.parametrize("file", ["part-0001.mp4", "lesson.mp4"])
@pytest.mark.parametrize(
    ("asked", "status", "start", "stop"),
    [
        (None, 200, 0, SIZE),
        ("bytes=0-0", 206, 0, 1),
        ("bytes=100-2999", 206, 100, 3000),
        ("bytes=10000-", 206, 10_000, SIZE),
        ("bytes=-5", 206, SIZE - 5, SIZE),
        ("bytes=-999999", 206, 0, SIZE),
        ("bytes=0-999999", 206, 0, SIZE),
        ("bytes=999999-", 416, 0, 0),
        ("bytes=5-2", 200, 0, SIZE),
        ("lines=1-2", 200, 0, SIZE),
    ],
)
def test_ranges(kit: Kit, file: str, asked: str | None, status: int, start: int, stop: int) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    headers = {**kit.pupil(), **({"Range": asked} if asked else {})}
    response = kit.client().get(f"/lessons/{id}/{file}", headers=headers)
    if status == 416:
        assert response.status_code == 416 and response.headers["Content-Range"] == f"bytes */{SIZE}"
    else:
        assert response.status_code == status and response.data == PART[start:stop]
        assert int(response.headers["Content-Length"]) == stop - start
    response.close()


def test_an_outdated_if_range_sends_the_whole(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    headers = {**kit.pupil(), "Range": "bytes=0-9", "If-Range": '"other"'}
    assert kit.client().get(f"/lessons/{id}/lesson.mp4", headers=headers).status_code == 200


def test_head_has_the_length_and_no_body(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    response = kit.client().head(f"/lessons/{id}/lesson.mp4", headers=kit.pupil())
    assert response.headers["Content-Length"] == str(SIZE) and response.data == b""


def test_playlist(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "live").id
    response = kit.client().get(f"/lessons/{id}/index.m3u8", headers=kit.pupil())
    assert response.content_type == "application/vnd.apple.mpegurl" and response.headers["Cache-Control"] == "no-cache"
    again = {**kit.pupil(), "If-None-Match": response.headers["ETag"]}
    assert kit.client().get(f"/lessons/{id}/index.m3u8", headers=again).status_code == 304


@pytest.mark.parametrize(
    "file", ["index.m3u8", "part-0001.mp4", "part-0002.mp4", "thumbnail.jpg", "lesson.mp4", "timeline.json"]
)
def test_what_is_not_there(kit: Kit, file: str) -> None:
    response = kit.client().get(f"/lessons/nothing/{file}", headers=kit.pupil())
    assert response.status_code == 404 and response.content_type == "application/problem+json"


@pytest.mark.parametrize("file", ["lesson.mp4", "screen.mp4", "lesson.m4a"])
def test_a_damaged_recording_is_refused_with_the_reason(kit: Kit, file: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(id: str, source: str = "camera", naming: object = None) -> Bytes:
        raise MalformedBoxes("part-0001.mp4 is shorter than its journal says")

    monkeypatch.setattr(kit.lessons, "download", refuse)
    id = kit.lessons.add("Fractions", "ended").id
    response = kit.client().get(f"/lessons/{id}/{file}", headers=kit.pupil())
    assert response.status_code == 500 and response.content_type == "application/problem+json"
    assert (
        response.json
        and response.json["detail"] == "the recording is damaged: part-0001.mp4 is shorter than its journal says"
    )


def test_nobody_without_the_code(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    assert kit.client().get(f"/lessons/{id}/index.m3u8").status_code == 401
    response = kit.client().get(f"/lessons/{id}")
    assert response.status_code == 302 and response.headers["Location"] == f"/?next=/lessons/{id}"


def test_a_download_has_a_readable_name(kit: Kit) -> None:
    id = kit.lessons.add('Géo : "Alpes/Jura"', "ended").id
    disposition = kit.client().get(f"/lessons/{id}/lesson.mp4", headers=kit.pupil()).headers["Content-Disposition"]
    assert disposition.startswith('attachment; filename="20') and disposition.count('"') == 2
    assert "filename*=UTF-8''20" in disposition and "G%C3%A9o" in disposition


@pytest.mark.parametrize("title", ["../../etc/passwd", "a\r\nSet-Cookie: x=1", "", ".", "李" * 200])
def test_no_title_breaks_the_header(title: str) -> None:
    header = attachment(file_name(title, 0.0))
    assert "\r" not in header and "\n" not in header and "/" not in header and len(header) < 1100


def test_a_part_that_grows_is_not_kept_by_browsers(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "live").id
    client, pupil = kit.client(), kit.pupil()
    assert client.get(f"/lessons/{id}/part-0001.mp4", headers=pupil).headers["Cache-Control"] == "private, max-age=300"
    kit.state.note(LessonState(id, "123456", "Fractions", "live", 1000.0, 0.0, 0))
    assert client.get(f"/lessons/{id}/part-0001.mp4", headers=pupil).headers["Cache-Control"] == "no-store"


def test_what_the_replay_shows_along_its_time(kit: Kit) -> None:
    id = kit.lessons.add("Les volcans", "ended", screen_s=150.0).id
    client, pupil = kit.client(), kit.pupil()
    response = client.get(f"/lessons/{id}/timeline.json", headers=pupil)
    assert response.get_json() == {
        "state": "ended",
        "duration_s": 3725.0,
        "gaps": [
            {"at_s": 1200.0, "seconds": 130.0, "reason": "power"},
            {"at_s": 2400.0, "seconds": None, "reason": "boot"},
        ],
        "chapters": [
            {"id": "0a1b2c3d", "at_s": 0.0, "text": "Les volcans", "kind": "teacher", "still": None},
            {"id": "c4", "at_s": 900.0, "text": "Tableau 1", "kind": "board", "still": "stills/81000000.jpg"},
        ],
        "screen": [
            {"start_s": 60.0, "duration_s": 120.0, "sound": True},
            {"start_s": 300.0, "duration_s": 30.0, "sound": False},
        ],
        "talk": [],
        "silent": [],
        "strip": None,
        "low": None,
        "trimmed_s": 0.0,
        "sound": None,
    }
    assert response.headers["Cache-Control"] == "no-cache"
    again = {**pupil, "If-None-Match": response.headers["ETag"]}
    assert client.get(f"/lessons/{id}/timeline.json", headers=again).status_code == 304
    assert client.get(f"/lessons/{id}/timeline.json").status_code == 401


def test_the_recording_of_a_screen(kit: Kit) -> None:
    with_screen = kit.lessons.add("Avec un écran", "ended", screen_s=150.0).id
    without = kit.lessons.add("Sans", "ended").id
    client, pupil = kit.client(), kit.pupil()
    assert client.get(f"/lessons/{with_screen}/screen.m3u8", headers=pupil).text.startswith("#EXTM3U")
    answer = client.get(f"/lessons/{with_screen}/screen.json", headers=pupil).get_json()
    assert answer == {
        "spans": [
            {"start_s": 60.0, "duration_s": 120.0, "sound": True},
            {"start_s": 300.0, "duration_s": 30.0, "sound": False},
        ]
    }
    whole = client.get(f"/lessons/{with_screen}/screen.mp4", headers=pupil)
    assert whole.status_code == 200 and "attachment" in whole.headers["Content-Disposition"]
    shown = client.get(f"/api/v1/lessons/{with_screen}", headers=pupil).get_json()["screen"]
    assert shown["playlist"] == f"/lessons/{with_screen}/screen.m3u8" and shown["duration_s"] == 150.0
    assert client.get(f"/lessons/{without}/screen.m3u8", headers=pupil).status_code == 404
    assert client.get(f"/lessons/{without}/screen.mp4", headers=pupil).status_code == 404
    assert client.get(f"/lessons/{without}/screen.json", headers=pupil).get_json() == {"spans": []}
    assert client.get(f"/api/v1/lessons/{without}", headers=pupil).get_json()["screen"] is None
    assert client.get(f"/lessons/{with_screen}/screen.m3u8").status_code == 401


@pytest.mark.parametrize("file", ["part-0001.mp4", "lesson.mp4"])
def test_what_a_client_has_already_is_not_sent_again(kit: Kit, file: str) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, pupil, path = kit.client(), kit.pupil(), f"/lessons/{id}/{file}"
    with client.get(path, headers=pupil) as response:
        etag = response.headers["ETag"]

    def answer(method: str = "GET", **headers: str) -> tuple[int, int]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        with client.open(path, method=method, headers={**pupil, **named}) as response:
            return response.status_code, len(response.data)

    assert answer(If_None_Match=etag) == answer(If_None_Match=etag, Range="bytes=0-9") == (304, 0)
    assert answer(If_None_Match='"other"', Range="bytes=0-9") == (206, 10)
    assert answer(If_Match='"other"')[0] == 412 and answer(If_Match=etag, Range="bytes=0-9") == (206, 10)
    assert answer(If_Range=etag, Range="bytes=0-9") == (206, 10)
    # Only the very tag: not a weak one, not a date (RFC 9110, section 13.1.5).
    for other in (f"W/{etag}", "Sat, 29 Oct 1994 19:43:31 GMT", etag.strip('"')):
        assert answer(If_Range=other, Range="bytes=0-9") == (200, SIZE)
    assert answer("HEAD", Range="bytes=0-9") == (200, 0)  # ranges are for GET (section 14.2)
    with client.head(path, headers={**pupil, "Range": "bytes=0-9"}) as response:
        assert response.headers["Content-Length"] == str(SIZE) and response.headers["ETag"] == etag


def test_the_sound_alone(kit: Kit) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    client, pupil = kit.client(), kit.pupil()
    listed = client.get(f"/lessons/{id}/sound.m3u8", headers=pupil)
    assert listed.content_type == "application/vnd.apple.mpegurl" and listed.headers["Cache-Control"] == "no-cache"
    piece = client.get(f"/lessons/{id}/sound/0001-100-199.m4s", headers=pupil)
    assert (piece.status_code, piece.content_type, piece.data) == (200, "audio/mp4", PART[100:200])
    assert client.get(f"/lessons/{id}/sound/0001-init.mp4", headers=pupil).data == PART[:1]
    whole = client.get(f"/lessons/{id}/lesson.m4a", headers={**pupil, "Range": "bytes=5-9"})
    assert (whole.status_code, whole.content_type, whole.data) == (206, "audio/mp4", PART[5:10])
    assert ".m4a" in whole.headers["Content-Disposition"]
    for name in ("sound.m3u8", "sound/0001-init.mp4", "sound/0001-100-199.m4s", "lesson.m4a"):
        assert client.get(f"/lessons/{id}/{name}").status_code == 401
        assert client.get(f"/lessons/nothing/{name}", headers=pupil).status_code == 404
    for name in ("sound/0002-1-2.m4s", "sound/1-x-2.m4s", "sound/-1-1-2.m4s"):
        assert client.get(f"/lessons/{id}/{name}", headers=pupil).status_code == 404


def test_texts_are_sent_compressed_to_who_takes_them(kit: Kit, monkeypatch: pytest.MonkeyPatch) -> None:
    id = kit.lessons.add("Fractions", "ended").id
    long = "#EXTM3U\n" + "#EXTINF:2.00000,\npart-0001.mp4\n" * 500
    monkeypatch.setattr(kit.lessons, "playlist", lambda id, source="camera": long)
    client, pupil, path = kit.client(), kit.pupil(), f"/lessons/{id}/index.m3u8"
    plain = client.get(path, headers=pupil)
    assert "Content-Encoding" not in plain.headers and plain.text == long
    packed = client.get(path, headers={**pupil, "Accept-Encoding": "gzip, deflate, br"})
    assert packed.headers["Content-Encoding"] == "gzip" and gzip.decompress(packed.data).decode() == long
    assert int(packed.headers["Content-Length"]) == len(packed.data) < len(long) / 10
    assert "Accept-Encoding" in packed.headers["Vary"] and packed.headers["ETag"] != plain.headers["ETag"]
    again = {"Accept-Encoding": "gzip", "If-None-Match": packed.headers["ETag"]}
    assert client.get(path, headers={**pupil, **again}).status_code == 304
    for refused in ("identity", "gzip;q=0", "br"):
        assert client.get(path, headers={**pupil, "Accept-Encoding": refused}).text == long
    vtt = client.get(f"/lessons/{id}/chapters.vtt", headers={**pupil, "Accept-Encoding": "gzip"})
    assert {"Cookie", "Accept-Language", "Accept-Encoding"} <= set(vtt.headers["Vary"].split(", "))
    short = client.get(f"/lessons/{id}/screen.json", headers={**pupil, "Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in short.headers  # not worth it
