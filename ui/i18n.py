"""Languages: English msgids, French translations; picked by ?lang=, cookie, Accept-Language, then the settings."""

from __future__ import annotations

from flask import Flask, Response, request
from flask_babel import Babel
from flask_babel import gettext as _

LANGUAGES = {"fr": "Français", "en": "English"}
PRODUCT = "Préau"
COOKIE = "preau_lang"
A_YEAR_S = 365 * 24 * 3600


def pick(asked: str | None, cookie: str | None, accepted: str | None, default: str) -> str:
    """The first of the wishes that is a language the pages speak."""
    return next((wish for wish in (asked, cookie, accepted) if wish in LANGUAGES), default)


def install(app: Flask, default: str) -> None:
    def locale() -> str:
        accepted = request.accept_languages.best_match(list(LANGUAGES))
        return pick(request.args.get("lang"), request.cookies.get(COOKIE), accepted, default)

    def remember(response: Response) -> Response:
        asked = request.args.get("lang")
        if asked in LANGUAGES:
            response.set_cookie(COOKIE, asked, max_age=A_YEAR_S, samesite="Lax")
        return response

    Babel(app, default_locale=default, locale_selector=locale)
    app.after_request(remember)
    app.jinja_env.globals.update(
        page_language=locale, languages=LANGUAGES, product=PRODUCT, script_strings=script_strings
    )


def script_strings(page: str) -> dict[str, str]:
    """The sentences that the scripts of `page` show; rendered into the page as JSON."""
    tables = {
        "join": [_join],
        "teacher": [_teacher, _marks, _voices],
        "lessons": [_lessons, _edit, _unite, _keep],
        "lesson": [_lesson, _tracks, _keep, _trim],
    }
    return {name: sentence for table in tables[page] for name, sentence in table().items()}


def _join() -> dict[str, str]:
    return {
        "waiting": _("The lesson has not started yet. It will appear here by itself."),
        "connecting": _("Connecting to the lesson…"),
        "live": _("You are watching the lesson live."),
        "still": _("The line is weak: you hear the lesson and see a new picture every few seconds."),
        "soundOnly": _("You hear the lesson. The picture is turned off."),
        "reconnecting": _("The connection was lost. Reconnecting…"),
        "ended": _("The lesson is over."),
        "wrongCode": _("There is no lesson with this code. Check it and try again."),
        "wrongName": _("Write your first name, 40 letters at most."),
        "tooMany": _("Too many tries. Wait {seconds} seconds."),
        "unreachable": _("The kit cannot be reached. Check the Wi-Fi and try again."),
        "onePupil": _("1 pupil connected"),
        "pupils": _("{count} pupils connected"),
        **_voices(),
    }


def _voices() -> dict[str, str]:
    return {"voices": _("Pupils' voices are being recorded.")}


def _teacher() -> dict[str, str]:
    return {
        "wrongPin": _("This PIN is wrong."),
        "tooMany": _("Too many tries. Wait {seconds} seconds."),
        "unreachable": _("The kit cannot be reached. Check the Wi-Fi and try again."),
        "failed": _("This did not work. Try again."),
        "ready": _("Ready"),
        "starting": _("Starting…"),
        "live": _("On air, recording"),
        "stopping": _("Stopping…"),
        "nobody": _("Nobody yet"),
        "onePupil": _("1 pupil connected"),
        "pupils": _("{count} pupils connected"),
        "preview": _("The preview starts by itself."),
        "cameraLost": _("The camera does not answer. Check its cable."),
        "microphoneLost": _("The microphone does not answer. Check its cable."),
        "serviceDown": _("A part of the kit is starting again: {names}"),
        "shareConnecting": _("Connecting your screen…"),
        "shared": _("Your screen is shared with the pupils."),
        "sharedElsewhere": _("A screen is shared from another computer."),
        "untilBell": _("Until {time}"),
        "oneGap": _("Not recorded: {time}"),
        "gaps": _("Not recorded: {time}, in {count} places"),
        "disk_full": _("The disk is full: {kept} of the lesson are kept, more only when there is room. Live goes on."),
        "disk_read_only": _("The disk takes nothing more: {kept} of the lesson are kept. Live goes on."),
        "disk_error": _("The disk has a fault: {kept} of the lesson are kept, more is being tried. Live goes on."),
        "disk_slow": _("The disk is slow. What it has not taken yet is being kept for it."),
        "overflow": _("The disk was too slow for too long: a piece of the lesson is missing in the recording."),
        "no_video": _("No picture comes from the camera: nothing is being recorded."),
        "roomHours": _("Room on the disk for {count} hours of lessons"),
        "roomMinutes": _("Room on the disk for {count} minutes"),
        "closing": _("The disk is slow: the lesson will end as soon as it answers."),
        "start_disk_full": _("The disk is full: no lesson can be recorded. Delete old ones, or make room."),
        "start_disk_read_only": _("The disk takes nothing: no lesson can be recorded."),
        "start_disk_error": _("The disk has a fault: no lesson can be recorded."),
        "shareForbidden": _("The browser did not give the screen to this page."),
    }


def _marks() -> dict[str, str]:
    return {
        "marked": _("A mark is set at {time}."),
        "markSaved": _("{time}: {words}"),
        "markRemoved": _("The mark is removed."),
    }


def _lessons() -> dict[str, str]:
    return {"failed": _("This did not work. Try again."), "deleted": _("The lesson was deleted.")}


def _unite() -> dict[str, str]:
    return {
        "united": _("{next} follows {title} now: they are one recording."),
        "notUnited": _("They cannot be joined: {reason}"),
        "nothingFollows": _("There is no other recording in this list."),
    }


def _edit() -> dict[str, str]:
    return {
        "described": _("Saved: {title}"),
        "refused": _("This cannot be saved: {reason}"),
        "unreachable": _("The kit cannot be reached. Check the Wi-Fi and try again."),
    }


def _keep() -> dict[str, str]:
    return {
        "endsOn": _("Will be deleted on {date}"),
        "notKept": _("This did not work. Try again."),
    }


def _tracks() -> dict[str, str]:
    return {
        "trackInvalid": _("This file cannot be used: {reason}"),
        "corrected": _("The chapters are corrected; the player shows it when the page is read again."),
        "trackTooLarge": _("This file is too large: 2 MB at most."),
        "unreachable": _("The kit cannot be reached. Check the Wi-Fi and try again."),
        "failed": _("This did not work. Try again."),
    }


def _trim() -> dict[str, str]:
    return {
        "trimStart": _("The lesson would begin at {at}. Press Cut to do it."),
        "trimEnd": _("The lesson would end at {at}. Press Cut to do it."),
        "trimDone": _("The lesson is cut."),
        "trimUndone": _("All of the lesson is shown again."),
        "trimShort": _("Nothing would be left of the lesson: choose other places."),
    }


def _lesson() -> dict[str, str]:
    return {
        "unplayable": _("This recording cannot be played right now. Try again in a moment."),
        "gone": _("This recording is not there any more."),
        "missing": _("A piece is missing here."),
        "missingLength": _("{length} not recorded here."),
        "gap_restart": _("The kit was off, or began anew."),
        "gap_epoch": _("The camera began anew."),
        "gap_stall": _("No picture came from the camera."),
        "gap_no_video": _("No picture came from the camera."),
        "gap_loss": _("The kit had too much to do."),
        "gap_overflow": _("The disk was too slow."),
        "gap_disk_full": _("The disk was full."),
        "gap_disk_read_only": _("The disk took nothing."),
        "gap_disk_error": _("The disk had a fault."),
        "gap_joined": _("Two recordings were joined here."),
        "stoppedAt": _("You stopped at {at}."),
        "speed": _("Speed {speed}×"),
        "muted": _("Sound off"),
        "unmuted": _("Sound on"),
        "camera": _("Camera"),
        "screen": _("Screen"),
        "both": _("Both"),
        "edge": _("The newest that is recorded"),
        "soundAlone": _("Sound only"),
        "withPicture": _("With the picture"),
        "over": _("The lesson is over. This is its recording."),
    }
