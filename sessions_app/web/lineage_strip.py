"""The strip over a lineage: when its sessions were written, and the slider that goes back to a moment."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

from sessions_app.lineages import Lineage
from sessions_app.web.formats import day_text

STEPS = 200  # of the slider
LINES = 40  # sessions that have a line each; of more it is told how many began when
BINS = 60
HEIGHT, TOP = 44, 4  # pixels
TICKS = 5
DAY = 86_400  # seconds


@dataclass(frozen=True, slots=True)
class Bar:
    """In hundredths of the width, and in pixels."""

    x: str
    width: str
    y: int
    height: int
    color: int
    is_later: bool  # than the moment that is shown


@dataclass(frozen=True, slots=True)
class Strip:
    first: datetime
    last: datetime
    at: datetime | None
    bars: list[Bar]
    is_counted: bool  # whether the bars are counts of sessions, and not sessions

    @property
    def step(self) -> int:
        return STEPS if self.at is None else round(STEPS * self._part(self.at))

    @property
    def cursor(self) -> str:
        return f"{100 * self._part(self.at or self.last):.2f}"

    @property
    def ticks(self) -> list[tuple[str, str]]:
        """Where a day or an hour stands, and in which words."""
        span = self.last - self.first
        moments = [self.first + span * (number / TICKS) for number in range(TICKS)]
        is_long = span.total_seconds() > 2 * DAY
        return [(f"{100 * self._part(at):.2f}", day_text(at) if is_long else f"{at:%H:%M}") for at in moments]

    def moment_of(self, step: int) -> datetime | None:
        """None for now."""
        return None if step >= STEPS else self.first + (self.last - self.first) * (step / STEPS)

    def _part(self, moment: datetime) -> float:
        span = (self.last - self.first).total_seconds()
        return min(1.0, max(0.0, (moment - self.first).total_seconds() / span)) if span > 0 else 1.0


def strip_of(whole: Lineage, at: datetime | None) -> Strip:
    created = [node.created for node in whole.nodes.values()]  # the older ones first
    first = created[0] if created else 0.0
    last = max(created[-1], max(node.updated for node in whole.nodes.values())) if created else 0.0
    until = at.timestamp() if at else last
    is_counted = len(created) > LINES
    bars = _counts(created, first, last, until) if is_counted else _lines(whole, first, last, until)
    return Strip(_moment(first), _moment(last), at, bars, is_counted)


def _lines(whole: Lineage, first: float, last: float, until: float) -> list[Bar]:
    rows = [row for row in whole.layout(None, without_runs=True) if not row.run]
    apart = min(5.0, HEIGHT / max(len(rows), 1))
    bars = []
    for place, row in enumerate(rows):
        node = whole.nodes[row.id]
        x, end = _hundredths(node.created, first, last), _hundredths(max(node.updated, node.created), first, last)
        width = max(end - x, 0.4)
        x = min(x, 100 - width)
        bars.append(Bar(f"{x:.3g}", f"{width:.3g}", TOP + round(place * apart), 2, row.lane % 4, node.created > until))
    return bars


def _counts(created: list[float], first: float, last: float, until: float) -> list[Bar]:
    ends = [bisect_left(created, first + (last - first) * place / BINS) for place in range(1, BINS)]
    counts = [end - start for start, end in pairwise([0, *ends, len(created)])]
    most = max(counts)
    bars = []
    for place, count in enumerate(counts):
        if count:
            height = max(1, round(HEIGHT * count / most))
            is_later = place / BINS > _hundredths(until, first, last) / 100
            bars.append(
                Bar(f"{100 * place / BINS:.3g}", f"{80 / BINS:.3g}", TOP + HEIGHT - height, height, 0, is_later)
            )
    return bars


def _hundredths(moment: float, first: float, last: float) -> float:
    return 100 * (moment - first) / (last - first) if last > first else 0.0


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
