"""Counters of one worker, and the Prometheus text of all workers.

Our own few lines and not prometheus_client: its way to add up several worker processes wants an environment variable
before the first import and memory-mapped files for each kind of metric; what we need is sums. With several workers
each leaves a snapshot in a folder that they share, at most a second after it changed, and whichever answers a scrape
adds the others' to its own. Label values are our own words alone: hooks, rules, codes, statuses.
"""

from __future__ import annotations

import contextlib
import os
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

import orjson

from cds.engine.durable import EngineCounters

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BOUNDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)  # seconds
_SUM = "sum"
_Key = tuple[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Family:
    """One metric: what it counts and by which labels. A gauge is lost with its worker, a counter is not."""

    kind: Literal["counter", "gauge", "histogram"]
    help: str
    labels: tuple[str, ...]


FAMILIES: dict[str, Family] = {
    "psychmed_requests_total": Family(
        "counter", "Requests by endpoint, hook and HTTP status.", ("endpoint", "hook", "status")
    ),
    "psychmed_request_seconds": Family(
        "histogram", "Seconds from the head of a request to the end of its answer.", ("endpoint", "hook")
    ),
    "psychmed_cards_total": Family("counter", "Cards sent, by rule and indicator.", ("rule", "indicator")),
    "psychmed_not_evaluated_total": Family(
        "counter", "Calls in which a rule could not be evaluated, by rule.", ("rule",)
    ),
    "psychmed_engine_events_total": Family(
        "counter", "What happened to the rule engine: evaluations, disagreements, restarts ...", ("event",)
    ),
    "psychmed_engine_off": Family("gauge", "Workers whose durable-rules stays off, so that direct answers alone.", ()),
    "psychmed_feedback_total": Family(
        "counter", "Feedback on cards, by rule, outcome and override reason.", ("rule", "outcome", "reason")
    ),
    "psychmed_settings_reloads_total": Family("counter", "Reloads of the settings, by result.", ("result",)),
    "psychmed_workers": Family(
        "gauge", "Workers, by the version of the rules and the engine they use.", ("rules_version", "engine")
    ),
}
_EVENTS = ("evaluations", "disagreements", "late", "deaths", "restarts", "refused", "unchecked")


class Metrics:
    """What one worker has counted since its start, across reloads of its settings.

    folder: where the workers of one service leave their snapshots; None for a single worker.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder
        self._counts: defaultdict[_Key, float] = defaultdict(float)
        self._engine: EngineCounters | None = None
        self._version: tuple[str, str] | None = None
        self.changed = False

    def count(self, name: str, *labels: str, by: float = 1) -> None:
        """Add to a counter. labels: values in the order of its family; never anything a client wrote."""
        self._counts[name, labels] += by
        self.changed = True

    def observe(self, name: str, seconds: float, *labels: str) -> None:
        """One duration of a histogram."""
        at = bisect_left(BOUNDS, seconds)
        self._counts[name, (*labels, str(BOUNDS[at]) if at < len(BOUNDS) else "+Inf")] += 1
        self._counts[name, (*labels, _SUM)] += seconds
        self.changed = True

    def watch(self, rules_version: str, engine_name: str, engine: object) -> None:
        """From now on this engine is the one in use; what the one before it counted stays in the sums."""
        self._counts.update(self._engine_counts())
        counters = getattr(engine, "counters", None)
        self._engine = counters if isinstance(counters, EngineCounters) else None
        self._version = (rules_version, engine_name)
        self.changed = True

    def _engine_counts(self) -> dict[_Key, float]:
        found = asdict(self._engine) if self._engine is not None else {}
        keys = (("psychmed_engine_events_total", (event,)) for event in _EVENTS)
        return {key: self._counts.get(key, 0) + found.get(key[1][0], 0) for key in keys}

    def snapshot(self) -> dict[_Key, float]:
        """Everything this worker knows."""
        gauges: dict[_Key, float] = {}
        if self._version is not None:
            gauges["psychmed_workers", self._version] = 1
            gauges["psychmed_engine_off", ()] = self._engine.disabled if self._engine is not None else 0
        return {**self._counts, **self._engine_counts(), **gauges}

    def save(self) -> None:
        """Leave the snapshot for the other workers; a folder that cannot be written costs only the sums."""
        self.changed = False
        if self.folder is None:
            return
        rows = [[name, labels, value] for (name, labels), value in self.snapshot().items()]
        target = self.folder / f"{os.getpid()}.json"
        with contextlib.suppress(OSError):
            written = target.with_suffix(".new")
            written.write_bytes(orjson.dumps(rows))
            written.replace(target)

    def text(self) -> str:
        """The Prometheus text of this worker and of what the others left."""
        total: defaultdict[_Key, float] = defaultdict(float, self.snapshot())
        for key, value in self._of_others():
            total[key] += value
        return text_of(total)

    def _of_others(self) -> Iterator[tuple[_Key, float]]:
        if self.folder is None:
            return
        for path in sorted(self.folder.glob("*.json")):
            pid = int(path.stem)
            if pid == os.getpid():
                continue
            alive = _is_alive(pid)
            with contextlib.suppress(OSError, orjson.JSONDecodeError):
                for name, labels, value in orjson.loads(path.read_bytes()):
                    if alive or FAMILIES[name].kind != "gauge":
                        yield (name, tuple(labels)), value


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        pass
    return True


def text_of(counts: Mapping[_Key, float]) -> str:
    """Counts in Prometheus' text format, families in the order of the table, series by label."""
    lines: list[str] = []
    for name, family in FAMILIES.items():
        lines += [f"# HELP {name} {family.help}", f"# TYPE {name} {family.kind}"]
        series = {labels: value for (n, labels), value in sorted(counts.items()) if n == name}
        if family.kind == "histogram":
            lines += _histogram(name, family, series)
        else:
            lines += [f"{name}{_labels(family.labels, labels)} {_number(value)}" for labels, value in series.items()]
    return "\n".join(lines) + "\n"


def _histogram(name: str, family: Family, series: Mapping[tuple[str, ...], float]) -> Iterator[str]:
    for labels in dict.fromkeys(labels[:-1] for labels in series):
        running = 0.0
        for bound in (*map(str, BOUNDS), "+Inf"):
            running += series.get((*labels, bound), 0)
            yield f"{name}_bucket{_labels((*family.labels, 'le'), (*labels, bound))} {_number(running)}"
        yield f"{name}_sum{_labels(family.labels, labels)} {series.get((*labels, _SUM), 0):.6f}"
        yield f"{name}_count{_labels(family.labels, labels)} {_number(running)}"


def _labels(names: tuple[str, ...], values: tuple[str, ...]) -> str:
    # An empty value is the same as no label.
    shown = ",".join(f'{n}="{_escaped(v)}"' for n, v in zip(names, values, strict=True) if v)
    return f"{{{shown}}}" if shown else ""


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    return f"{value:.0f}" if value == int(value) else repr(value)
