"""Whatever the description allows to be sent is answered as it says: schemathesis makes requests from it.

FORKLORE_LONG=1 makes some hundred for each operation.
"""

import os

import pytest
import schemathesis
from django.core.wsgi import get_wsgi_application
from django.http import HttpResponse
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import response_schema_conformance, status_code_conformance

from sessions_app.access import tokens
from sessions_app.api import routes
from tests.builders import a_session

EXAMPLES = 300 if os.environ.get("FORKLORE_LONG") == "1" else 3
CHECKS = [not_a_server_error, response_schema_conformance, status_code_conformance]


@schemathesis.serializer("application/x-ndjson")
def lines(context, value):
    """A bundle, to the one who makes requests, is any text."""
    return str(value).encode("utf-8", "replace")


@pytest.fixture
def headers(the_store):
    a_session(the_store, "hay", "needle")
    # Its client of WSGI applications unpacks no answer.
    plain = {"Accept-Encoding": "identity"}
    return {"Authorization": f"Bearer {tokens.create('fuzzer')}", "Host": "127.0.0.1", **plain}


def operations(headers):
    schema = schemathesis.openapi.from_wsgi("/api/v1/openapi.json", get_wsgi_application(), headers=headers)
    return [found.ok() for found in schema.get_all_operations()]


def ask(operation, headers):
    """The statuses of the answers."""
    statuses = set()

    @settings(
        max_examples=EXAMPLES, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck)
    )
    @given(case=operation.as_strategy())
    def asked(case):
        statuses.add(case.call_and_validate(headers=headers, checks=CHECKS).status_code)

    asked()
    return statuses


def test_every_operation_answers_as_it_is_described(the_store, headers):
    statuses = [ask(operation, headers) for operation in operations(headers)]

    assert len(statuses) >= 25
    assert {200, 201, 404, 422} <= set().union(*statuses)


def test_what_is_read_of_a_session_that_is_there_is_as_described(the_store, headers):
    """No id that is made up is one of a session."""
    id, other = (str(a_session(the_store, "hay", "needle", "more").id) for _ in range(2))
    asked = []
    for operation in operations(headers):
        if operation.method.upper() == "GET" and "{id}" in operation.path:
            names = {"id": id, "other": other}
            path = {name: names[name] for name in names if f"{{{name}}}" in operation.path}
            answer = operation.Case(path_parameters=path).call_and_validate(headers=headers, checks=CHECKS)
            assert answer.status_code == 200
            asked.append(operation.path)
    assert len(asked) >= 7


def test_an_answer_that_is_not_as_described_is_found(the_store, headers, monkeypatch):
    monkeypatch.setattr(
        routes, "answer", lambda request, value, *further, **named: HttpResponse("{}", "application/json")
    )
    (projects,) = [each for each in operations(headers) if each.path == "/api/v1/projects"]
    with pytest.raises(FailureGroup):
        ask(projects, headers)
