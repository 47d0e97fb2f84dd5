"""The addresses below /sessions/ that show a transcript; web/urls.py includes them."""

from django.urls import path

from sessions_app.web import find, ledger, lineage, many_forks, parents, redact, transcript, transcript_parts

urlpatterns = [
    path("<uuid:id>/", transcript.session, name="session"),
    path("<uuid:id>/older/", transcript.beside, {"side": "older"}, name="older"),
    path("<uuid:id>/newer/", transcript.beside, {"side": "newer"}, name="newer"),
    path("<uuid:id>/find/", find.find, name="find"),
    path("<uuid:id>/m/<int:position>/", transcript.message, name="message"),
    path("<uuid:id>/m/<int:position>/raw/", transcript_parts.raw, name="raw"),
    path("<uuid:id>/m/<int:position>/redact/", redact.redact, name="redact"),
    path("<uuid:id>/m/<int:position>/part/<int:number>/", transcript_parts.part, name="part"),
    path("<uuid:id>/m/<int:position>/image/<int:number>/", transcript_parts.image, name="image"),
    path("<uuid:id>/fork/", transcript.fork, name="fork"),
    path("<uuid:id>/forks/", many_forks.fork_often, name="fork-often"),
    path("<uuid:id>/lineage/", lineage.lineage, name="lineage"),
    path("<uuid:id>/parent/", parents.parent, name="parent"),
    path("<uuid:id>/ledger/", ledger.of_session, name="ledger"),
    path("<str:prefix>/", transcript.prefix, name="prefix"),
]
