"""Importing from the browser."""

from django.http import HttpResponse
from django.shortcuts import render


def first_run():
    return {"x": 1}


def page(request) -> HttpResponse:
    return render(request, "imports/page.html", {})
