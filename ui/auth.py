"""Who is asking: signed tokens, cookies, the same-origin rule and the brakes on guessing.

A token says role, name, viewer and room code, is signed with the kit's key and lives twelve hours. A program sends
it as Bearer (RFC 6750), a browser as a cookie; what a cookie alone authorises must come from the kit's own pages.
"""

from __future__ import annotations

import hmac
import secrets
import threading
import time
from typing import Literal
from urllib.parse import urlsplit

import msgspec
from flask import Response, request
from itsdangerous import BadSignature, URLSafeTimedSerializer
from limits import RateLimitItem, parse
from limits.storage import MemoryStorage
from limits.strategies import MovingWindowRateLimiter

from appliance.secrets import Secrets
from ui.problems import Problem

Role = Literal["teacher", "pupil", "presenter"]
TOKEN_LIFE_S = 12 * 3600
# A presenter's token stands in programs such as OBS and can do nothing but publish the screen; it is no cookie.
COOKIES: dict[Role, str] = {"teacher": "preau_teacher", "pupil": "preau_pupil"}
SAFE_METHODS = {"GET", "HEAD", "OPTIONS"}
CHALLENGE = 'Bearer realm="preau"'


class Identity(msgspec.Struct, frozen=True):
    """`viewer` names one person's device for as long as the token lives."""

    role: Role
    name: str
    viewer: str
    code: str


def new_viewer() -> str:
    return secrets.token_urlsafe(9)


class Tokens:
    """Makes and reads tokens. Stateless: a restarted service still knows everybody."""

    def __init__(self, kit: Secrets) -> None:
        self._code = kit.room_code
        self._serializer = URLSafeTimedSerializer(kit.signing_key, salt="preau-token-1")

    def issue(self, role: Role, name: str, viewer: str) -> str:
        return str(self._serializer.dumps([role, name, viewer, self._code]))

    def read(self, token: str) -> Identity | None:
        """The identity, or None for a token that is forged, damaged, too old or of another room code."""
        try:
            role, name, viewer, code = self._serializer.loads(token, max_age=TOKEN_LIFE_S)
        except (BadSignature, ValueError, TypeError):
            return None
        return Identity(role, name, viewer, code) if code == self._code else None


def bearer() -> str | None:
    """The request's Bearer token, if it has an Authorization header at all."""
    header = request.headers.get("Authorization")
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def identify(tokens: Tokens) -> Identity | None:
    """Who sent this request. A Bearer token stands alone; of two cookies the teacher's counts."""
    token = bearer()
    if token is not None:
        return tokens.read(token)
    for cookie in COOKIES.values():
        identity = tokens.read(request.cookies.get(cookie, ""))
        if identity:
            return identity
    return None


def require(tokens: Tokens, *roles: Role) -> Identity:
    """The identity when it has one of `roles`; raises Problem 401 (nobody) or 403 (the wrong one)."""
    identity = identify(tokens)
    if identity is None:
        # RFC 6750 section 3.1 says of a token that was shown what is wrong with it.
        wrong = CHALLENGE if bearer() is None else f'{CHALLENGE}, error="invalid_token"'
        raise Problem(401, "a valid token or session is needed", {"WWW-Authenticate": wrong})
    if identity.role not in roles:
        raise Problem(403, f"only for the {' or the '.join(roles)}")
    return identity


def refuse_cross_site() -> None:
    """Raise Problem 403 for a state-changing request that another site's page made a browser send.

    A request with an Authorization header is exempt: no foreign page can add one without this server's consent.
    Programs send neither Origin nor Sec-Fetch-Site.
    """
    if request.method in SAFE_METHODS or bearer() is not None:
        return
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    foreign = site not in (None, "same-origin", "none")
    if foreign or (origin is not None and urlsplit(origin).netloc != request.host):
        raise Problem(403, "this request came from another site's page")


def set_cookie(response: Response, role: Role, token: str) -> None:
    response.set_cookie(
        COOKIES[role], token, max_age=TOKEN_LIFE_S, httponly=True, samesite="Lax", secure=request.is_secure
    )


def clear_cookies(response: Response) -> None:
    for cookie in COOKIES.values():
        response.delete_cookie(cookie, httponly=True, samesite="Lax", secure=request.is_secure)


class Guard:
    """Compares a guess with a secret in constant time and counts failures per address.

    Asking and counting are one step under a lock: a limiter that counts after the answer would let as many
    guesses through at once as the server has threads.
    """

    def __init__(self, secret: str, limit: str) -> None:
        self._secret = secret.encode()
        self._limit: RateLimitItem = parse(limit)
        self._strategy = MovingWindowRateLimiter(MemoryStorage())
        self._lock = threading.Lock()

    def check(self, guess: str, address: str) -> bool:
        """Whether `guess` is right. Raises Problem 429 when `address` has used up its failures."""
        with self._lock:
            if not self._strategy.test(self._limit, address):
                reset = self._strategy.get_window_stats(self._limit, address).reset_time
                wait = max(1, int(reset - time.time()) + 1)
                raise Problem(429, f"too many wrong tries, wait {wait} s", {"Retry-After": str(wait)})
            right = hmac.compare_digest(self._secret, guess.encode())
            if not right:
                self._strategy.hit(self._limit, address)
        return right


class Openings:
    """Bounds how many media sessions one viewer, and one address (a classroom may share it), opens in a while."""

    def __init__(self, viewer_limit: str, address_limit: str) -> None:
        self._viewer: RateLimitItem = parse(viewer_limit)
        self._address: RateLimitItem = parse(address_limit)
        self._strategy = MovingWindowRateLimiter(MemoryStorage())

    def take(self, viewer: str, address: str) -> None:
        """Count one. Raises Problem 429 when it is one too many."""
        # The viewer's own limit first: whose posts are refused by it uses up nothing of the others behind the address.
        for limit, key in ((self._viewer, f"viewer {viewer}"), (self._address, f"address {address}")):
            if not self._strategy.hit(limit, key):
                wait = max(1, int(self._strategy.get_window_stats(limit, key).reset_time - time.time()) + 1)
                raise Problem(429, f"too many sessions opened, wait {wait} s", {"Retry-After": str(wait)})
