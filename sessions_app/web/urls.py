"""The addresses of the pages."""

from django.urls import include, path, register_converter

from sessions_app.web import (
    account,
    actions,
    api_docs,
    cleanup,
    compare,
    compare_choice,
    enter,
    health,
    imports,
    labels,
    lineage,
    lists,
    people,
    projects,
    search,
    settings_pages,
    sign_in,
    trash,
)
from sessions_app.web.converters import ProjectName

app_name = "web"

register_converter(ProjectName, "project")

urlpatterns = [
    path("", lists.home, name="home"),
    path("projects/", projects.projects, name="projects"),
    path("projects/<project:name>/lineage/", lineage.of_project, name="project-lineage"),
    path("projects/<project:name>/", projects.project, name="project"),
    path("search/", search.search, name="search"),
    path("trash/", trash.trash, name="trash"),
    path("cleanup/", cleanup.page, name="cleanup"),
    path("cleanup/run/", cleanup.run, name="cleanup-run"),
    path("cleanup/undo/", cleanup.undo, name="cleanup-undo"),
    path("import/", imports.page, name="import"),
    path("import/cancel/", imports.cancel, name="import-cancel"),
    path("import/demo/", imports.demo, name="demo"),
    path("enter/", enter.enter, name="enter"),
    path("enter/known/", enter.known, name="known"),
    path("leave/", enter.leave, name="leave"),
    path("invitation/<str:name>/<str:secret>/", sign_in.invitation, name="invitation"),
    path("settings/", account.account, name="settings"),
    path("settings/password/", account.password, name="password"),
    path("settings/browsers/", account.end_browsers, name="end-browsers"),
    path("settings/tokens/", settings_pages.tokens, name="tokens"),
    path("settings/tokens/<int:id>/revoke/", settings_pages.revoke_token, name="revoke-token"),
    path("settings/people/", people.people, name="people"),
    path("settings/people/<int:id>/", people.person, name="person"),
    path("settings/roles/", people.defaults, name="roles"),
    path("settings/audit/", settings_pages.audit, name="audit"),
    path("api/", api_docs.docs, name="api"),
    path("healthz", health.healthz, name="healthz"),
    path("sessions/<uuid:id>/title/", actions.title, name="title"),
    path("sessions/<uuid:id>/label/", labels.label, name="label"),
    path("sessions/<uuid:id>/delete/", actions.delete, name="delete"),
    path("sessions/<uuid:id>/restore/", actions.restore, name="restore"),
    path("sessions/<uuid:id>/purge/", actions.purge, name="purge"),
    path("compare/", compare_choice.chosen, name="compare-chosen"),
    path("compare/<uuid:id>/<uuid:other>/", compare.compare, name="compare"),
    path("compare/<uuid:id>/<uuid:other>/keep/", compare.keep, name="keep"),
    path("sessions/", include("sessions_app.web.transcript_urls")),
]
