"""What the store tells and does for whom: through both doors, on both databases."""

from types import SimpleNamespace
from uuid import uuid4

import pytest
from django.contrib.auth.models import User

from sessions_app.access import roles
from sessions_app.access.models import AuditEntry
from sessions_app.actors import NOBODY, Actor, Role, acting, the_owner
from sessions_app.errors import NameTaken, NotAllowed, SessionNotFound
from sessions_app.models import Project, Session
from sessions_app.records import ImportBatch, ImportState, Origin
from sessions_app.web import projects
from sessions_app.web.context import projects_in_sight
from tests.builders import a_message, a_session, texts

ORIGIN = Origin("codex", "there", "1")
BATCH = ImportBatch("ours", [a_message()], ImportState())


@pytest.fixture(params=["sync", "async"])
def door(request):
    """Over HTTP who asks is told by a token, not by the context; tests/web/test_matrix.py asks there."""
    return request.param


@pytest.fixture
def told(the_store):
    """Two projects: a session of ours, forked into theirs and from there into ours again; Anna views ours only."""
    ours = a_session(the_store, "apple", "pear", project="ours")
    theirs = the_store.fork_at(ours.id, 2, "theirs")
    the_store.append(theirs.id, [a_message("secret apple")])
    back = the_store.fork_at(theirs.id, 3, "ours")
    anna = User.objects.create(username="anna")
    keys = dict(Project.objects.values_list("name", "pk"))
    roles.grant(anna.pk, keys["ours"], Role.VIEWER)
    return SimpleNamespace(ours=ours.id, theirs=theirs.id, back=back.id, anna=anna.pk, keys=keys)


def user(told, **changes):
    return Actor("user", "anna", user_id=told.anna, **changes)


def become(told, role, project="ours"):
    roles.grant(told.anna, told.keys[project], role)


def ids(found):
    return {each.id for each in found}


class AViewer:
    @pytest.fixture(autouse=True)
    def anna(self, told):
        with acting(user(told)):
            yield

    def test_reads_what_is_hers(self, the_store, told):
        assert texts(the_store.get(told.ours)) == ["apple", "pear"]
        assert len(the_store.get_messages(told.back)) == 3

    def test_finds_nothing_of_others(self, the_store, told):
        assert the_store.get(told.theirs) is None
        assert the_store.list_by_project("theirs", 9) == []
        assert the_store.latest("theirs") is None
        assert the_store.find_by_id_prefix(told.theirs.hex, 9) == []
        assert ids(the_store.find_by_id_prefix("", 9)) == {told.ours, told.back}

    @pytest.mark.parametrize(
        "read",
        [
            lambda store, key: store.get_messages(key),
            lambda store, key: store.prompt_positions(key),
            lambda store, key: store.prompts(key),
            lambda store, key: store.tags(key),
            lambda store, key: store.find(key, "apple"),
        ],
    )
    def test_is_told_of_others_as_of_what_is_not_there(self, the_store, told, read):
        unknown = uuid4()
        words = []
        for id in (told.theirs, unknown):
            with pytest.raises(SessionNotFound) as error:
                read(the_store, id)
            words.append(str(error.value).replace(str(id), "…"))

        assert words[0] == words[1]

    def test_searches_hers_and_counts_only_them(self, the_store, told):
        everything = the_store.search("apple", 9, distinct="message")

        assert ids(the_store.search("apple", 9)) == {told.ours, told.back}
        assert {hit.shared_with for hit in everything} == {0, 1}  # in the fork too; not in the one between

    @pytest.mark.parametrize(
        ("filters", "found"),
        [
            ("project:theirs", ""),
            ("-project:theirs", "ours back"),
            ("is:root", "ours back"),
            ("is:fork", ""),
            ("has:forks", ""),
            ("under:{theirs}", ""),
            ("under:{ours}", "ours"),
            ("under:{back}", "back"),
        ],
    )
    def test_filters_as_if_others_were_not_there(self, the_store, told, filters, found):
        filters = filters.format(theirs=told.theirs.hex, ours=told.ours.hex, back=told.back.hex)

        hits = the_store.search("apple", 9, filters=filters)

        assert ids(hits) == {getattr(told, name) for name in found.split()}

    def test_sees_a_fork_of_others_as_a_root(self, the_store, told):
        for record in (the_store.get(told.back), the_store.find_by_id_prefix(told.back.hex, 1)[0]):
            assert (record.parent_id, record.relation, record.fork_point) == (None, None, None)

    @pytest.mark.parametrize(
        "write",
        [
            lambda store, key: store.update(key, [], 0),
            lambda store, key: store.append(key, []),
            lambda store, key: store.rename(key, "x"),
            lambda store, key: store.pin(key),
            lambda store, key: store.unpin(key),
            lambda store, key: store.archive(key),
            lambda store, key: store.unarchive(key),
            lambda store, key: store.tag(key, "x"),
            lambda store, key: store.untag(key, "x"),
            lambda store, key: store.delete(key),
            lambda store, key: store.fork_at(key, 1),
            lambda store, key: store.fork("ours", key, [], 0),
        ],
    )
    def test_writes_nowhere(self, the_store, told, write):
        with pytest.raises(NotAllowed):
            write(the_store, told.ours)
        with pytest.raises(SessionNotFound):
            write(the_store, told.theirs)
        assert not AuditEntry.objects.filter(kind="session").exists()

    def test_creates_no_project_and_learns_none(self, the_store, told):
        words = []
        for name in ("theirs", "nowhere", "ours"):
            with pytest.raises(NotAllowed) as error:
                the_store.create(name, [])
            words.append(str(error.value).replace(name, "…"))

        assert len(set(words)) == 1
        assert not Project.objects.filter(name="nowhere").exists()


class AWriter:
    def test_writes_but_does_not_purge(self, the_store, told):
        become(told, Role.WRITER)
        with acting(user(told)):
            the_store.rename(told.ours, "mine")
            the_store.append(told.ours, [a_message()])
            the_store.create("ours", [])
            the_store.delete(told.ours)
            with pytest.raises(NotAllowed, match="maintainer"):
                the_store.purge(told.ours)
            the_store.restore(told.ours)

        assert the_store.get(told.ours).title == "mine"

    def test_forks_what_she_may_read_into_where_she_may_write(self, the_store, told):
        become(told, Role.WRITER, "theirs")
        with acting(user(told)):
            fork = the_store.fork_at(told.ours, 1, "theirs")
            with pytest.raises(NotAllowed):
                the_store.fork_at(told.ours, 1)

        assert fork.parent_id == told.ours

    @pytest.mark.parametrize(
        "verb",
        [
            lambda store: store.import_state(ORIGIN),
            lambda store: store.import_batch(ORIGIN, BATCH, agent="codex"),
            lambda store: store.link_parent(ORIGIN, None),
            lambda store: store.archive_before_rewrite(ORIGIN),
            lambda store: store.tidy(1),
        ],
    )
    def test_imports_nothing(self, the_store, told, verb):
        become(told, Role.MAINTAINER)
        with acting(user(told)), pytest.raises(NotAllowed):
            verb(the_store)


class AMaintainer:
    def test_purges(self, the_store, told):
        become(told, Role.MAINTAINER)
        with acting(user(told)):
            the_store.delete(told.ours)
            the_store.purge(told.ours)
            with pytest.raises(SessionNotFound):
                the_store.purge(told.theirs)

        assert [entry.verb for entry in AuditEntry.objects.filter(kind="session").newest_first()] == [
            "purged",
            "deleted",
        ]
        assert the_store.get(told.theirs).parent_id is None


class SomebodyElse:
    @pytest.mark.parametrize("who", ["nobody", "another user", "blind token", "token of no project"])
    def test_sees_nothing(self, the_store, told, who):
        actor = {
            "nobody": NOBODY,
            "another user": Actor("user", "bob", user_id=0),
            "blind token": Actor("token", "t", frozenset({"write"}), unrestricted=True),
            "token of no project": Actor("token", "t", unrestricted=True, projects=frozenset()),
        }[who]
        with acting(actor):
            assert the_store.find_by_id_prefix("", 9) == []
            assert the_store.search("apple", 9) == []
            with pytest.raises(NotAllowed):
                the_store.create("ours", [])

    def test_of_a_token_sees_what_its_user_may_and_the_token_too(self, the_store, told):
        become(told, Role.VIEWER, "theirs")
        with acting(user(told, projects=frozenset({told.keys["theirs"]}))):
            assert ids(the_store.find_by_id_prefix("", 9)) == {told.theirs}
        with acting(Actor("token", "t", unrestricted=True, projects=frozenset({told.keys["theirs"]}))):
            assert ids(the_store.find_by_id_prefix("", 9)) == {told.theirs}

    def test_with_a_token_that_reads_writes_nothing(self, the_store, told):
        become(told, Role.MAINTAINER)
        with acting(user(told, scopes=frozenset({"read"}))), pytest.raises(NotAllowed):
            the_store.rename(told.ours, "x")
        with acting(Actor("token", "t", frozenset({"read"}), unrestricted=True)), pytest.raises(NotAllowed):
            the_store.rename(told.ours, "x")

    def test_who_is_over_all_sees_all(self, the_store, told):
        with acting(the_owner()):
            assert ids(the_store.find_by_id_prefix("", 9)) == {told.ours, told.theirs, told.back}
            assert the_store.get(told.back).parent_id == told.theirs


class Defaults:
    def test_of_a_project_hold_for_every_user(self, the_store, told):
        roles.set_default(Role.VIEWER, told.keys["theirs"])
        with acting(Actor("user", "bob", user_id=0)):
            assert ids(the_store.find_by_id_prefix("", 9)) == {told.theirs}

    def test_of_all_hold_where_a_project_has_none(self, the_store, told):
        roles.set_default(Role.WRITER)
        roles.set_default(Role.NONE, told.keys["theirs"])
        with acting(Actor("user", "bob", user_id=0)):
            assert ids(the_store.find_by_id_prefix("", 9)) == {told.ours, told.back}
            assert the_store.create("new", []).project == "new"
            with pytest.raises(NotAllowed):
                the_store.create("theirs", [])

    def test_do_not_lower_a_grant(self, the_store, told):
        roles.set_default(Role.NONE, told.keys["ours"])
        with acting(user(told)):
            assert the_store.get(told.ours)


class Querysets:
    """The pages' questions; the doors have no part in them."""

    pytestmark = pytest.mark.parametrize("door", ["sync"], indirect=True)

    def test_show_a_fork_of_others_as_a_root(self, the_store, told):
        (back,) = Session.objects.visible_to(user(told)).select_related("parent").filter(pk=told.back)

        assert (back.parent, back.parent_id, back.relation, back.fork_point) == (None, None, None, None)

    def test_count_what_is_in_sight(self, the_store, told):
        with acting(user(told)):
            assert {each.fork_count for each in Session.objects.visible().with_fork_count()} == {0}
            assert Session.objects.visible().live().forks_by_project() == {}
            assert Session.objects.roots_of([told.back, told.ours]) == {
                told.back: told.back,
                told.ours: told.ours,
            }
            assert [project.name for project in Project.objects.visible()] == ["ours"]
            assert not Project.objects.with_role(Role.WRITER).exists()
        assert Session.objects.roots_of([told.back]) == {told.back: told.ours}
        assert sum(Session.objects.live().forks_by_project().values()) == 2

    def test_list_the_projects_in_sight_with_no_fork_of_others(self, the_store, told):
        with acting(user(told)):
            (listed,) = projects.with_forks_in_sight(projects_in_sight())
            assert (listed.name, listed.session_count, listed.fork_count) == ("ours", 2, 0)
        counts = {each.name: each.fork_count for each in projects.with_forks_in_sight(projects_in_sight())}
        assert (counts["ours"], counts["theirs"]) == (1, 1)

    def test_show_nothing_to_nobody(self, the_store, told):
        assert not Session.objects.visible_to(None).exists()
        assert not Project.objects.visible_to(None).exists()

    def test_ask_the_same_as_ever_for_who_is_over_all(self, the_store, told):
        for rows in (Session.objects.all(), Project.objects.all()):
            assert str(rows.visible_to(the_owner()).query) == str(rows.query)

    def test_ask_nothing_more(self, the_store, told, django_assert_num_queries, either_database):
        with django_assert_num_queries(1, using=either_database):
            assert len(Session.objects.visible_to(user(told)).select_related("parent", "project")) == 2


class AName:
    def test_of_a_session_out_of_sight_is_not_taken_from_it(self, the_store, told):
        name = Origin("sdk", "k", "1")
        theirs, _ = the_store.open_named(name, "theirs", [a_message()])
        become(told, Role.WRITER)
        with acting(user(told)):
            assert the_store.find_named(name) is None
            with pytest.raises(NameTaken):
                the_store.open_named(name, "ours", [a_message()])
            with pytest.raises(NameTaken):
                the_store.fork_named(name, told.ours)
        assert the_store.find_named(name).id == theirs.id
