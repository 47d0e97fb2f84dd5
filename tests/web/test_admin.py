"""Django's admin looks at projects and sessions; only the store writes."""

import pytest
from django.apps import apps
from django.contrib import admin as django_admin
from django.contrib.auth.models import Group, User

from sessions_app import cleanup, store_check
from sessions_app.access.models import AuditEntry
from sessions_app.admin import Audited, ReadOnlyAdmin
from sessions_app.models import JournalEntry, Project, Session, Tag
from tests.builders import a_session
from tests.web.reading import page


@pytest.fixture
def admin(visitor, either_database):
    user = User.objects.db_manager(either_database).create_superuser("ann", password="x")
    visitor.force_login(user)
    return visitor


@pytest.fixture
def session(the_store):
    made = a_session(the_store, "the session", "answer", project="shop")
    the_store.fork_at(made.id, 1)
    return made


def listed(answer):
    return [row.text for row in page(answer).one("table", id="result_list").one("tbody").all("tr")]


class Sessions:
    def test_are_listed_with_what_matters_and_a_link_to_their_page(self, admin, session):
        answer = admin.get("/admin/forklore/session/")

        assert len(listed(answer)) == 2
        assert page(answer).all("a", href=f"/sessions/{session.id}/")

    @pytest.mark.parametrize(("place", "count"), [("live", 1), ("trash", 1), ("", 2)])
    def test_are_filtered_by_place(self, admin, the_store, session, place, count):
        the_store.delete(session.id)
        assert len(listed(admin.get("/admin/forklore/session/", {"place": place} if place else {}))) == count

    @pytest.mark.parametrize("query", ["the sess", "SHOP", "id", "id8"])
    def test_are_found_by_title_project_and_id(self, admin, the_store, session, query):
        the_store.rename(the_store.search("answer", 1)[0].id, "the session")
        wanted = {"id": str(session.id), "id8": session.id.hex[:8]}.get(query, query)
        found = listed(admin.get("/admin/forklore/session/", {"q": wanted}))
        assert found
        assert all("the session" in row for row in found)

    def test_cannot_be_written_past_the_store(self, admin, the_store, session):
        address = f"/admin/forklore/session/{session.id}/"

        assert not page(admin.get(f"{address}change/")).all("input", name="_save")
        assert admin.post(f"{address}change/", {"title": "x"}).status_code == 403
        assert admin.post(f"{address}delete/", {"post": "yes"}).status_code == 403
        assert admin.get("/admin/forklore/session/add/").status_code == 403
        assert the_store.get(session.id).title == "the session"


class Deeds:
    """Actions on the sessions of a list, which go through clean-up."""

    def do(self, admin, action, *ids, value=""):
        form = {"action": action, "_selected_action": [str(id) for id in ids], "value": value}
        return admin.post("/admin/forklore/session/", form, follow=True)

    @pytest.mark.parametrize(
        ("action", "value", "words"),
        [
            ("trash", "", "1 session moved to the trash"),
            ("archive", "", "1 session archived"),
            ("tag", "flaky", "1 session tagged “flaky”"),
            ("move", "elsewhere", "1 session moved to “elsewhere”"),
        ],
    )
    def test_are_one_entry_of_the_journal_that_is_taken_back(self, admin, the_store, session, action, value, words):
        before = fields()
        answer = self.do(admin, action, session.id, value=value)
        assert words in page(answer).one("ul", class_="messagelist").text
        assert fields() != before

        entry = JournalEntry.objects.latest("pk")
        assert entry.action == action
        form = {"action": "take_back", "_selected_action": [entry.pk]}
        answer = admin.post("/admin/forklore/journalentry/", form, follow=True)
        assert f"Took back: {words}" in page(answer).one("ul", class_="messagelist").text
        assert fields() == before
        assert list(store_check.problems()) == []

    def test_bring_back_from_the_trash_and_the_archive(self, admin, the_store, session):
        before = fields()
        for there, back in (("trash", "restore"), ("archive", "unarchive"), ("tag", "untag")):
            self.do(admin, there, session.id, value="x")
            self.do(admin, back, session.id, value="x")
        assert fields() == before

    def test_say_what_is_wrong(self, admin, session):
        before = JournalEntry.objects.count()
        answer = self.do(admin, "tag", session.id, value="two words")
        assert "A tag has 1 to 50 characters" in page(answer).one("ul", class_="messagelist").text
        assert JournalEntry.objects.count() == before

    def test_are_all_that_is_offered(self, admin, session):
        found = page(admin.get("/admin/forklore/session/")).one("select", name="action")
        offered = {option["value"] for option in found.all("option")} - {""}
        assert offered == {"trash", "restore", "archive", "unarchive", "tag", "untag", "move"}


def fields():
    tags = sorted(Tag.objects.values_list("session", "name"), key=str)
    return sorted(Session.objects.values_list(), key=str), tags


class Finding:
    @pytest.mark.parametrize(
        ("query", "titles"),
        [
            ("answer", {"the session"}),
            ("is:fork", {"the fork"}),
            ("tag:keep", {"the fork"}),
            ("project:shop -is:fork", {"the session"}),
            ("is:fork session", {"the fork"}),
            ("before:2001-01-01", set()),
            ("is:nothing fork", {"the fork"}),
        ],
    )
    def test_goes_by_the_words_of_search(self, admin, the_store, session, query, titles):
        (fork,) = Session.objects.filter(parent=session.id)
        the_store.rename(fork.pk, "the fork")
        the_store.tag(fork.pk, "keep")
        answer = admin.get("/admin/forklore/session/", {"q": query})
        rows = listed(answer) if page(answer).all("table", id="result_list") else []
        assert len(rows) == len(titles)
        assert all(title in row for title, row in zip(sorted(titles), rows, strict=True))

    @pytest.mark.parametrize(("label", "count"), [("pinned", 1), ("archived", 0), ("none", 1), ("", 2)])
    def test_is_narrowed_by_labels(self, admin, the_store, session, label, count):
        the_store.pin(session.id)
        answer = admin.get("/admin/forklore/session/", {"label": label} if label else {})
        assert (len(listed(answer)) if count else 0) == count


class NoInvariant:
    """Every model that is registered, attacked by every form that Django's admin has."""

    def tables(self):
        return {
            model: [str(row) for row in model._default_manager.order_by("pk").values_list()]
            for model in apps.get_app_config("forklore").get_models()
            if not issubclass(model, JournalEntry)
        }

    def test_is_broken_by_a_form(self, admin, the_store, session):
        cleanup.act("pin", [session.id])
        cleanup.save_policy("old", "before:90d", "trash")
        before = self.tables()
        ours = [model for model in django_admin.site._registry if model._meta.app_label.startswith("forklore")]
        assert {Session, Project, JournalEntry} <= set(ours)
        raw = {"parent": str(session.id), "title": "x", "message_count": 99, "version": 9, "strand": 1, "name": "x"}
        raw |= {"project": 1, "trashed_at_0": "2026-01-01", "trashed_at_1": "00:00", "query": "", "state": "undone"}
        for model in ours:
            address = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
            keys = [str(key) for key in model._default_manager.values_list("pk", flat=True)]
            assert admin.get(f"{address}add/").status_code == 403
            assert admin.post(f"{address}add/", raw).status_code == 403
            for key in keys:
                assert admin.get(f"{address}{key}/change/").status_code == 200
                assert admin.post(f"{address}{key}/change/", raw).status_code == 403
                assert admin.post(f"{address}{key}/delete/", {"post": "yes"}).status_code == 403
            delete = {"action": "delete_selected", "post": "yes", "_selected_action": keys}
            admin.post(address, delete)
            edit = {"form-TOTAL_FORMS": 1, "form-INITIAL_FORMS": 1, "form-0-id": keys[0] if keys else "", "_save": "x"}
            admin.post(address, edit | {f"form-0-{name}": value for name, value in raw.items()})
        assert self.tables() == before
        assert list(store_check.problems()) == []

    def test_is_broken_by_who_may_only_look(self, visitor, either_database, session):
        user = User.objects.db_manager(either_database).create_user("eve", password="x", is_staff=True)
        visitor.force_login(user)
        form = {"action": "trash", "_selected_action": [str(session.id)]}
        before = JournalEntry.objects.count()
        assert visitor.post("/admin/forklore/session/", form).status_code == 302
        assert JournalEntry.objects.count() == before
        assert Session.objects.live().count() == 2


class Projects:
    def test_are_listed_with_their_figures(self, admin, session):
        (row,) = listed(admin.get("/admin/forklore/project/"))
        assert row.startswith("shop21")

    def test_link_to_their_page(self, admin, session):
        assert page(admin.get("/admin/forklore/project/")).all("a", href="/projects/shop/")


class People:
    """Whatever is done to them here, somebody stays an admin, and an address of e-mail is one person's."""

    def form(self, user, **changed):
        form = {
            "username": user.username,
            "email": user.email,
            "is_active": "on",
            "is_staff": "on",
            "is_superuser": "on",
        }
        form |= {"date_joined_0": "2026-01-01", "date_joined_1": "00:00:00", **changed}
        return {name: value for name, value in form.items() if value is not None}

    @pytest.mark.parametrize("taken", ["is_superuser", "is_active"])
    def test_keep_their_last_admin(self, admin, taken):
        ann = User.objects.get(username="ann")
        answer = admin.post(f"/admin/auth/user/{ann.pk}/change/", self.form(ann, **{taken: None}))
        assert "Nobody else is an admin" in answer.content.decode()
        User.objects.create_superuser("bob")
        assert admin.post(f"/admin/auth/user/{ann.pk}/change/", self.form(ann, **{taken: None})).status_code == 302

    def test_keep_their_last_admin_where_some_are_deleted(self, admin):
        ann, eve = User.objects.get(username="ann"), User.objects.create_user("eve")
        answer = admin.post(f"/admin/auth/user/{ann.pk}/delete/", {"post": "yes"})
        assert "Nobody else is an admin" in answer.content.decode()
        both = {"action": "delete_selected", "post": "yes", "_selected_action": [ann.pk, eve.pk]}
        assert "Nobody else is an admin" in admin.post("/admin/auth/user/", both).content.decode()
        assert User.objects.count() == 2
        assert admin.post("/admin/auth/user/", both | {"_selected_action": [eve.pk]}).status_code == 302
        assert User.objects.get().pk == ann.pk

    @pytest.mark.parametrize("address", ["Bob@example.org", "bób@example.org"])
    def test_have_an_address_that_nobody_else_has(self, admin, address):
        User.objects.create_user("bob", "bob@example.org")
        ann = User.objects.get(username="ann")
        answer = admin.post(f"/admin/auth/user/{ann.pk}/change/", self.form(ann, email=address))
        assert answer.status_code == 200
        assert page(answer).all("ul", class_="errorlist")
        own = self.form(ann, email="ann@example.org")
        assert admin.post(f"/admin/auth/user/{ann.pk}/change/", own).status_code == 302


class TheAuditLog:
    def noted(self):
        entries = AuditEntry.objects.filter(verb__endswith="Django's admin").order_by("pk")
        return [(each.verb.split()[0], each.kind, each.object_id) for each in entries]

    def test_has_what_is_done_to_people_and_not_what_they_are_called(self, admin):
        password = "a horse of another colour"
        form = {"username": "eve", "password1": password, "password2": password, "usable_password": "true"}
        assert admin.post("/admin/auth/user/add/", form).status_code == 302
        eve = User.objects.get(username="eve")
        form = {"username": "eva", "date_joined_0": "2026-01-01", "date_joined_1": "00:00:00"}
        assert admin.post(f"/admin/auth/user/{eve.pk}/change/", form).status_code == 302
        assert admin.post(f"/admin/auth/user/{eve.pk}/delete/", {"post": "yes"}).status_code == 302

        assert self.noted() == [(verb, "user", str(eve.pk)) for verb in ("added", "changed", "deleted")]
        assert not [each for each in AuditEntry.objects.values() if "eve" in str(each) or "eva" in str(each)]

    def test_has_each_of_several_that_are_deleted_at_once(self, admin):
        groups = [Group.objects.create(name=name) for name in ("one", "two")]
        form = {"action": "delete_selected", "post": "yes", "_selected_action": [group.pk for group in groups]}
        assert admin.post("/admin/auth/group/", form).status_code == 302
        assert sorted(self.noted()) == [("deleted", "group", str(group.pk)) for group in groups]

    def test_knows_of_all_that_can_be_changed_there(self):
        registered = django_admin.site._registry.values()
        assert [each for each in registered if not isinstance(each, Audited | ReadOnlyAdmin)] == []
