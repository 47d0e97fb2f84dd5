"""The demo's sessions about an invoicing program in Python: a fault with its forks, an upgrade, a long migration."""

from __future__ import annotations

from sessions_app.demo.conversation import Conversation
from sessions_app.demo.plan import Planned

CWD = "/home/ann/code/ledger"
RED, GREEN, YELLOW, CYAN, BOLD, OFF = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[36m", "\x1b[1m", "\x1b[0m"

FAILURE = f"""{BOLD}============================= test session starts =============================={OFF}
collected 41 items

tests/test_totals.py {GREEN}..................{OFF}{RED}F{OFF}{GREEN}....{OFF}{YELLOW}s{OFF}{GREEN}.................{OFF}          {GREEN}[100%]{OFF}

{RED}=================================== FAILURES ==================================={OFF}
{RED}{BOLD}__________________ test_pdf_and_screen_agree[three-items] ______________________{OFF}

    def test_pdf_and_screen_agree(invoice):
>       {BOLD}assert{OFF} pdf_total(invoice) == screen_total(invoice)
{RED}E       AssertionError: assert Decimal('29.99') == Decimal('30.00'){OFF}
{RED}E        +  where Decimal('29.99') = pdf_total(<Invoice 2026-0417>){OFF}
{RED}E        +  and   Decimal('30.00') = screen_total(<Invoice 2026-0417>){OFF}

{CYAN}tests/test_totals.py{OFF}:58: AssertionError
{RED}=================== {BOLD}1 failed{OFF}, {GREEN}39 passed{OFF}, {YELLOW}1 skipped{OFF}{RED} in 1.71s ===================={OFF}"""

PASSED = f"""{GREEN}........................................{OFF}{YELLOW}s{OFF}{GREEN}.{OFF}                               {GREEN}[100%]{OFF}
{GREEN}{BOLD}41 passed{OFF}, {YELLOW}1 skipped{OFF}{GREEN} in 1.66s{OFF}"""

TOTALS = """from decimal import ROUND_HALF_UP, Decimal

CENT = Decimal("0.01")


def line_total(line):
    net = line.price * line.quantity
    return (net * (1 + line.vat_rate)).quantize(CENT, ROUND_HALF_UP)


def screen_total(invoice):
    return sum(line_total(line) for line in invoice.lines)


def pdf_total(invoice):
    net = sum(line.price * line.quantity for line in invoice.lines)
    vat = sum(line.price * line.quantity * line.vat_rate for line in invoice.lines)
    return (net + vat).quantize(CENT)
"""

CALLERS = """ledger/totals.py:13:def screen_total(invoice):
ledger/totals.py:17:def pdf_total(invoice):
ledger/pdf/render.py:88:    context["total"] = pdf_total(invoice)
ledger/web/views.py:142:        "total": screen_total(invoice),
ledger/api/serializers.py:37:    total = MethodField(screen_total)
ledger/reminders.py:25:    if pdf_total(invoice) > customer.credit_limit:"""


def _one_cent() -> Conversation:
    talk = Conversation(CWD, "One cent between the screen and the PDF", days=1, hour=9.2)
    talk.notes("file-history-snapshot", snapshot={"trackedFileBackups": {}})
    talk.asks(
        "Invoice 2026-0417 shows 30.00 € on the screen and 29.99 € in the PDF.\n"
        "Find out which one is right and why they differ. Do not change anything yet."
    )
    talk.thinks(
        "Two totals for one invoice suggest two implementations. I should find every place where a total is computed, "
        "then reproduce the difference with the smallest invoice that shows it before I judge which one is right."
    )
    talk.says("I'll look for every place that adds up an invoice first, then reproduce the difference.")
    talk.searches(r"def .*total|total\(", CALLERS, path="ledger")
    talk.reads(f"{CWD}/ledger/totals.py", TOTALS)
    talk.runs("pytest tests/test_totals.py -q --color=yes", FAILURE, code=1, seconds=1.9)
    talk.says(
        "There are two roundings, and they happen at different moments:\n\n"
        "| | rounds | when | 3 × 9.995 € |\n|---|---|---|---|\n"
        "| `screen_total` | half up | each line | 10.00 × 3 = **30.00** |\n"
        "| `pdf_total` | half *even* | once, at the end | 29.985 → **29.98** or 29.99 with VAT |\n\n"
        "`pdf_total` does not say how it rounds, so `quantize` takes the default of the context, which is "
        "[ROUND_HALF_EVEN](https://docs.python.org/3/library/decimal.html#rounding-modes). "
        "Which one is right is not a question of code but of law: an invoice must show what its lines add up to."
    )
    talk.asks("What does the law say? We invoice in Germany and Austria.")
    talk.looks_up(
        "invoice rounding per line or total VAT EN 16931",
        "EN 16931-1, BR-CO-14: the invoice total VAT amount is the sum of the VAT category tax amounts.\n"
        "BR-CO-17: the VAT category tax amount is the taxable amount times the rate, rounded to two decimals.\n"
        "Both per-line and per-category rounding are seen in practice; the figures on one document must agree.",
    )
    talk.says(
        "Both ways are allowed, but **the figures on one document must agree**, and for electronic invoices (EN 16931) "
        "VAT is rounded once for each rate, not for each line.\n\n"
        "> So neither function is right: the screen rounds too often, the PDF rounds the wrong way.\n\n"
        "I suggest one function that both use: add up the net amounts of each rate, round the VAT of each rate half up, "
        "and add the two."
    )
    talk.asks("Good. Do that, with tests. And check who else computes money on his own.")
    talk.plans(
        ("One function for the total of an invoice", "in_progress"),
        ("Tests with the invoice that differed", "pending"),
        ("Look for other arithmetic with money", "pending"),
        ("Changelog", "pending"),
    )
    talk.edits(
        f"{CWD}/ledger/totals.py",
        "def screen_total(invoice):\n    return sum(line_total(line) for line in invoice.lines)\n\n\n"
        "def pdf_total(invoice):\n    net = sum(line.price * line.quantity for line in invoice.lines)\n"
        "    vat = sum(line.price * line.quantity * line.vat_rate for line in invoice.lines)\n"
        "    return (net + vat).quantize(CENT)",
        "def total(invoice):\n"
        '    """What the invoice asks for: VAT is rounded once for each rate (EN 16931, BR-CO-17)."""\n'
        "    net_by_rate = defaultdict(Decimal)\n    for line in invoice.lines:\n"
        "        net_by_rate[line.vat_rate] += line.price * line.quantity\n"
        "    return sum(net + (net * rate).quantize(CENT, ROUND_HALF_UP) for rate, net in net_by_rate.items())",
        first=11,
    )
    talk.writes(
        f"{CWD}/tests/test_total.py",
        "from decimal import Decimal\n\nimport pytest\n\nfrom ledger.totals import total\nfrom tests.builders import an_invoice\n\n\n"
        '@pytest.mark.parametrize(\n    ("prices", "expected"),\n    [\n'
        '        (["9.995", "9.995", "9.995"], "35.68"),\n        (["0.005"], "0.01"),\n        ([], "0.00"),\n    ],\n)\n'
        "def test_rounds_once_for_each_rate(prices, expected):\n"
        "    assert total(an_invoice(prices)) == Decimal(expected)\n",
    )
    talk.runs("make lint types", "bash: line 1: make: command not found", code=127, seconds=0.1)
    talk.says("There is no `make` here; I'll run the tests directly.")
    talk.runs("pytest -q --color=yes", PASSED, seconds=2.3)
    talk.delegates(
        "Check every caller that computes money",
        "Look through /home/ann/code/ledger for arithmetic with money outside of ledger/totals.py. Report file, line and "
        "whether it rounds. Change nothing.",
        "Three places compute money on their own:\n\n1. `ledger/reminders.py:25` compares the unrounded total.\n"
        "2. `ledger/discounts.py:61` rounds a discount half even.\n3. `ledger/api/serializers.py:37` is fine.",
        agent_id="b71c04e2",
        seconds=74,
    )
    talk.plans(
        ("One function for the total of an invoice", "completed"),
        ("Tests with the invoice that differed", "completed"),
        ("Look for other arithmetic with money", "completed"),
        ("Changelog", "in_progress"),
    )
    talk.edits(
        f"{CWD}/CHANGELOG.md", "## Unreleased\n", "## Unreleased\n\n- An invoice has one total everywhere (#218).\n"
    )
    talk.says(
        "Done: there is one `total()`, and the screen, the PDF and the API use it. All 41 tests pass.\n\n"
        "- **2026-0417** is now 35.68 € gross everywhere; before it was 35.69 and 35.68.\n"
        "- Two other places round on their own: `reminders.py:25` and `discounts.py:61`. I left them alone; say the "
        "word and I'll change them.\n"
    )
    talk.asks("Change the discounts too, please. Reminders can stay.")
    talk.reads(
        f"{CWD}/ledger/discounts.py",
        "def discount(net, percent):\n    return (net * percent / 100).quantize(CENT)\n",
        first=60,
    )
    talk.edits(
        f"{CWD}/ledger/discounts.py",
        "    return (net * percent / 100).quantize(CENT)",
        "    return (net * percent / 100).quantize(CENT, ROUND_HALF_UP)",
        first=61,
    )
    talk.runs("pytest -q --color=yes", PASSED, seconds=2.2)
    return talk.says("`discount()` rounds half up now, like everything else. 41 tests pass.")


def _callers() -> Conversation:
    talk = Conversation(CWD, days=1, hour=9.4)
    talk.asks(
        "Look through /home/ann/code/ledger for arithmetic with money outside of ledger/totals.py. Report file, line and "
        "whether it rounds. Change nothing."
    )
    talk.searches(
        r"quantize|Decimal\(",
        'ledger/discounts.py:61:    return (net * percent / 100).quantize(CENT)\nledger/totals.py:3:CENT = Decimal("0.01")',
    )
    talk.searches(r"\.price \*", "ledger/totals.py:8:    net = line.price * line.quantity")
    talk.reads(
        f"{CWD}/ledger/reminders.py",
        "def is_over_limit(invoice, customer):\n    return pdf_total(invoice) > customer.credit_limit\n",
        first=24,
    )
    return talk.says(
        "Three places compute money on their own:\n\n1. `ledger/reminders.py:25` compares the unrounded total.\n"
        "2. `ledger/discounts.py:61` rounds a discount half even.\n3. `ledger/api/serializers.py:37` is fine."
    )


def _cents() -> Conversation:
    talk = Conversation(CWD, "Try whole cents instead of Decimal", days=0.9, hour=11)
    talk.asks("Before that: would it be simpler to keep all money as whole cents? Sketch it for `totals.py` only.")
    talk.thinks(
        "Whole cents make addition exact, but VAT still needs one rounding. The gain is that no context can change it."
    )
    talk.edits(
        f"{CWD}/ledger/totals.py",
        'CENT = Decimal("0.01")\n',
        "def vat(net_cents: int, rate_percent: int) -> int:\n"
        '    """Half up, without a context that somebody could change."""\n'
        "    return (net_cents * rate_percent + 50) // 100\n",
        first=3,
    )
    talk.runs(
        "pytest -q --color=yes",
        f"{RED}{BOLD}7 failed{OFF}, {GREEN}34 passed{OFF}{RED} in 1.80s{OFF}",
        code=1,
        seconds=2.4,
    )
    return talk.says(
        "It works for totals, but **7 tests fail** because prices have up to four decimals (fuel is sold at 1.8390 €/l). "
        "Whole cents are not enough; we would need hundredths of a cent:\n\n"
        "```python\nSCALE = 10_000  # of one euro\n\ndef from_text(text: str) -> int:\n"
        '    euros, _, rest = text.partition(".")\n    return int(euros) * SCALE + int(rest.ljust(4, "0"))\n```'
    )


def _border() -> Conversation:
    talk = Conversation(CWD, days=0.4, hour=14)
    talk.asks("Then keep Decimal at the border and integers inside. What would the model field look like?")
    talk.writes(
        f"{CWD}/ledger/fields.py",
        "from decimal import Decimal\n\nfrom django.db import models\n\nSCALE = 10_000\n\n\n"
        "class MoneyField(models.BigIntegerField):\n    def from_db_value(self, value, expression, connection):\n"
        "        return None if value is None else Decimal(value) / SCALE\n\n"
        "    def get_prep_value(self, value):\n        return None if value is None else int(value * SCALE)\n",
    )
    talk.runs(
        "python manage.py makemigrations --check --dry-run",
        "Migrations for 'ledger':\n  ledger/migrations/0042_money.py\n    ~ Alter field price on line",
        code=1,
    )
    return talk.says(
        "The field converts at both ends, so nothing else changes. One migration multiplies the column by 10,000; it takes the table's lock for about 4 s on the copy of production."
    )


def _support() -> Conversation:
    talk = Conversation(CWD, "Explain the cent to support", days=0.2, hour=8.7)
    talk.asks("Write two sentences for support that they can send to the customer. No code words.")
    return talk.says(
        "> The amount on your screen and the amount on your invoice were rounded at different moments, which made one cent "
        "of difference. The invoice was right; from today on both show the same amount, and you need not do anything."
    )


def _export() -> Conversation:
    talk = Conversation(CWD, "Open invoices as CSV for accounting", days=6, hour=15.5)
    talk.asks("Accounting wants all open invoices as CSV, one line per invoice, that opens in Excel without questions.")
    talk.writes(
        f"{CWD}/ledger/export.py",
        'import csv\n\nHEADER = ["number", "customer", "due", "total"]\n\n\ndef write_open_invoices(file, invoices):\n'
        '    file.write("\\ufeff")  # Excel takes a file without a mark for Latin-1\n'
        '    writer = csv.writer(file, delimiter=";")\n    writer.writerow(HEADER)\n'
        "    for invoice in invoices.open().order_by('due'):\n"
        "        writer.writerow([invoice.number, safe(invoice.customer.name), invoice.due, invoice.total])\n\n\n"
        'def safe(text):\n    """A cell that begins with one of these would be run as a formula."""\n'
        "    return f\"'{text}\" if text[:1] in '=+-@' else text\n",
    )
    talk.runs(
        "python manage.py export_open | head -3",
        "\ufeffnumber;customer;due;total\n2026-0388;Möbel Huber GmbH;2026-11-02;1.204,00\n2026-0391;'=cmd|calc;2026-11-04;89,90",
    )
    return talk.says(
        "The export is there. A customer called `=cmd|calc` would have been run as a formula by Excel; such cells get an apostrophe in front."
    )


def _upgrade_before() -> Conversation:
    talk = Conversation(CWD, "Upgrade Django from 4.2 to 5.2", days=16, hour=10)
    talk.asks("Bring us from Django 4.2 to 5.2. Step by step, tests green after each.")
    for version, note in (
        ("5.0", "`USE_L10N` is gone"),
        ("5.1", "`STORAGES` replaces `DEFAULT_FILE_STORAGE`"),
        ("5.2", "nothing to do"),
    ):
        talk.runs(f"uv pip install 'django~={version}.0' && pytest -q --color=yes", PASSED, seconds=48)
        talk.says(f"Django {version} is in: {note}. All tests pass.")
    return talk


def _upgrade() -> Conversation:
    talk = Conversation(CWD, "Upgrade Django from 4.2 to 5.2", days=15.8, hour=13)
    talk.goes_on_from(
        "This session is being continued from a previous conversation that ran out of context. The project was taken "
        "from Django 4.2 to 5.2 in three steps; all tests pass. What is left: deprecation warnings in 3 places."
    )
    talk.asks("Now the deprecation warnings.")
    talk.runs(
        "python -W error::DeprecationWarning -m pytest -q --color=yes",
        f"{RED}{BOLD}3 failed{OFF}, {GREEN}38 passed{OFF}{RED} in 2.01s{OFF}",
        code=1,
        seconds=3,
    )
    talk.edits(
        f"{CWD}/ledger/models.py",
        '    class Meta:\n        index_together = [("customer", "due")]',
        '    class Meta:\n        indexes = [models.Index("customer", "due", name="invoice_due")]',
        first=77,
    )
    talk.runs("python -W error::DeprecationWarning -m pytest -q --color=yes", PASSED, seconds=3)
    return talk.says("No warnings are left. `index_together` became a named index; the migration only renames it.")


MODULES = (
    "accounts addresses api.auth api.invoices api.webhooks archive attachments audit banking.camt banking.sepa bookings "
    "calendar credit currencies customers dashboards discounts documents dunning exports fields filters forms holidays "
    "imports.csv imports.datev interest invoices jobs letters limits mail merges notes numbering offers orders payments "
    "pdf.fonts pdf.layout pdf.render permissions prices reminders reports search settings snapshots taxes totals"
).split()
PITFALLS = (
    "`setUp` builds a customer that half of the tests never use; it becomes a fixture that is asked for.",
    "`assertAlmostEqual` hid a difference of 0.004; with Decimal an exact comparison holds.",
    "the order of two tests mattered: the first left a setting behind. `settings` of pytest-django puts it back.",
    "a loop over cases becomes `parametrize`, so that a failure names its case.",
    "`mock.patch` of the clock becomes one `freezer` fixture.",
    "nothing special, only names.",
)


def _migration() -> Conversation:
    """Three hundred messages and more: the same step for each module, as such sessions are."""
    talk = Conversation(CWD, "Move the tests from unittest to pytest", days=11, hour=8)
    talk.asks(
        "Move all tests from unittest to pytest, one module after the other. Commit after each. Do not ask in between."
    )
    talk.says(
        f"There are {len(MODULES)} test modules. I'll go through them in order, run each before and after, and compare the number of tests."
    )
    for number, module in enumerate(MODULES, 1):
        path, tests = f"tests/test_{module.replace('.', '_')}.py", 4 + number * 7 % 19
        name = module.rpartition(".")[2].capitalize()
        if number % 12 == 0:
            talk.asks(f"How far are you? {len(MODULES) - number} to go?", after=600)
            talk.says(f"{number - 1} of {len(MODULES)} are done; no test was lost so far. Going on with `{module}`.")
        if number % 2:
            talk.reads(f"{CWD}/{path}", f"from django.test import TestCase\n\n\nclass {name}Test(TestCase):\n    ...\n")
        talk.edits(
            f"{CWD}/{path}",
            f"class {name}Test(TestCase):\n    def test_{module.rpartition('.')[2]}(self):\n        self.assertEqual(self.subject.count(), {tests})",
            f"def test_{module.rpartition('.')[2]}(subject):\n    assert subject.count() == {tests}",
            first=10 + number,
        )
        talk.runs(
            f"pytest -q --color=yes {path} && git commit -qam 'tests: Move {module} to pytest'",
            f"{GREEN}{'.' * tests}{OFF}\n{GREEN}{BOLD}{tests} passed{OFF}{GREEN} in 0.{number % 9 + 1}s{OFF}",
            seconds=1 + number % 4,
        )
        talk.says(f"`{module}`: {tests} tests before, {tests} after; {PITFALLS[number % len(PITFALLS)]}")
    talk.runs(
        "pytest -q --color=yes",
        f"{GREEN}{BOLD}612 passed{OFF}, {YELLOW}9 skipped{OFF}{GREEN} in 41.20s{OFF}",
        seconds=42,
    )
    return talk.says(
        f"All {len(MODULES)} modules are moved, one commit each. 612 tests before, 612 after, and the run takes **41 s instead of 66 s**."
    )


def sessions() -> list[Planned]:
    return [
        Planned("one-cent", _one_cent(), pinned=True, tags=("keep", "money")),
        Planned("callers", _callers(), "one-cent", "subagent", agent_id="b71c04e2"),
        Planned("cents", _cents(), "one-cent", fork_point=15),
        Planned("border", _border(), "cents", fork_point=22, title="Integers inside, Decimal at the border"),
        Planned("support", _support(), "one-cent", fork_point=34),
        Planned("export", _export(), tags=("money",)),
        Planned("upgrade", _upgrade()),
        Planned("upgrade-before", _upgrade_before(), "upgrade", "compaction"),
        Planned("migration", _migration()),
    ]
