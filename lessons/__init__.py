"""The lessons service: recording, journal, recovery, catalogue, replay.

One process. Threads: main (commands), recorder (packets to disk), thumbnail (at times), health.
Imports `appliance` only; `ui` imports `lessons.client` only.
"""
