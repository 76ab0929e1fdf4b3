"""Carries TCP connections to another address, as a school's proxy does: ``python -m tests.tcp_relay HOST PORT TO_HOST
TO_PORT [BYTES_PER_S]``, each connection at that rate at most. Says ``ready``; ends with its standard input."""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress

BLOCK = 65536
SLOW_BLOCK = 4096
BUFFERED = 16 * 1024  # of a slow line: little waits on the way


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, bytes_per_s: int) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(SLOW_BLOCK if bytes_per_s else BLOCK):
            writer.write(data)
            await writer.drain()
            if bytes_per_s:
                await asyncio.sleep(len(data) / bytes_per_s)
    writer.close()


async def main(host: str, port: str, to_host: str, to_port: str, bytes_per_s: str = "0") -> None:
    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there_reader, there_writer = await asyncio.open_connection(to_host, int(to_port), limit=BUFFERED)
        rate = int(bytes_per_s)
        if rate:
            there_writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, BUFFERED)
        await asyncio.gather(pump(reader, there_writer, 0), pump(there_reader, writer, rate))

    async with await asyncio.start_server(carry, host, int(port)):
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await asyncio.to_thread(sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
