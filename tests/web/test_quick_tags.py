"""Addresses and icons that templates put together by themselves: the same as Django's."""

from uuid import UUID, uuid4

import pytest
from django.template import Context, Template, TemplateSyntaxError
from django.urls import NoReverseMatch, reverse, set_script_prefix

from sessions_app.templatetags.quick import address

ID, OTHER = uuid4(), UUID(int=2**128 - 1)


def drawn(source: str, **context: object) -> str:
    return Template(source).render(Context(context))


class AnAddress:
    @pytest.mark.parametrize(
        ("name", "arguments"),
        [
            ("web:home", ()),
            ("web:session", (ID,)),
            ("web:session", (OTHER,)),
            ("web:session", (str(ID),)),
            ("web:message", (ID, 0)),
            ("web:message", (OTHER, 8_000_000_001)),
            ("web:part", (ID, 12, 3)),
            ("web:project", ("a/b é?#%&\"'<",)),
        ],
    )
    def test_is_the_one_of_django(self, name, arguments):
        assert address(name, *arguments) == reverse(name, args=arguments)
        assert address(name, *arguments) == reverse(name, args=arguments)  # from what is kept

    def test_stands_below_the_prefix_of_the_request(self):
        address("web:session", ID), address("web:project", "a")
        set_script_prefix("/below/")
        try:
            assert address("web:session", ID) == f"/below/sessions/{ID}/"
            assert address("web:project", "a") == "/below/projects/a/"
        finally:
            set_script_prefix("/")

    @pytest.mark.parametrize(
        ("name", "arguments"), [("web:nowhere", ()), ("web:message", (ID, -1)), ("web:session", ())]
    )
    def test_that_there_is_not_is_refused(self, name, arguments):
        with pytest.raises(NoReverseMatch):
            reverse(name, args=arguments)
        with pytest.raises(NoReverseMatch):
            address(name, *arguments)

    def test_is_escaped_in_a_page(self):
        name = "a'&b"
        assert drawn("{% url 'web:project' name %}", name=name) == reverse("web:project", args=[name]).replace(
            "&", "&amp;"
        ).replace("'", "&#x27;")

    def test_can_be_kept_under_a_name_and_made_of_names(self):
        assert drawn("{% url 'web:session' id as it %}<{{ it }}>", id=ID) == f"<{reverse('web:session', args=[ID])}>"
        assert drawn("{% url 'web:nowhere' as it %}<{{ it }}>") == "<>"


class AnIcon:
    def test_is_drawn_in_its_size(self):
        large, small = '{% include "icons/fork.html" only %}', '{% include "icons/fork.html" with size="small" only %}'
        assert 'data-size="small"' in drawn(small)
        assert "data-size" not in drawn(large)

    def test_is_the_one_that_is_named_each_time(self):
        source = "{% for each in names %}{% include each only %}{% endfor %}"
        names = ["icons/fork.html", "icons/trash.html", "icons/fork.html"]
        assert drawn(source, names=names) == "".join(drawn('{% include "' + name + '" only %}') for name in names)
        assert drawn('{% include "icons/fork.html" only %}') != drawn('{% include "icons/trash.html" only %}')

    def test_takes_what_it_is_given_each_time(self):
        source = '{% for size in sizes %}{% include "icons/fork.html" with size=size only %}{% endfor %}'
        assert drawn(source, sizes=["one", "two"]).count("data-size") == 2
        assert 'data-size="two"' in drawn(source, sizes=["one", "two"])

    def test_of_no_name_is_refused(self):
        with pytest.raises(TemplateSyntaxError):
            drawn("{% include %}")
