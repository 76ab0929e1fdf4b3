"""The catalogue: a SQLite cache of what the journals say, for lists that must not read every journal.

Never the truth: each row carries its journal's size and modification time and is made anew when they differ; a file of
another version or a damaged one is thrown away. Where the disk refuses, the cache lives in memory.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar

import structlog
from sqlalchemy import (
    ColumnElement,
    Engine,
    String,
    and_,
    create_engine,
    delete,
    event,
    func,
    or_,
    select,
    text,
)
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Mapped, Session, mapped_column
from sqlalchemy.pool import StaticPool

from appliance.messages import FindLessons, Lesson, LessonList, Visibility
from lessons.folder import THUMBNAIL
from lessons.journal import NAME, parse
from lessons.recording import fold
from lessons.search import key, words
from lessons.summary import describe

log = structlog.get_logger()

VERSION = 5  # of the table below, kept in PRAGMA user_version
FILE = "catalogue.sqlite"
BUSY_MS = 5000
# SQLite quotes what it could not understand of a garbled schema, and that need not be text.
_FAILURES = (SQLAlchemyError, UnicodeDecodeError)
ID = re.compile(r"\d{8}-\d{6}-[0-9a-f]{4}")


T = TypeVar("T")


class Base(DeclarativeBase):
    pass


class Row(Base):
    """One lesson; `size` and `modified_ns` are its journal's when the row was made, `crc` is of all the rest: SQLite
    does not notice a value that the disk has garbled."""

    __tablename__ = "lessons"

    id: Mapped[str] = mapped_column(primary_key=True)
    code: Mapped[str]
    title: Mapped[str]
    state: Mapped[Literal["live", "ended", "interrupted"]] = mapped_column(String)
    started_at: Mapped[float]
    duration_s: Mapped[float]
    bytes: Mapped[int]
    parts: Mapped[int]
    gaps: Mapped[int]
    screen_s: Mapped[float]
    subject: Mapped[str]
    group: Mapped[str]
    teacher: Mapped[str]
    visibility: Mapped[Visibility] = mapped_column(String)
    title_key: Mapped[str]  # lessons.search.key of the above, as are the other keys
    subject_key: Mapped[str]
    group_key: Mapped[str]
    teacher_key: Mapped[str]
    ends_at: Mapped[float | None]
    sent: Mapped[bool]
    warned_at: Mapped[float | None]
    size: Mapped[int]
    modified_ns: Mapped[int]
    crc: Mapped[int]


def crc_of(row: Row) -> int:
    """The CRC-32 of a row's values but `crc`, as they come back from the database."""
    values = []
    for column in Row.__table__.columns:
        if column.key != "crc":
            value = getattr(row, column.key)
            values.append(value if value is None else column.type.python_type(value))
    return zlib.crc32(repr(values).encode())


class Catalogue:
    """Lessons below `root` as rows in `path`. Safe from any thread. No method raises for a bad disk."""

    def __init__(self, path: Path, root: Path) -> None:
        self._path = path
        self._root = root
        self._engine = self._open()
        self.rebuild()

    def rebuild(self) -> None:
        """Bring every row in line with the folders: changed, new and vanished lessons."""
        ids = {
            folder.name for folder in (self._root.iterdir() if self._root.is_dir() else ()) if ID.fullmatch(folder.name)
        }

        def work(session: Session) -> None:
            known = {row.id: row for row in session.scalars(select(Row))}
            for id in known.keys() - ids:
                session.delete(known[id])
            for id in sorted(ids):
                self._update(session, id, known.get(id))
            session.commit()

        self._run(work)

    def refresh(self, id: str) -> None:
        """Read the journal of `id` again, when it has changed; a lesson that is gone leaves the catalogue."""

        def work(session: Session) -> None:
            self._update(session, id, session.get(Row, id))
            session.commit()

        self._run(work)

    def forget(self, id: str) -> None:
        def work(session: Session) -> None:
            session.execute(delete(Row).where(Row.id == id))
            session.commit()

        self._run(work)

    def erase(self, id: str) -> None:
        """Forget a lesson so that no byte of the file tells of it. Raises OSError when the disk refuses."""
        self.forget(id)
        if self._engine.url.database:
            try:
                # What moved within the file may have left a copy of itself behind, which only writing all anew removes.
                with self._engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
                    connection.execute(text("VACUUM"))
                return
            except _FAILURES as error:
                self._into_memory(error)
        self._remove()

    def get(self, id: str) -> Lesson | None:
        def work(session: Session) -> Lesson | None:
            row = session.get(Row, id)
            return self._lesson(row) if row else None

        return self._run(work)

    def all(self) -> list[Lesson]:
        """Every lesson, newest first."""

        def work(session: Session) -> list[Lesson]:
            return [self._lesson(row) for row in session.scalars(select(Row).order_by(Row.id.desc()))]

        return self._run(work)

    def find(self, wanted: FindLessons, live: str | None) -> LessonList:
        """What is found; `live` is the id of the lesson that is live."""
        visible = _visible(wanted, live)
        found = [*visible, *_filters(wanted)]

        def work(session: Session) -> LessonList:
            total = session.scalar(select(func.count()).select_from(Row).where(*found))
            rows = select(Row).where(*found).order_by(*_order(wanted)).limit(wanted.limit).offset(wanted.offset)
            lessons = [self._lesson(row) for row in session.scalars(rows)]
            pairs = ((Row.subject, Row.subject_key), (Row.group, Row.group_key), (Row.teacher, Row.teacher_key))
            return LessonList(lessons, total or 0, *(_spelt(session, name, by, visible) for name, by in pairs))

        return self._run(work)

    def close(self) -> None:
        self._engine.dispose()

    def _update(self, session: Session, id: str, row: Row | None) -> None:
        path = self._root / id / NAME
        try:
            status = path.stat()
            if row and (row.size, row.modified_ns) == (status.st_size, status.st_mtime_ns):
                return
            recording = fold(parse(path.read_bytes()).records)
        except OSError:
            recording = None
        if row:
            session.delete(row)
            session.flush()
        if recording is None or recording.created.id != id:
            return
        lesson = describe(recording, thumbnail=False)
        made = Row(
            id=id, code=lesson.code, title=lesson.title, state=lesson.state, started_at=lesson.started_at,
            duration_s=lesson.duration_s, bytes=lesson.bytes, parts=lesson.parts, gaps=lesson.gaps,
            screen_s=lesson.screen_s, subject=lesson.subject, group=lesson.group, teacher=lesson.teacher,
            visibility=lesson.visibility, title_key=key(lesson.title), subject_key=key(lesson.subject),
            group_key=key(lesson.group), teacher_key=key(lesson.teacher), ends_at=lesson.ends_at, sent=lesson.sent,
            warned_at=lesson.warned_at, size=status.st_size, modified_ns=status.st_mtime_ns,
        )  # fmt: skip
        made.crc = crc_of(made)
        session.add(made)

    def _lesson(self, row: Row) -> Lesson:
        return Lesson(
            row.id, row.code, row.title, row.state, row.started_at, row.duration_s, row.bytes, row.parts, row.gaps,
            (self._root / row.id / THUMBNAIL).exists(), row.screen_s, row.subject, row.group, row.teacher,
            row.visibility, row.ends_at, row.sent, row.warned_at,
        )  # fmt: skip

    def _run(self, work: Callable[[Session], T]) -> T:
        """Do `work`; when the database fails, once more in a fresh cache in memory."""
        try:
            with Session(self._engine) as session:
                return work(session)
        except _FAILURES as error:
            self._into_memory(error)
            with Session(self._engine) as session:
                return work(session)

    def _into_memory(self, error: Exception) -> None:
        log.error("catalogue failed; kept in memory from now on", error=str(error))
        self._engine.dispose()
        self._engine = _prepare(_memory())
        self.rebuild()

    def _remove(self) -> None:
        """Remove the files. Raises OSError."""
        for suffix in ("", "-journal", "-wal", "-shm"):
            self._path.with_name(self._path.name + suffix).unlink(missing_ok=True)

    def _open(self) -> Engine:
        for attempt in range(2):
            engine = _file(self._path)
            try:
                return _prepare(engine)
            except (*_FAILURES, _OtherVersion) as error:
                engine.dispose()
                log.warning("catalogue made anew", error=str(error), attempt=attempt)
            try:
                self._remove()
            except OSError as error:
                log.error("catalogue not removed", error=str(error))
                break
        log.error("catalogue kept in memory")
        return _prepare(_memory())


def _visible(wanted: FindLessons, live: str | None) -> list[ColumnElement[bool]]:
    """What keeps from pupils what they may not see; a lesson that is live is its class's whatever will be."""
    if wanted.code is None:
        return []
    own = and_(Row.code == wanted.code, or_(Row.visibility == "class", Row.id == live))
    return [or_(Row.visibility == "school", own)]


def _filters(wanted: FindLessons) -> list[ColumnElement[bool]]:
    keys = (Row.title_key, Row.subject_key, Row.group_key, Row.teacher_key)
    found: list[ColumnElement[bool]] = [
        or_(*(one.contains(word, autoescape=True) for one in keys)) for word in words(wanted.text)
    ]
    asked = ((Row.subject_key, wanted.subject), (Row.group_key, wanted.group), (Row.teacher_key, wanted.teacher))
    found += [column == key(text) for column, text in asked if text]
    if wanted.since is not None:
        found.append(Row.started_at >= wanted.since)
    if wanted.until is not None:
        found.append(Row.started_at < wanted.until)
    return found


def _order(wanted: FindLessons) -> list[ColumnElement[Any]]:
    """The id, which sorts by time, decides where the rest is the same: the newest comes first."""
    column = {"date": Row.started_at, "title": Row.title_key, "length": Row.duration_s}[wanted.sort]
    return [column.desc() if wanted.descending else column.asc(), Row.id.desc()]


def _spelt(
    session: Session, name: InstrumentedAttribute[str], by: InstrumentedAttribute[str],
    visible: Sequence[ColumnElement[bool]],
) -> list[str]:  # fmt: skip
    """The names that there are, each as it was written last."""
    # Of a group, SQLite takes the other columns from the row that has the maximum.
    rows = select(name, func.max(Row.started_at)).where(by != "", *visible).group_by(by).order_by(by)
    return [text for text, _ in session.execute(rows)]


class _OtherVersion(Exception):
    """The file is a catalogue of another version of this program."""


def _memory() -> Engine:
    return create_engine("sqlite://", poolclass=StaticPool, connect_args={"check_same_thread": False})


def _file(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}")

    # No write-ahead log: to read past one writes its index, so that on a stalled disk not even a list would come.
    # What is deleted is overwritten: it was somebody's lesson. What VACUUM sorts, it sorts in memory.
    @event.listens_for(engine, "connect")
    def _connected(connection: object, record: object) -> None:
        cursor = connection.cursor()  # type: ignore[attr-defined]
        for pragma in (
            "journal_mode=TRUNCATE",
            f"busy_timeout={BUSY_MS}",
            "synchronous=FULL",
            "secure_delete=ON",
            "temp_store=MEMORY",
        ):
            cursor.execute(f"PRAGMA {pragma}")
        cursor.close()

    return engine


def _prepare(engine: Engine) -> Engine:
    """Make or check the schema. Raises one of _FAILURES, or _OtherVersion."""
    with engine.begin() as connection:
        version = connection.execute(text("PRAGMA user_version")).scalar_one()
        tables = connection.execute(text("SELECT count(*) FROM sqlite_master")).scalar_one()
        if tables and version != VERSION:
            raise _OtherVersion(f"version {version}")
        Base.metadata.create_all(connection)
        connection.execute(text(f"PRAGMA user_version = {VERSION}"))
        # Not quick_check, which does not compare the index, by which rows are found, with the rows.
        if connection.execute(text("PRAGMA integrity_check(1)")).scalar_one() != "ok":
            raise _OtherVersion("damaged")
    with Session(engine) as session:
        if any(row.crc != crc_of(row) for row in session.scalars(select(Row))):
            raise _OtherVersion("garbled")
    return engine
