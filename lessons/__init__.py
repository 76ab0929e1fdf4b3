"""The lessons service: recording, journal, recovery, catalogue, replay.

One process. Threads: main (commands), recorder (packets to disk), illustrator (starts lessons.illustrate,
a process of its own, at times), health.
Imports `appliance` only; `ui` imports `lessons.client` only.
"""
