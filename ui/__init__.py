"""The web service: pages, HTTP API, WHEP signalling and Socket.IO, in one gunicorn worker with threads.

Threads: gunicorn's (one request or one WebSocket each), `state` (reads the bus) and `health`. Reaches the other
services only through `lessons.client`, `streaming.client` and events on the bus.
"""
