"""Roles and tokens as they are kept."""

import pytest
from django.contrib.auth.models import User

from sessions_app.access import roles, tokens
from sessions_app.access.errors import InvalidRole, InvalidToken, TokenNotFound
from sessions_app.access.models import AuditEntry, DefaultRole, Grant
from sessions_app.actors import Role
from sessions_app.models import Project


@pytest.fixture
def anna(the_store) -> User:
    return User.objects.create(username="anna")


@pytest.fixture
def project(the_store) -> Project:
    return Project.objects.create(name="demo")


class Granting:
    def test_replaces_the_role_that_was(self, anna, project):
        roles.grant(anna.pk, project.pk, Role.VIEWER)
        roles.grant(anna.pk, project.pk, Role.MAINTAINER)

        assert Grant.objects.get().role == Role.MAINTAINER

    def test_of_no_role_withdraws_it(self, anna, project):
        roles.grant(anna.pk, project.pk, Role.VIEWER)
        roles.grant(anna.pk, project.pk, Role.NONE)

        assert not Grant.objects.exists()

    def test_is_noted(self, anna, project):
        roles.grant(anna.pk, project.pk, Role.WRITER)
        roles.set_default(Role.VIEWER, project.pk)

        assert [entry.verb for entry in AuditEntry.objects.newest_first()] == ["set default viewer", "granted writer"]


class Defaults:
    def test_are_none_until_somebody_says_otherwise(self, project):
        assert roles.default() == Role.NONE
        assert roles.default(project.pk) is None

    def test_are_one_for_each_project_and_one_for_the_others(self, project):
        for role in (Role.VIEWER, Role.WRITER):
            roles.set_default(role)
        roles.set_default(Role.NONE, project.pk)

        assert (roles.default(), roles.default(project.pk)) == (Role.WRITER, Role.NONE)
        assert DefaultRole.objects.count() == 2

    def test_make_nobody_a_maintainer(self, the_store):
        with pytest.raises(InvalidRole):
            roles.set_default(Role.MAINTAINER)


class Tokens:
    def test_stand_for_their_user(self, anna):
        actor = tokens.find(tokens.create("ci", user_id=anna.pk))

        assert (actor.user_id, actor.unrestricted, actor.projects) == (anna.pk, False, None)

    def test_of_the_owner_stand_for_all(self, the_store):
        assert tokens.find(tokens.create("ci")).unrestricted

    def test_of_a_user_who_is_not_active_are_worthless(self, anna):
        token = tokens.create("ci", user_id=anna.pk)
        User.objects.update(is_active=False)

        assert tokens.find(token) is None

    def test_are_restricted_to_projects(self, anna, project):
        other = Project.objects.create(name="other")
        token = tokens.create("ci", user_id=anna.pk, projects=[project.pk, other.pk])

        assert tokens.find(token).projects == {project.pk, other.pk}

    def test_whose_projects_are_gone_see_none(self, anna, project):
        token = tokens.create("ci", projects=[project.pk])
        project.delete()

        assert tokens.find(token).projects == frozenset()
        assert not tokens.find(token).sees_all

    def test_are_found_in_one_question(self, anna, project, django_assert_num_queries, either_database):
        from sessions_app.databases import connection

        token = tokens.create("ci", user_id=anna.pk, projects=[project.pk])
        tokens.find(token)  # which notes its use, at most once a minute

        with django_assert_num_queries(1, connection=connection()):
            tokens.find(token)

    def test_share_no_name_with_another_of_their_user(self, anna):
        tokens.create("ci", user_id=anna.pk)
        tokens.create("ci")

        with pytest.raises(InvalidToken, match="already"):
            tokens.create("ci", user_id=anna.pk)
        with pytest.raises(InvalidToken, match="already"):
            tokens.create("ci")

    def test_administer_only_for_an_admin(self, anna):
        mine, owners = (tokens.create("ci", user_id=id, scopes=("read", "admin")) for id in (anna.pk, None))

        assert not tokens.find(mine).may("admin")
        assert tokens.find(owners).may("admin")

    def test_end_by_their_user(self, anna):
        token = tokens.create("ci", user_id=anna.pk)
        with pytest.raises(TokenNotFound):
            tokens.revoke("ci")

        tokens.revoke("ci", user_id=anna.pk)

        assert tokens.find(token) is None

    @pytest.mark.parametrize("wrong", [{"scopes": ("write",)}, {"scopes": ("read", "root")}, {"days": 0}])
    def test_that_make_no_sense_are_refused(self, the_store, wrong):
        with pytest.raises(InvalidToken):
            tokens.create("ci", **wrong)
