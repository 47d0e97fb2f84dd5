"""The addresses of the pages."""

from django.urls import include, path, register_converter

from sessions_app.web import actions, enter, health, imports, lists, projects, search, trash
from sessions_app.web.converters import ProjectName

app_name = "web"

register_converter(ProjectName, "project")

urlpatterns = [
    path("", lists.home, name="home"),
    path("projects/", projects.projects, name="projects"),
    path("projects/<project:name>/", projects.project, name="project"),
    path("search/", search.search, name="search"),
    path("trash/", trash.trash, name="trash"),
    path("import/", imports.page, name="import"),
    path("import/cancel/", imports.cancel, name="import-cancel"),
    path("import/demo/", imports.demo, name="demo"),
    path("enter/", enter.enter, name="enter"),
    path("enter/known/", enter.known, name="known"),
    path("leave/", enter.leave, name="leave"),
    path("healthz", health.healthz, name="healthz"),
    path("sessions/<uuid:id>/title/", actions.title, name="title"),
    path("sessions/<uuid:id>/delete/", actions.delete, name="delete"),
    path("sessions/<uuid:id>/restore/", actions.restore, name="restore"),
    path("sessions/<uuid:id>/purge/", actions.purge, name="purge"),
    path("sessions/", include("sessions_app.web.transcript_urls")),
]
