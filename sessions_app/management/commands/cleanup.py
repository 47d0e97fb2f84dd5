"""Runs the policies of clean-up, tells beforehand what they would do, and takes back what was done."""

from __future__ import annotations

import sys
from typing import Any, get_args

from django.core.management.base import BaseCommand, CommandParser

from sessions_app import cleanup
from sessions_app.cleanup import Entry, Policy
from sessions_app.errors import StoreError
from sessions_app.web.formats import deed_text, packed_text, size_text


class Command(BaseCommand):
    help = (
        "Run the policies that are switched on, or the one that is named. What was cut off before is finished first. "
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
        elif options["journal"]:
            for entry in cleanup.entries():
                self.stdout.write(_told(entry))
        elif options["undo"] is not None:
            self.stdout.write(_told(cleanup.undo(options["undo"] or None)))
        else:
            self._run(name, options["dry_run"])

    def _run(self, name: str | None, dry_run: bool) -> None:
        chosen = [cleanup.policy(name)] if name else [policy for policy in cleanup.policies() if policy.enabled]
        if not dry_run:
            for entry in cleanup.resume():
                self.stdout.write(_told(entry))
        if not chosen:
            self.stdout.write("No policy is switched on.")
        for policy in chosen:
            self.stdout.write(_planned(policy) if dry_run else _told(cleanup.run(policy)))


def _planned(policy: Policy) -> str:
    found = cleanup.preview(policy)
    line = f"{policy.name}: {len(found.sessions):,} sessions to {policy.action}"
    if policy.action in ("trash", "purge"):
        line += f"; {size_text(found.freed_bytes)} come free once they are purged"
    return "\n".join([line, *(f"  kept: {count:,} {reason}" for reason, count in found.kept.items())])


def _told(entry: Entry) -> str:
    freed = f", {size_text(entry.freed_bytes)} freed" if entry.action == "purge" else ""
    if entry.action == "pack" and entry.value:
        freed = f": {packed_text(int(entry.value), entry.freed_bytes)}"
    state = "" if entry.state == "done" else f" ({entry.state})"
    by = f" {entry.policy}:" if entry.policy else ""
    return f"{entry.number}{by} {deed_text(entry.action, entry.done, entry.value)}{freed}{state}"
