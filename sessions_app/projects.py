"""What a maintainer does to a project: give it another name, merge it into another one, leave it out of lists.

Agents name projects and make them by it, so no name is ever taken away: what once named a project stands for it, and who
goes on writing under it writes there (decision 0033). Each verb is an entry of the journal, which takes it back. They are
of the pages alone: an agent that has a role in a project is not to change what others call it.
"""

from __future__ import annotations

from dataclasses import dataclass

from sessions_app import cleanup, cleanup_rows, gate, grammar, journal, project_rows, quotas, session_rows, store
from sessions_app.access import audit, roles
from sessions_app.access.models import Grant, Token
from sessions_app.actors import Role
from sessions_app.cleanup import Entry
from sessions_app.errors import InvalidProject, ProjectNotFound
from sessions_app.models import CleanupPolicy, JournalEntry, Project
from sessions_app.project_rows import HIDE, MERGE, NAME, SHOW, ProjectRow
from sessions_app.search.filters import project_is
from sessions_app.session_rows import snapshot, writing
from sessions_app.titles import check_project


@dataclass(frozen=True, slots=True)
class Merging:
    """What a merge would do."""

    project: str
    into: str
    sessions: int
    trashed: int  # of these, in the trash
    policies: list[str]  # that run for the one project and not for the other; they are switched off
    people: int  # who have a role of their own in the one, and less in the other
    tokens: int  # that are for the one, and not for the other
    everybody: bool  # whether all have a role in the one by its default, and less in the other


def rename(name: str, to: str) -> int | None:
    """Call a project otherwise; gives the number of the journal's entry, None where it is called so already.

    Raises ProjectNotFound, NotAllowed for whoever is no maintainer, and InvalidProject for what is no name, or somebody
    else's.
    """
    check_project(to)
    with writing():
        spare = project_rows.holder(to)  # first, as who makes a session locks an earlier name before the project
        project = _maintained(name)
        if project.name == to:
            return None
        if spare:
            _check_spare(spare, project)
        project_rows.rename(project, to, store.now())
        return _noted(NAME, project.id, to, project.name)


def archive(name: str) -> int:
    """Leave a project out of the lists of projects; its sessions are found and listed as before.

    Raises ProjectNotFound, and NotAllowed for whoever is no maintainer.
    """
    with writing():
        project = _maintained(name)
        project_rows.archive(project.id, store.now())
        return _noted(HIDE, project.id, project.name)


def unarchive(name: str) -> int:
    """Raises what `archive` raises."""
    with writing():
        project = _maintained(name)
        project_rows.archive(project.id, None)
        return _noted(SHOW, project.id, project.name)


def merging(name: str, into: str) -> Merging:
    """What `merge` would do. Raises what it raises."""
    with snapshot():
        source, target = _both(find(name), _seen(into, InvalidProject))
        sessions, trashed = project_rows.count(source.pk)
        people, everybody = _people_without(source.pk, target.pk)
        tokens = Token.objects.filter(restricted=True, projects=source.pk).exclude(projects=target.pk).count()
        policies = _policies_of(source.pk, target.pk)
    return Merging(source.name, target.name, sessions, trashed, policies, people, tokens, everybody)


def merge(name: str, into: str) -> Entry:
    """Move all sessions of a project into another, trash included, and let its name stand for that one.

    In batches; what is cut off goes on by cleanup.resume or before the next merge. Roles and tokens stay those of each
    project. Raises ProjectNotFound, NotAllowed for whoever is not a maintainer of both, QuotaExceeded, and
    InvalidProject for a target that is not there or is the project itself.
    """
    while True:
        cleanup.end_merges()
        with writing():
            session_rows.one_lineage_change_at_a_time()
            if not journal.under_way(MERGE):
                entry = _begin(name, into)
                break
    return cleanup.finish(entry)


def find(name: str) -> Project:
    """The project of a name that is or was its own, so that a page may be a little old. Raises ProjectNotFound, also
    where the name is that of one that was merged: what is said of that is not meant for the other one."""
    found = _seen(name)
    row = Project.objects.filter(name=name).get()
    while row.stands_for:
        if project_rows.is_merged(row.pk):
            raise ProjectNotFound(name)
        row = row.stands_for
    return found


# Helpers, in the order in which they are called


def _maintained(name: str) -> ProjectRow:
    """The project, locked."""
    find(name)
    found = project_rows.named(name)
    if found is None:
        raise ProjectNotFound(name)
    gate.check_maintainer(found.id, found.name)
    return found


def _seen(name: str, error: type[ProjectNotFound] | type[InvalidProject] = ProjectNotFound) -> Project:
    """The project that the actor may see. Raises ProjectNotFound, or InvalidProject where it was chosen."""
    found = Project.objects.visible().named(name).first()
    if found is None and error is ProjectNotFound:
        raise ProjectNotFound(name)
    if found is None:
        raise InvalidProject(f"There is no project “{name}” to merge it into.")
    return found


def _check_spare(spare: ProjectRow, project: ProjectRow) -> None:
    """Whether a name that is there is one that the project had before. Raises InvalidProject and NotAllowed."""
    if spare.stands_for == project.id and not project_rows.is_merged(spare.id):
        return
    standing = session_rows.standing_project(spare.id)
    gate.check_role_in(standing, spare.name, Role.WRITER)  # in the words for a name that nobody here may use
    if spare.stands_for is None:
        raise InvalidProject(f"There is a project “{spare.name}” already; merge this one into it instead.")
    raise InvalidProject(f"“{spare.name}” stands for another project already, so that agents can go on using it.")


def _noted(action: str, project: int, value: str, name_before: str | None = None) -> int:
    entry = journal.begin_of_project(action, store.now(), project, value, name_before)
    journal.set_state(entry, JournalEntry.State.DONE)
    verbs = {NAME: "renamed", HIDE: "archived", SHOW: "unarchived"}
    audit.append(verbs[action], "project", project)
    return entry


def _both(source: Project, target: Project) -> tuple[Project, Project]:
    for each in (source, target):
        gate.check_maintainer(each.pk, each.name)
    if source == target:
        raise InvalidProject("That is the project itself.")
    return source, target


def _people_without(source: int, target: int) -> tuple[int, bool]:
    in_source, in_target = (_default(project) for project in (source, target))
    granted = dict(Grant.objects.filter(project=target).values_list("user", "role"))
    theirs = Grant.objects.filter(project=source, user__is_superuser=False).values_list("user", "role")
    fewer = sum(role > max(granted.get(user, Role.NONE), in_target) for user, role in theirs)
    return fewer, in_source > in_target


def _default(project: int) -> Role:
    own = roles.default(project)
    return own if own is not None else roles.default() or Role.NONE


def _policies_of(source: int, target: int) -> list[str]:
    """Those that are on, and would take what the other project holds from then on."""
    ours, theirs = project_rows.names(source), project_rows.names(target)
    found = []
    for policy in CleanupPolicy.objects.filter(enabled=True).order_by("name"):
        told = grammar.parse(policy.query, store.now()).conditions
        named = [each.value for each in told if each.name == "project" and not each.negated]
        if _any_is(ours, named) and not _any_is(theirs, named):
            found.append(policy.name)
    return found


def _any_is(names: list[str], wanted: list[str]) -> bool:
    return any(project_is(name, each) for name in names for each in wanted)


def _begin(name: str, into: str) -> int:
    source, target = _both(find(name), _seen(into, InvalidProject))
    quotas.check_merge(source.pk, target.pk, target.name)
    policies = _policies_of(source.pk, target.pk)
    cleanup_rows.switch_off(policies)
    for policy in policies:
        audit.append("switched off", "policy", policy)
    audit.append("merged", "project", f"{source.pk} into {target.pk}")
    return journal.begin_of_project(MERGE, store.now(), source.pk, target.name)
