"""What PostgreSQL has no words for is no fault of the database: who asks for it is told so, and not to ask again."""

import pytest

from sessions_app.access import tokens
from tests.builders import a_session
from tests.web.conftest import Visitor

LIKE_NOTHING = "%00demo"


@pytest.mark.parametrize(
    "path",
    [
        *(f"/settings/audit/?{name}={LIKE_NOTHING}" for name in ("actor", "verb", "before")),
        *(f"/{page}/?q={LIKE_NOTHING}" for page in ("search", "projects", "trash", "hygiene")),
        f"/?q={LIKE_NOTHING}",
        f"/projects/{LIKE_NOTHING}/",
    ],
)
def test_a_page_for_what_cannot_be_stored(the_store, path):
    a_session(the_store, "hay")
    answer = Visitor(HTTP_HOST="127.0.0.1").enter().get(path)
    assert answer.status_code in (200, 400, 404), answer.content
    assert "cannot be reached" not in answer.content.decode()


@pytest.mark.parametrize("format", ["bundle", "markdown", "html"])
def test_an_export_of_a_project_that_cannot_be(the_store, format):
    a_session(the_store, "hay")
    asked = Visitor(HTTP_HOST="127.0.0.1", HTTP_AUTHORIZATION=f"Bearer {tokens.create('t')}")
    answer = asked.get(f"/api/v1/export?project={LIKE_NOTHING}&format={format}")
    assert answer.status_code in (404, 422), answer.content
    assert "Retry-After" not in answer
