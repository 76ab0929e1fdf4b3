"""Counters as Prometheus text: those of one process, and those of all put together.

https://prometheus.io/docs/instrumenting/exposition_formats/: a family is described once, and its samples stand
together, each with labels of its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Metric, generate_latest
from prometheus_client.registry import Collector


class _Labelled(Collector):
    """The samples of another registry with further labels."""

    def __init__(self, registry: CollectorRegistry, labels: Mapping[str, str]) -> None:
        self._registry = registry
        self._more = labels

    def collect(self) -> Iterator[Metric]:
        for metric in self._registry.collect():
            labelled = Metric(metric.name, metric.documentation, metric.type, metric.unit)
            labelled.samples = [one._replace(labels={**one.labels, **self._more}) for one in metric.samples]
            yield labelled


def expose(registry: CollectorRegistry, labels: Mapping[str, str]) -> bytes:
    """The registry's counters, each sample with `labels` besides its own."""
    return generate_latest(_Labelled(registry, labels) if labels else registry)


def join(texts: Iterable[bytes]) -> bytes:
    """One exposition of several, families in the order of their first appearance."""
    families: dict[bytes, list[bytes]] = {}
    for text in texts:
        current, described = families.setdefault(b"", []), False
        for line in text.splitlines(keepends=True):
            if line.startswith(b"# HELP "):
                name = line.split(b" ", 3)[2]
                described = name in families
                current = families.setdefault(name, [])
            if not (described and line.startswith(b"# ")):
                current.append(line)
    return b"".join(line for family in families.values() for line in family)
