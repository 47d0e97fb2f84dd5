"""Words for numbers, sizes, ages and agents. static/js/relative-time.js says ages alike, in the viewer's zone."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from sessions_app.querysets import RUNNING

MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
AGENTS = {
    "aider": ("Aider", "A"),
    "claude-code": ("Claude Code", "C"),
    "codex": ("Codex", "X"),
    "gemini-cli": ("Gemini CLI", "G"),
    "opencode": ("OpenCode", "O"),
}


def count_text(number: int) -> str:
    """1318 as 1,318."""
    return f"{number:,}"


def counted_text(number: int, noun: str) -> str:
    """1 session, 1,318 sessions."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def size_text(size: int) -> str:
    """Bytes in decimal units with two or three digits that count: 96 B, 820 KB, 4.1 MB, 2.91 GB."""
    if size < 1000:
        return f"{size} B"
    for unit, scale, places in (("KB", 10**3, 0), ("MB", 10**6, 1), ("GB", 10**9, 2), ("TB", 10**12, 2)):
        value = size / scale
        if value < 999.5 or unit == "TB":
            return f"{value:.{places if value < 10 else max(0, places - 1)}f} {unit}"
    raise AssertionError("the last unit has no upper bound")


def age_text(then: datetime, now: datetime) -> str:
    """How long ago: now, 2 min, 3 h, yesterday, Mon, 12 Nov, 12 Nov 2024; what lies ahead counts as now."""
    seconds = (now - then).total_seconds()
    if seconds < 60:
        return "now"
    if seconds < 3600:
        return f"{int(seconds // 60)} min"
    days = (now.date() - then.astimezone(now.tzinfo).date()).days
    if days == 0 or seconds < 6 * 3600:
        return f"{int(seconds // 3600)} h"
    if days == 1:
        return "yesterday"
    if days < 7:
        return DAYS[then.weekday()]
    return day_text(then) if then.year == now.year else f"{day_text(then)} {then.year}"


def day_text(day: datetime) -> str:
    return f"{day.day} {MONTHS[day.month - 1]}"


def moment_text(moment: datetime) -> str:
    """22 Nov 2026, 18:03 UTC: the title beside an age, put into the viewer's zone by the page."""
    moment = moment.astimezone(UTC)
    return f"{day_text(moment)} {moment.year}, {moment:%H:%M} UTC"


def duration_text(seconds: float) -> str:
    """8 s, 2 min, 3 h: the largest unit only."""
    if seconds < 60:
        return f"{max(1, round(seconds))} s"
    if seconds < 3600:
        return f"{round(seconds / 60)} min"
    return f"{round(seconds / 3600)} h"


IDLE = timedelta(minutes=30)  # since the last write


def status(last_write: datetime, now: datetime) -> str:
    """What an agent's silence says of it: running, idle or ended."""
    silence = now - last_write
    return "running" if silence < RUNNING else "idle" if silence < IDLE else "ended"


DEEDS = {  # what was done to sessions; the tag, project or title stands for the mark
    "trash": "moved to the trash",
    "archive": "archived",
    "unarchive": "taken out of the archive",
    "purge": "removed for good",
    "restore": "restored",
    "pin": "pinned",
    "unpin": "unpinned",
    "tag": "tagged “{}”",
    "untag": "no longer tagged “{}”",
    "move": "moved to “{}”",
    "attach": "put elsewhere in a lineage",
    "pack": "packed",
    "rename": "renamed “{}”",
    "fork": "forked",
    "rewrite": "rewritten, of which what was dropped is kept",
}


def deed_text(action: str, count: int, value: str = "") -> str:
    """3 sessions tagged “flaky”."""
    return f"{counted_text(count, 'session')} {DEEDS[action].replace('{}', value)}"


def packed_text(before: int, saved: int) -> str:
    """16 MB as 4.2 MB, 3.8 times smaller."""
    after = max(before - saved, 1)
    return f"{size_text(before)} as {size_text(before - saved)}, {before / after:.1f} times smaller"


def saving_text(saved: int, measured: int | None) -> str:
    """saves 12 MB; or how that is known where it is not measured."""
    if measured is None:
        return f"saves {size_text(saved)}"
    return f"saves about {size_text(saved)}, estimated by packing {size_text(measured)} of it"


RESUMING = {"claude-code": "claude --resume", "codex": "codex resume"}


def resume_command(agent: str, external_id: str, project: str) -> str:
    """What goes on with a session in a shell, in the folder that its project names; "" for agents that have no such."""
    if agent not in RESUMING:
        return ""
    command = f"{RESUMING[agent]} {shlex.quote(external_id)}"
    return f"cd {shlex.quote(project)} && {command}" if project.startswith("/") else command


def days_left(since: datetime, days: int, now: datetime) -> int:
    """Whole days, begun ones counted, until `days` have passed; 0 when they have."""
    return max(0, -((now - since - timedelta(days=days)) // timedelta(days=1)))


def agent_name(agent: str) -> str:
    return AGENTS[agent][0] if agent in AGENTS else agent


def agent_letter(agent: str) -> str:
    return AGENTS[agent][1] if agent in AGENTS else agent[:1].upper()


def distinct_names(projects: Iterable[str]) -> dict[str, str]:
    """A short name for each project; those that would be called alike keep the part before it, `code/forklore`."""
    projects = list(projects)
    often = Counter(short_name(project) for project in projects)
    return {
        project: short_name(project) if often[short_name(project)] == 1 else _last_two(project) for project in projects
    }


def _last_two(project: str) -> str:
    return "/".join(project.rstrip("/\\").replace("\\", "/").split("/")[-2:])


def short_name(project: str) -> str:
    """The last part of a project that is a path, as it is said; other names whole."""
    last = project.rstrip("/\\").replace("\\", "/").rpartition("/")[2]
    is_path = project.startswith(("/", "~")) or project[1:3] == ":\\"
    return last if is_path and last else project
