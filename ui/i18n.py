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
    return {"join": _join, "teacher": _teacher, "lessons": _lessons, "lesson": _lesson}[page]()


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
    }


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
        "shareForbidden": _("The browser did not give the screen to this page."),
    }


def _lessons() -> dict[str, str]:
    return {"failed": _("This did not work. Try again."), "deleted": _("The lesson was deleted.")}


def _lesson() -> dict[str, str]:
    return {
        "unplayable": _("This recording cannot be played right now. Try again in a moment."),
        "gone": _("This recording is not there any more."),
        "missing": _("A piece is missing here."),
        "missingLength": _("{length} not recorded here."),
        "chapter": _("Chapter {number}"),
        "stoppedAt": _("You stopped at {at}."),
        "speed": _("Speed {speed}×"),
        "muted": _("Sound off"),
        "unmuted": _("Sound on"),
        "camera": _("Camera"),
        "screen": _("Screen"),
        "both": _("Both"),
        "edge": _("The newest that is recorded"),
        "over": _("The lesson is over. This is its recording."),
    }
