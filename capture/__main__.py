"""Starts the capture service: ``python -m capture``; ``--check`` only says whether the sources can be used."""

from __future__ import annotations

import sys
import time

from appliance.bus import CommandRefused, CommandServer
from appliance.lifetime import EXIT_CONFIGURATION
from appliance.messages import Command, Done, GetHistory, GetStill, History, Reply, RequestKeyframe, WantRung
from appliance.service import Service, begin
from appliance.settings import load
from capture import sources
from capture.film import FilmError
from capture.pipeline import Pipeline
from capture.rungs import ladder

STATE_INTERVAL_S = 0.2


def main() -> None:
    """Run until SIGTERM. Exits with EX_CONFIG and a clear message when a source cannot be used."""
    if "--check" in sys.argv[1:]:
        check()
        return
    service = begin("capture")
    check()
    settings = service.settings
    rungs = ladder(settings.video_bitrate, settings.video_bitrate_saving)
    pipeline = Pipeline(service.publisher, service.registry, rungs)
    camera, microphone = sources.build(settings, pipeline.on_frame, pipeline.on_sound)
    commands = CommandServer(settings.bus, "capture", lambda command: answer(pipeline, command))
    service.start()
    service.spawn("video encoder", pipeline.encode_video, service.stopping)
    service.spawn("audio encoder", pipeline.encode_audio, service.stopping)
    service.spawn("camera", camera.run, service.stopping)
    service.spawn("microphone", microphone.run, service.stopping)
    service.spawn("state", report, service, pipeline, camera.name, microphone.name)
    commands.serve(service.stopping)
    service.join()


def check() -> None:
    try:
        sources.check(load())
    except FilmError as error:
        sys.stderr.write(f"{error}\n")
        raise SystemExit(EXIT_CONFIGURATION) from None


def answer(pipeline: Pipeline, command: Command) -> Reply:
    """Carry out one command."""
    match command:
        case RequestKeyframe(track=track, urgent=urgent) if track in pipeline.video:
            pipeline.video[track].keyframes.request(urgent=urgent)
            return Done()
        case WantRung(track=track) if track in pipeline.video:
            pipeline.wishes.want(track, time.monotonic_ns())
            return Done()
        case GetStill():
            still = pipeline.stills.take()
            if still is None:
                raise CommandRefused("unavailable", "there is no picture yet")
            return still
        case RequestKeyframe(track=track) | WantRung(track=track):
            raise CommandRefused("not_found", f"there is no track {track}")
        case GetHistory(tracks=tracks, since_ns=since_ns):
            return History(pipeline.history.since(tracks, since_ns))
        case _:
            raise CommandRefused("invalid", f"capture does not know {type(command).__name__}")


def report(service: Service, pipeline: Pipeline, camera: str, microphone: str) -> None:
    """Tell the others five times a second what is being captured."""
    while not service.stopping.wait(STATE_INTERVAL_S):
        service.publisher.send(pipeline.state(camera, microphone))


if __name__ == "__main__":
    main()
