"""``python -m streaming [NUMBER]``: the streaming service, or one of the processes that share its viewers."""

from __future__ import annotations

import argparse
import asyncio
import gc
import logging
import resource
import sys

from appliance import process_names, service
from appliance.lifetime import EXIT_CONFIGURATION
from streaming.server import Server

WANTED_FILES = 8192  # two descriptors a viewer and address, and the shell's usual limit is 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m streaming")
    parser.add_argument("number", type=int, nargs="?", default=1, help="from 1 to the setting streaming_processes")
    number: int = parser.parse_args().number
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    streaming = service.begin(process_names.streaming(number))
    if not 1 <= number <= streaming.settings.streaming_processes:
        sys.stderr.write(f"streaming: there is no process {number} (streaming_processes)\n")
        raise SystemExit(EXIT_CONFIGURATION)
    for talkative in ("aioice", "aiortc"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    gc.freeze()  # what is imported stays: the collector need not look at it again while viewers wait
    asyncio.run(Server(streaming).serve(streaming.start))
    streaming.join()


if __name__ == "__main__":
    main()
