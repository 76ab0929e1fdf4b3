"""The streaming service: one process, one asyncio loop, the only place of the project that imports aiortc.

It reads encoded packets from capture on the bus, cuts each into RTP payloads once, and sends them to every viewer.
It imports appliance and nothing else of the project. ``client`` is the part that ui may import.
"""
