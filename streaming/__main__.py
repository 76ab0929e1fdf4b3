"""``python -m streaming``: the streaming service."""

from __future__ import annotations

import asyncio
import gc
import logging
import resource

from appliance import service
from streaming.server import Server

WANTED_FILES = 8192  # two descriptors a viewer and address, and the shell's usual limit is 1024


def main() -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_FILES if hard == resource.RLIM_INFINITY else min(WANTED_FILES, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    streaming = service.begin("streaming")
    for talkative in ("aioice", "aiortc"):
        logging.getLogger(talkative).setLevel(logging.WARNING)
    gc.freeze()  # what is imported stays: the collector need not look at it again while viewers wait
    asyncio.run(Server(streaming).serve(streaming.start))
    streaming.join()


if __name__ == "__main__":
    main()
