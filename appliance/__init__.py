"""The ground floor that every service stands on: settings, bus, messages, durable files, supervision.

Imports no other package of the project.
"""
