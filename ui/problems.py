"""Errors as the API tells them: application/problem+json (RFC 9457).

Handlers raise `Problem`; refusals and silences of other services, and Flask's own errors, are turned into the same.
Outside the API an error is a page.
"""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus

import structlog
from flask import Flask, Response, json, render_template, request
from flask_babel import gettext as _
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as BaseResponse

from appliance.bus import BusError, CommandRefused
from appliance.messages import RefusalKind

log = structlog.get_logger()

MACHINE_PATHS = ("/api/", "/whep", "/whip", "/stream", "/healthz", "/metrics", "/socket.io")
RETRY_AFTER_S = 1
STATUS_OF_REFUSAL: Mapping[RefusalKind, int] = {
    "invalid": 400,
    "not_found": 404,
    "conflict": 409,
    "precondition": 412,
    "unavailable": 503,
    "internal": 500,
}


class Problem(Exception):
    """An answer that says no. `detail` is a sentence for the person who reads the client's log."""

    def __init__(self, status: int, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = dict(headers or {})
        if status == 503:
            self.headers.setdefault("Retry-After", str(RETRY_AFTER_S))


def problem_response(problem: Problem) -> Response:
    body = {
        "type": "about:blank",
        "title": HTTPStatus(problem.status).phrase,
        "status": problem.status,
        "detail": problem.detail,
    }
    headers = {"Cache-Control": "no-store", **problem.headers}
    return Response(json.dumps(body) + "\n", problem.status, headers, content_type="application/problem+json")


def from_refusal(error: CommandRefused) -> Problem:
    return Problem(STATUS_OF_REFUSAL[error.kind], error.detail)


def from_silence(error: BusError) -> Problem:
    return Problem(503, f"{error}; it may be restarting, try again in a moment")


def wants_problem() -> bool:
    """Whether the client of this request is a program rather than a person."""
    return request.path.startswith(MACHINE_PATHS)


def page_response(status: int, message: str) -> Response:
    return Response(render_template("error.html", status=status, message=message), status, content_type="text/html")


def answer(problem: Problem) -> Response:
    """The problem in the form that this request's client reads."""
    if wants_problem() or (request.endpoint or "").startswith("media."):
        return problem_response(problem)
    response = page_response(problem.status, page_message(problem.status))
    response.headers.extend(problem.headers)
    return response


def page_message(status: int) -> str:
    """The same in a person's words and language."""
    match status:
        case 404:
            return str(_("This page does not exist."))
        case 503:
            return str(_("The kit is starting again. Try once more in a few seconds."))
        case _:
            return str(_("This did not work."))


def install(app: Flask) -> None:
    """Register the error handlers of the whole application."""

    def on_refusal(error: CommandRefused) -> Response:
        return answer(from_refusal(error))

    def on_silence(error: BusError) -> Response:
        return answer(from_silence(error))

    def on_http(error: HTTPException) -> BaseResponse:
        # Keeps Allow (405), Content-Range (416) and the like; redirects are HTTPExceptions too.
        if error.response is not None or not error.code or error.code < 400:
            return error.get_response()
        kept = {name: value for name, value in error.get_headers() if name.lower() != "content-type"}
        return answer(Problem(error.code, error.description or HTTPStatus(error.code).phrase, kept))

    app.register_error_handler(Problem, answer)
    app.register_error_handler(CommandRefused, on_refusal)
    app.register_error_handler(BusError, on_silence)
    app.register_error_handler(HTTPException, on_http)
