"""Runs the policies of clean-up, tells beforehand what they would do, and takes back what was done."""

from __future__ import annotations

import sys
from datetime import timedelta
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandParser

from sessions_app import cleanup, schedule, store
from sessions_app.cleanup import Entry, Policy
from sessions_app.errors import InvalidPolicy, StoreError
from sessions_app.management.naming import one_session
from sessions_app.models import Session
from sessions_app.web.formats import counted_text, deed_text, packed_text, saving_text, size_text


class Command(BaseCommand):
    help = (
        "Purge what was in the trash for its time and run the policies that are switched on, as the server does by "
        "itself where that is switched on; or run the policy that is named. What was cut off before is finished first. "
        "Nothing that is pinned, tagged keep, running, or that a fork descends from which stays, is touched."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("policy", nargs="?", metavar="POLICY", help="run this one, on or off")
        parser.add_argument("--dry-run", action="store_true", help="tell what would be done, and do nothing")
        parser.add_argument("--set", metavar="QUERY", help='save the policy: "before:90d is:archived -tag:keep"')
        parser.add_argument(
            "--action", choices=get_args(cleanup.PolicyAction), default="trash", help="of a policy that is saved"
        )
        parser.add_argument("--on", action="store_true", help="switch on the policy that is saved")
        parser.add_argument("--journal", action="store_true", help="list what was done")
        parser.add_argument("--undo", nargs="?", type=int, const=0, metavar="NUMBER", help="take back the last, or one")
        parser.add_argument("--do", choices=get_args(cleanup.Action), help="do this to sessions")
        parser.add_argument(
            "--session",
            action="append",
            default=[],
            metavar="ID",
            help="to this one, by the beginning of its id; may be repeated",
        )
        parser.add_argument("--matching", metavar="QUERY", help="to all live ones that fit these words")
        parser.add_argument("--with-forks", action="store_true", help="and to all that descends from them")
        parser.add_argument("--value", default="", help="the tag, or the project to move to")
        parser.add_argument("--schedule", choices=("on", "off"), help="let the server run all of clean-up by itself")
        parser.add_argument("--every", type=int, default=24, metavar="HOURS", help="with --schedule")
        parser.add_argument(
            "--trust-clock", action="store_true", help="clean up also where the clock may have been put forward"
        )
        parser.add_argument("--trash-days", type=int, default=30, metavar="DAYS", help="with --schedule; 0 for never")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            self._handle(options)
        except StoreError as error:
            self.stderr.write(str(error))
            sys.exit(1)

    def _handle(self, options: dict[str, Any]) -> None:
        name = options["policy"]
        if options["set"] is not None:
            saved = cleanup.save_policy(name or "", options["set"], options["action"], enabled=options["on"])
            self.stdout.write(f"Saved “{saved.name}”, which is {'on' if saved.enabled else 'off'}.")
        elif options["schedule"]:
            self._schedule(options["schedule"] == "on", options["every"], options["trash_days"] or None)
        elif options["do"]:
            self._do(options)
        elif options["journal"]:
            for entry in cleanup.entries():
                self.stdout.write(_told(entry))
        elif options["undo"] is not None:
            self.stdout.write(_told(cleanup.undo(options["undo"] or None)))
        elif name or options["dry_run"]:
            self._run(name, options["dry_run"], options["trust_clock"])
        else:
            self._check_clock(options["trust_clock"])
            self._run_all()

    def _check_clock(self, trusted: bool) -> None:
        if trusted:
            schedule.trust_clock()
        elif until := schedule.look_at_clock():
            raise InvalidPolicy(f"{schedule.doubt_text(until)}; if it is right, add --trust-clock.")

    def _schedule(self, enabled: bool, hours: int, days: int | None) -> None:
        found = schedule.set_schedule(enabled=enabled, every_hours=hours, trash_days=days)
        trash = f"the trash is purged after {found.trash_days} days" if found.trash_days else "the trash is kept"
        on = f"Clean-up runs every {found.every_hours} hours while the server runs, and {trash}."
        self.stdout.write(on if enabled else "Clean-up does not run by itself.")

    def _do(self, options: dict[str, Any]) -> None:
        kept = Session.objects.visible().exclude(relation="revision")
        ids = [one_session(each, kept) for each in options["session"]]
        if options["matching"]:
            ids += cleanup.matching(options["matching"])
        ids = cleanup.with_forks(ids) if options["with_forks"] else ids
        if options["dry_run"]:
            self.stdout.write(f"{counted_text(len(ids), 'session')} to {options['do']}")
        else:
            self.stdout.write(_told(cleanup.act(options["do"], ids, options["value"])))

    def _run(self, name: str | None, dry_run: bool, trusted: bool) -> None:
        chosen = [cleanup.policy(name)] if name else [policy for policy in cleanup.policies() if policy.enabled]
        if dry_run and (until := schedule.doubted_until(store.now())):
            self.stdout.write(f"{schedule.doubt_text(until)}, or with --trust-clock.")
        if not dry_run:
            if any(policy.action == "purge" for policy in chosen):
                self._check_clock(trusted)
            for entry in cleanup.resume():
                self.stdout.write(_told(entry))
        if not chosen:
            self.stdout.write("No policy is switched on.")
        if not name and (days := schedule.schedule().trash_days):
            old = len(cleanup.in_trash_for(timedelta(days=days)))
            self.stdout.write(f"trash: {counted_text(old, 'session')} to purge that were there for {days} days")
        for policy in chosen:
            self.stdout.write(_planned(policy) if dry_run else _told(cleanup.run(policy)))

    def _run_all(self) -> None:
        done = schedule.run_all()
        for entry in done:
            self.stdout.write(_told(entry))
        if not done:
            self.stdout.write("There was nothing to clean up.")


def _planned(policy: Policy) -> str:
    found = cleanup.preview(policy)
    line = f"{policy.name}: {counted_text(len(found.sessions), 'session')} to {policy.action}"
    if policy.action in ("trash", "purge"):
        line += f"; {size_text(found.freed_bytes)} come free once they are purged"
    elif policy.action == "pack" and found.sessions:
        line += f", which {saving_text(found.freed_bytes, found.measured_bytes)}"
    lines = [line, *(f"  kept: {count:,} {reason}" for reason, count in found.kept.items())]
    if found.last:
        lines.append(
            f"  the last run took {found.last.done:,}; {found.again:,} of these are here again,"
            f" {len(found.sessions) - found.again:,} are new"
        )
    return "\n".join(lines)


def _told(entry: Entry) -> str:
    freed = f", {size_text(entry.freed_bytes)} freed" if entry.action == "purge" else ""
    if entry.action == "pack" and entry.value:
        freed = f": {packed_text(int(entry.value), entry.freed_bytes)}"
    state = "" if entry.state == "done" else f" ({entry.state})"
    by = f" {entry.policy}:" if entry.policy else ""
    return f"{entry.number}{by} {deed_text(entry.action, entry.done, entry.value)}{freed}{state}"
