"""The command `preau`."""

from __future__ import annotations

import subprocess
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import click

from appliance import doctor as examiner
from appliance import kit
from appliance.api import ApiError, KitApi
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.settings import Settings, SettingsError, load


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--config", type=click.Path(path_type=Path), help="Settings file (TOML); default /etc/preau/preau.toml if there."
)
@click.pass_context
def main(context: click.Context, config: Path | None) -> None:
    """Préau: a classroom that pupils can join from anywhere, and replay."""
    context.obj = config


@main.command()
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML).")
@click.pass_obj
def run(above: Path | None, config: Path | None) -> None:
    """Start the kit and keep it running until Ctrl-C."""
    chosen = config or above
    sys.exit(kit.run(_settings(chosen), chosen))


@main.command()
@click.pass_obj
def doctor(config: Path | None) -> None:
    """Say what is right and what is wrong with this machine and kit. Exit status 1 when something is wrong."""
    findings = list(examiner.examine(_settings(config)))
    marks = {"ok": "  ok  ", "note": " note ", "wrong": "WRONG "}
    for finding in findings:
        click.echo(f"{marks[finding.level]} {finding.text}")
    sys.exit(any(finding.level == "wrong" for finding in findings))


@main.group()
def lesson() -> None:
    """Start, stop, find, describe, join and delete lessons of the running kit, or verify one."""


@lesson.command("start")
@click.argument("title", default="")
@click.option("--minutes", type=click.IntRange(1, 1440), help="Planned length; until then a power cut does not end it.")
@click.option("--subject", default="", help="What it is about.")
@click.option("--class", "group", default="", help="The class.")
@click.option("--teacher", default="", help="Whose lesson it is.")
@click.pass_obj
def start_lesson(
    config: Path | None, title: str, minutes: int | None, subject: str, group: str, teacher: str
) -> None:  # fmt: skip
    """Start a lesson."""
    about = {"title": title, "minutes": minutes, "subject": subject, "group": group, "teacher": teacher}
    started = _api(config, "POST", "/lessons", about)
    click.echo(f"{started['id']}  code {started['code']}")


@lesson.command("stop")
@click.argument("lesson_id", metavar="ID")
@click.pass_obj
def stop_lesson(config: Path | None, lesson_id: str) -> None:
    """Stop a live lesson."""
    _api(config, "POST", f"/lessons/{lesson_id}/stop")


@lesson.command("list")
@click.option("--search", "q", help="Only those with these words in title, subject, class or teacher.")
@click.option("--subject", help="Only this subject.")
@click.option("--class", "group", help="Only this class.")
@click.option("--teacher", help="Only this teacher.")
@click.option("--since", metavar="DAY", help="Only those of that day (2026-11-26) or later.")
@click.option("--until", metavar="DAY", help="Only those of that day or before.")
@click.option("--sort", type=click.Choice(["date", "title", "length"]), help="By what; date when left out.")
@click.pass_obj
def list_lessons(config: Path | None, /, **wanted: str | None) -> None:
    """List the lessons, newest first."""
    query = urlencode({name: text for name, text in wanted.items() if text})
    for entry in _api(config, "GET", f"/lessons?{query}")["lessons"]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["started_at"]))
        minutes, seconds = divmod(round(entry["duration_s"]), 60)
        about = "".join(f" · {entry[name]}" for name in ("subject", "group", "teacher") if entry[name])
        click.echo(f"{entry['id']}  {when}  {minutes:3d}:{seconds:02d}  {entry['state']:<11}  {entry['title']}{about}")


@lesson.command("edit")
@click.argument("lesson_id", metavar="ID")
@click.option("--title")
@click.option("--subject", help="What it is about; an empty word takes it away.")
@click.option("--class", "group", help="The class.")
@click.option("--teacher", help="Whose lesson it is.")
@click.option(
    "--visibility",
    type=click.Choice(["class", "teacher", "school"]),
    help="Who may see the recording: who joined with the code, the teacher only, all pupils.",
)
@click.pass_obj
def edit_lesson(config: Path | None, /, lesson_id: str, **said: str | None) -> None:
    """Say something else of a lesson; what is left out stays."""
    _api(config, "PATCH", f"/lessons/{lesson_id}", said)


@lesson.command("join")
@click.argument("lesson_id", metavar="ID")
@click.argument("following", metavar="NEXT")
@click.confirmation_option(prompt="Make one of the two for good?")
@click.pass_obj
def join_lessons(config: Path | None, lesson_id: str, following: str) -> None:
    """Let the recording of lesson NEXT follow that of ID, as one lesson ID."""
    _api(config, "POST", f"/lessons/{lesson_id}/join", {"next": following})


@lesson.command("delete")
@click.argument("lesson_id", metavar="ID")
@click.confirmation_option(prompt="Delete this lesson for good?")
@click.pass_obj
def delete_lesson(config: Path | None, lesson_id: str) -> None:
    """Delete a lesson for good."""
    _api(config, "DELETE", f"/lessons/{lesson_id}")


@lesson.command("keep")
@click.argument("lesson_id", metavar="ID")
@click.argument("day", metavar="DAY", type=click.DateTime(["%Y-%m-%d"]))
@click.pass_obj
def keep_lesson(config: Path | None, lesson_id: str, day: datetime) -> None:
    """Keep a lesson until the end of DAY (2027-06-30), on which it is to be deleted."""
    ends_at = (day + timedelta(days=1)).timestamp() - 1
    _api(config, "PUT", f"/lessons/{lesson_id}/end", {"ends_at": ends_at})


@lesson.command("verify")
@click.argument("lesson_id", metavar="ID")
@click.pass_obj
def verify_lesson(config: Path | None, lesson_id: str) -> None:
    """Read all of a lesson and check it against its journal, whether the kit runs or not.

    Exit status 1 when something is damaged or missing, 2 when there is no such lesson.
    """
    folder = _settings(config).lessons / Path(lesson_id).name
    sys.exit(subprocess.run([sys.executable, "-m", "lessons.verify", str(folder)], check=False).returncode)


@lesson.command("receipts")
@click.pass_obj
def list_receipts(config: Path | None) -> None:
    """List the receipts of deleted lessons, oldest first."""
    for entry in _api(config, "GET", "/receipts")["receipts"]:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(entry["wall"]))
        done = "erased" if entry["erased_at"] is not None else "being erased"
        waiting = [uplink["name"] for uplink in entry["uplinks"] if uplink["told_at"] is None]
        untold = f"  to be told: {', '.join(waiting)}" if waiting else ""
        why = f"{entry['why']} {entry['by']}".strip()
        click.echo(f"{entry['number']:5d}  {entry['id']}  {when}  {why}  {done}  {entry['sha256'] or '-'}{untold}")


@main.command()
@click.argument("lesson_id", metavar="ID")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--sound", "product", flag_value="lesson.m4a", help="Its sound alone (M4A).")
@click.option("--stills", "product", flag_value="stills.pdf", help="The pictures of its chapters (PDF).")
@click.option("--screen", "product", flag_value="screen.mp4", help="The screen that was shared in it (MP4).")
@click.pass_obj
def export(config: Path | None, lesson_id: str, file: Path, product: str | None) -> None:
    """Write a lesson to FILE as one MP4 with its chapters, or one of the other files that can be made of it."""
    partial = file.with_name(f".{file.name}.part")
    try:
        with partial.open("wb") as out:
            for chunk in KitApi(_settings(config)).download(f"/lessons/{lesson_id}/{product or 'lesson.mp4'}"):
                out.write(chunk)
        partial.rename(file)
    except (ApiError, OSError) as error:
        partial.unlink(missing_ok=True)
        raise click.ClickException(str(error)) from None


def _settings(config: Path | None) -> Settings:
    try:
        return load(config)
    except SettingsError as error:
        click.echo(f"preau: {error}", err=True)
        sys.exit(EXIT_CONFIGURATION)


def _api(config: Path | None, method: str, path: str, body: object = None) -> Any:
    try:
        answer = KitApi(_settings(config)).call(method, path, body)
    except ApiError as error:
        raise click.ClickException(str(error)) from None
    return answer or {}
