"""Importing from the browser: what was found on this machine, the run that reads it, and the demo."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

from django.contrib import messages
from django.core.management import CommandError, call_command
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST
from django_htmx.http import reswap, retarget

from sessions_app import gate
from sessions_app.integrations.discovery import discover
from sessions_app.models import Session
from sessions_app.web import import_run
from sessions_app.web.context import wants_fragment
from sessions_app.web.formats import duration_text

SKIPPED_SHOWN = 100  # files named in a summary


def over_all(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    """For views that read this machine's disk, or tell of it."""

    @wraps(view)
    def answer(request: HttpRequest) -> HttpResponse:
        gate.check_over_all("import sessions")
        return view(request)

    return answer


@require_http_methods(["GET", "HEAD", "POST"])
@over_all
def page(request: HttpRequest) -> HttpResponse:
    """What was found and how the last run went; POST starts a run and watches it."""
    if request.method == "POST":
        places = discover()
        if places:
            import_run.start([place.root for place in places])
        return redirect("web:import")
    context = {"run": import_run.current(), **_run_context()}
    if not wants_fragment(request):
        return render(request, "imports/page.html", context | found())
    if context.get("running"):
        return render(request, "imports/run.html", context)
    # The run has ended: what it changed is all over the page.
    whole = render(request, "imports/import.html", context | found())
    return retarget(reswap(whole, "outerHTML"), "#import")


@require_POST
@over_all
def cancel(request: HttpRequest) -> HttpResponse:
    run = import_run.current()
    if run:
        run.cancel()
    return redirect("web:import")


@require_POST
@over_all
def demo(request: HttpRequest) -> HttpResponse:
    try:
        call_command("demo", verbosity=0)
    except CommandError as error:
        messages.error(request, str(error))
        return redirect("web:import")
    return redirect("web:home")


def found() -> dict:
    """The agents' usual places that hold transcripts, and their sum; looks at the disk, reads no file."""
    places = discover()
    return {
        "places": places,
        "files": sum(place.files for place in places),
        "size": sum(place.bytes for place in places),
        "is_empty": not Session.objects.visible().exists(),  # with the trash
    }


def _run_context() -> dict:
    run = import_run.current()
    if run is None:
        return {}
    summary = run.summary
    return {
        "running": run.running,
        "remaining": duration_text(run.remaining) if run.remaining is not None else "",
        "rate": round(run.rate),
        "skipped": summary.skipped[:SKIPPED_SHOWN] if summary else [],
        "skipped_rest": max(0, len(summary.skipped) - SKIPPED_SHOWN) if summary else 0,
    }
