"""JSON shapes of the API and of Socket.IO, as pure functions of messages. ui/openapi.json describes them."""

from __future__ import annotations

import re
import unicodedata
from datetime import datetime
from typing import Any

from babel.dates import format_datetime
from babel.units import format_unit

from appliance.messages import CaptureState, DiskState, Lesson, LessonState, ViewersState
from ui.state import ServiceStatus

LONGEST_NAME = 40
LONGEST_TITLE = 120
LONGEST_WORDS = 60  # of subject, class and teacher
_JOINERS = "\u200c\u200d"  # Persian names and composed emoji need them
_REFUSED = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def clean_text(text: str, longest: int) -> str | None:
    """`text` trimmed and composed (NFC), or None when it is empty, too long or holds control characters."""
    cleaned = unicodedata.normalize("NFC", text).strip()
    if not 1 <= len(cleaned) <= longest:
        return None
    if any(unicodedata.category(letter) in _REFUSED and letter not in _JOINERS for letter in cleaned):
        return None
    return cleaned


def lesson_view(lesson: Lesson, *, teacher: bool) -> dict[str, Any]:
    """One lesson of the catalogue. `started_at` is Unix seconds, `duration_s` what replay can play. For a teacher also
    when it goes."""
    where = f"/lessons/{lesson.id}"
    view = {
        "id": lesson.id,
        "code": lesson.code,
        "title": lesson.title,
        "subject": lesson.subject,
        "group": lesson.group,
        "teacher": lesson.teacher,
        "visibility": lesson.visibility,
        "state": lesson.state,
        "started_at": lesson.started_at,
        "duration_s": lesson.duration_s,
        "bytes": lesson.bytes,
        "parts": lesson.parts,
        "gaps": lesson.gaps,
        "page": where,
        "playlist": f"{where}/index.m3u8",
        "download": f"{where}/lesson.mp4",
        "thumbnail": f"{where}/thumbnail.jpg" if lesson.thumbnail else None,
        "screen": screen_view(where, lesson.screen_s) if lesson.screen_s else None,
    }
    if teacher:
        view |= {"ends_at": lesson.ends_at, "sent": lesson.sent, "warned_at": lesson.warned_at}
    return view


def screen_view(where: str, duration_s: float) -> dict[str, Any]:
    """The recording of a shared screen; `spans` says where its playlist belongs on the lesson's timeline."""
    return {
        "duration_s": duration_s,
        "playlist": f"{where}/screen.m3u8",
        "download": f"{where}/screen.mp4",
        "spans": f"{where}/screen.json",
    }


def disk_view(disk: DiskState | None) -> dict[str, Any] | None:
    """For how many minutes of lessons there is room; None while nobody knows."""
    if disk is None:
        return None
    return {"minutes": int(disk.minutes), "free_bytes": disk.free_bytes, "incident": disk.incident}


def live_view(lesson: LessonState | None, age_s: float, *, recording: bool = False) -> dict[str, Any] | None:
    """The lesson that is live or was last, as it was told `age_s` seconds ago; `elapsed_s` spares pages their own
    clocks. With `recording` also how that goes, which is for teachers."""
    if lesson is None:
        return None
    view = {
        "id": lesson.id,
        "title": lesson.title,
        "state": lesson.state,
        "started_at": lesson.started_at,
        "elapsed_s": lesson.elapsed_s + age_s if lesson.state == "live" else lesson.recorded_s,
        "recorded_s": lesson.recorded_s,
        "page": f"/lessons/{lesson.id}",
        "records_talk": lesson.records_talk,
    }
    if recording:
        view |= {
            "incident": lesson.incident,
            "lost_s": lesson.lost_s,
            "gaps": lesson.gaps,
            "planned_end": lesson.planned_end,
        }
    return view


def viewers_view(viewers: ViewersState, *, names: bool) -> dict[str, Any]:
    count: dict[str, Any] = {"count": viewers.pupils}
    return {**count, "names": list(viewers.names)} if names else count


def capture_view(capture: CaptureState | None) -> dict[str, Any] | None:
    if capture is None:
        return None
    return {
        "camera": capture.camera,
        "microphone": capture.microphone,
        "camera_ok": capture.camera_ok,
        "microphone_ok": capture.microphone_ok,
        "level_dbfs": max(-120.0, capture.level_dbfs),  # silence is -inf, which JSON cannot say
    }


def services_view(statuses: dict[str, ServiceStatus]) -> dict[str, Any]:
    return {name: {"up": status.up, "restarts": status.restarts} for name, status in statuses.items()}


def clock_text(seconds: float) -> str:
    """`1:02:03` or `2:03`."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def moment_text(wall: float, locale: str) -> str:
    """A moment of Unix time in the kit's time zone, in words."""
    return str(format_datetime(datetime.fromtimestamp(wall).astimezone(), "d MMMM y, HH:mm", locale=locale))


def size_text(size: int, locale: str) -> str:
    """Bytes as a person reads them, in decimal units: "734 MB", in French "734 Mo"."""
    value = size / 1000
    for unit in ("kilobyte", "megabyte"):
        if value < 999.5:
            return str(format_unit(value, f"digital-{unit}", length="short", format="0", locale=locale))
        value /= 1000
    return str(format_unit(value, "digital-gigabyte", length="short", format="0.0", locale=locale))


def file_name(title: str, started_at: float, ending: str = ".mp4") -> str:
    """A name for the download that every file system takes: date, then title."""
    safe = re.sub(r'[\\/:*?"<>|\x00-\x1f]+', " ", title)
    safe = re.sub(r"\s+", " ", safe).strip(" .")[:80]
    day = datetime.fromtimestamp(started_at).astimezone().strftime("%Y-%m-%d %Hh%M")
    return f"{day} {safe}".strip() + ending
