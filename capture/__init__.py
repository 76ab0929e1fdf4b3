"""The capture service: camera, microphone and encoders of one kit.

Threads: one that reads or draws pictures, one that reads or makes sound, a video encoder, an audio encoder, and the
main thread, which answers commands. Imports appliance only.
"""
