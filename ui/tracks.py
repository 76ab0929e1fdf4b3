"""Text tracks beside a lesson: captions and chapters as WebVTT, uploaded, corrected and removed by the teacher."""

from __future__ import annotations

import re
from typing import Any, Literal

from babel import Locale, UnknownLocaleError
from flask import Response, jsonify, request
from flask_babel import gettext as _

from appliance.bus import CommandRefused
from ui import api, media
from ui.context import here
from ui.marks import vtt_response
from ui.problems import Problem
from ui.views import clean_text

LARGEST = 2 * 1024 * 1024
LONGEST_LABEL = 60
TRACKS = f"/lessons/{api.LESSON}/tracks"
TRACK = f"{TRACKS}/<any(captions, chapters):kind>/<string(maxlength=35):language>"

Kind = Literal["captions", "chapters"]

N_ = str  # names a sentence for the catalogue of translations
REFUSALS = (
    N_("line {line}: the file is larger than {size} MiB"),
    N_("line {line}: the file must begin with WEBVTT"),
    N_("line {line}: an empty line must follow the first one"),
    N_("line {line}: there are more than {number} cues"),
    N_("line {line}: the text is not UTF-8"),
    N_("line {line}: no times ({example})"),
    N_("line {line}: the times must be written as {example}"),
    N_("line {line}: a cue must end after it begins"),
    N_("line {line}: an empty line is missing before these times"),
    N_("there are more than {number} chapters"),
    N_("{time} lies behind the lesson's end"),
    N_("a chapter's text is longer than {number} characters"),
    N_("the lesson has {number} text tracks"),
)


@api.blueprint.get(TRACKS)
def list_tracks(id: str) -> Response:
    context = media.reader()
    with media.known("lesson"):
        found = context.lessons.captions(id)
    return api.private(jsonify(tracks=[track_view(id, language, label) for language, label in found]))


@api.blueprint.put(TRACK)
def put_track(id: str, kind: Kind, language: str) -> Response:
    context = here()
    context.require("teacher")
    if request.mimetype != "text/vtt":
        raise Problem(415, "the body must be text/vtt")
    request.max_content_length = LARGEST
    try:
        text = request.get_data().decode()
    except UnicodeDecodeError:
        raise Problem(400, "the text is not UTF-8") from None
    label = clean_text(request.args.get("label") or own_name(language), LONGEST_LABEL)
    if label is None:
        raise Problem(400, f"label: 1 to {LONGEST_LABEL} characters, no control characters")
    try:
        context.lessons.put_track(id, kind, language, label, text)
    except CommandRefused as error:
        if error.kind != "invalid":
            raise
        raise Problem(400, in_words(error.detail)) from None
    return api.private(Response(), 204)


@api.blueprint.delete(TRACK)
def remove_track(id: str, kind: Kind, language: str) -> Response:
    context = here()
    context.require("teacher")
    context.lessons.remove_track(id, kind, language)
    return api.private(Response(), 204)


@media.blueprint.get("/tracks/captions-<string(maxlength=35):language>.vtt")
def captions(id: str, language: str) -> Response:
    context = media.reader()
    with media.known("track"):
        text = context.lessons.captions_vtt(id, language)
    return vtt_response(text)


def in_words(detail: str) -> str:
    """What the lessons service says against a WebVTT file, in the language of the page; as it is when it is new."""
    for sentence in REFUSALS:
        pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>.+?)", re.escape(sentence))
        if found := re.fullmatch(pattern, detail):
            return str(_(sentence)).format(**found.groupdict())
    return detail


def track_view(id: str, language: str, label: str) -> dict[str, Any]:
    src = f"/lessons/{id}/tracks/captions-{language}.vtt"
    return {"kind": "captions", "language": language, "label": label, "src": src}


def own_name(language: str) -> str:
    """What those who speak a language (BCP 47) call it; the tag itself when nobody knows."""
    try:
        return Locale.parse(language, sep="-").get_display_name() or language
    except (UnknownLocaleError, ValueError):
        return language
