"""Lists by age, title and size are read from an index, so that they cost what a page shows; by others they are sorted."""

import re

import pytest
from django.test.utils import CaptureQueriesContext

from sessions_app import databases
from sessions_app.web import lists
from tests.builders import a_session
from tests.web.reading import page

INDEXES = {
    "title": "session_titles",
    "size": "session_sizes",
    "updated": "session_newest",
}
SORTS = [sign + word for word in lists.SORTS for sign in ("", "-")]
INDEXED = [sort for sort in SORTS if sort.removeprefix("-") in INDEXES]
COUNT = 7
LENGTH = 3  # sessions of a page here


@pytest.fixture
def sessions(the_store, monkeypatch):
    """Many of them are as long, as large and as old as others, so that ties cross the edges of pages."""
    monkeypatch.setattr(lists, "PAGE_LENGTH", LENGTH)
    for number in range(COUNT):
        a_session(the_store, f"title {number % 2}", project=("/code/shop", "/code/other")[number == 5])


def ids(answer):
    return [row["data-session"] for row in page(answer).all("tr") if "data-session" in row.attributes]


def pages(visitor, address):
    while address:
        answer = visitor.get(address)
        yield answer
        address = next(iter(re.findall(r'href="([^"]*after=[^"]*)"', answer.text)), "").replace("&amp;", "&")


def plan(visitor, address):
    """How the database finds which sessions a page shows, where it has so many that this is worth its while."""
    with CaptureQueriesContext(databases.connection()) as asked:
        visitor.get(address)
    (statement,) = [each["sql"] for each in asked if each["sql"].endswith(f"LIMIT {LENGTH + 1}")]
    if databases.connection().vendor == "sqlite":
        return " ".join(row[3] for row in databases.execute(f"EXPLAIN QUERY PLAN {statement}"))
    with databases.connection().cursor() as cursor:
        for way in ("seqscan", "bitmapscan", "sort"):
            cursor.execute(f"SET enable_{way} = off")
        try:
            cursor.execute(f"EXPLAIN {statement}")
            return " ".join(row[0] for row in cursor.fetchall())
        finally:
            for way in ("seqscan", "bitmapscan", "sort"):
                cursor.execute(f"RESET enable_{way}")


def is_sorted_by_the_index(how, name):
    return name in how and "TEMP B-TREE" not in how and "Sort" not in how


class AList:
    @pytest.mark.parametrize("sort", INDEXED)
    def test_is_read_from_an_index_in_both_directions(self, visitor, sessions, sort):
        assert is_sorted_by_the_index(plan(visitor, f"/?sort={sort}"), INDEXES[sort.removeprefix("-")])

    @pytest.mark.parametrize("sort", INDEXED)
    def test_is_read_on_from_where_its_page_ends(self, visitor, sessions, sort):
        first = visitor.get(f"/?sort={sort}")
        (following,) = re.findall(r'href="([^"]*after=[^"]*)"', first.text)

        how = plan(visitor, following.replace("&amp;", "&"))

        assert is_sorted_by_the_index(how, INDEXES[sort.removeprefix("-")])
        assert re.search(r"SEARCH .*(<|>)\?|Index Cond: .*(<|>)= ", how)

    @pytest.mark.parametrize("sort", [each for each in INDEXED if not each.endswith("updated")])
    def test_of_a_large_project_is_read_so_too(self, visitor, sessions, sort, monkeypatch):
        monkeypatch.setattr(lists, "SORTED_AT_ONCE", COUNT - 2)

        how = plan(visitor, f"/projects//code/shop/?sort={sort}")

        assert is_sorted_by_the_index(how, INDEXES[sort.removeprefix("-")])

    @pytest.mark.parametrize("sort", SORTS)
    @pytest.mark.parametrize("large", [True, False])
    def test_shows_each_session_once_whatever_its_order(self, visitor, sessions, sort, large, monkeypatch):
        monkeypatch.setattr(lists, "SORTED_AT_ONCE", 0 if large else COUNT)
        for address, count in (("/", COUNT), ("/projects//code/shop/", COUNT - 1)):
            seen = [id for answer in pages(visitor, f"{address}?sort={sort}") for id in ids(answer)]
            assert len(seen) == len({*seen}) == count

    @pytest.mark.parametrize("word", lists.SORTS)
    def test_is_turned_round_by_its_other_order(self, visitor, sessions, word):
        up, down = ([id for each in pages(visitor, f"/?sort={sign}{word}") for id in ids(each)] for sign in ("", "-"))
        assert up == down[::-1]
