"""One card for a tool call and its result: a line that says what was done, and what can be unfolded beneath it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from html import unescape
from typing import Any

from django.utils.html import strip_tags
from django.utils.safestring import SafeString

from sessions_app.projection import Part
from sessions_app.web.formats import size_text
from sessions_app.web.rendering import ansi, diffs, json_tree, markdown, outcomes
from sessions_app.web.rendering.marks import escape_and_mark
from sessions_app.web.rendering.text import Cut, counted, cut, one_line, seconds_words, visible

NOTHING = SafeString("")
FULL_LIMIT = 1_000_000  # characters of one output shown in the page; beyond it there is the raw view
DIFF_LINES = 200
OPEN_DIFF_LINES = 16  # a difference up to this long is shown unasked
SHORTEST = 0.1  # seconds; nobody asks about less
EVIDENCE = 4000  # characters of a result in which the id of a sub-agent is looked for
ENTRIES_LIMIT = 100  # of a list of tasks or questions


@dataclass(frozen=True, slots=True)
class Source:
    """Which part of which message a body shows, so that the rest of it can be asked for."""

    position: int
    part: int


@dataclass(frozen=True, slots=True)
class Body:
    """Something under the line of a card; `template` draws it."""

    template: str
    html: SafeString = NOTHING
    heading: str = ""
    language: str = ""
    lines: list[diffs.Line] = field(default_factory=list)
    entries: list[tuple[str, str]] = field(default_factory=list)  # state and words
    more: str = ""  # "Show all 214 lines (18 KB)" where something is left out
    shown: str = ""  # "first 12 shown"
    source: Source | None = None
    size: str = ""  # of a picture
    is_shown: bool = True  # of a picture: False where its data is not one that browsers draw


@dataclass(slots=True)
class Card:
    icon: str
    label: str
    what: SafeString
    facts: list[str] = field(default_factory=list)
    added: int | None = None
    cut: int | None = None
    state: outcomes.State = ""
    state_words: str = ""
    bodies: list[Body] = field(default_factory=list)
    is_open: bool = False
    is_subagent: bool = False
    prompt: str = ""  # what a sub-agent was told
    evidence: str = ""  # where the id of a sub-agent may stand


@dataclass(frozen=True, slots=True)
class Exchange:
    """A call and its result; one of them may be missing. `details` is what the agent recorded beside the result."""

    call: Part | None
    call_source: Source
    result: Part | None = None
    result_source: Source | None = None
    details: Mapping[str, Any] = field(default_factory=dict)
    query: str = ""
    budget: markdown.Budget = field(default_factory=markdown.Budget)
    base: str = ""  # the directory that paths are shown from
    is_full: bool = False
    is_final: bool = True  # False where the result may stand further on than was looked

    @property
    def name(self) -> str:
        return (self.call or self.result or Part("json")).tool_name

    @property
    def arguments(self) -> Mapping[str, Any]:
        arguments = self.call.arguments if self.call else None
        return arguments if isinstance(arguments, Mapping) else {}

    @property
    def script(self) -> str:
        """The arguments of a tool that takes a text, not an object."""
        arguments = self.call.arguments if self.call else None
        return arguments if isinstance(arguments, str) else ""

    def text(self, *names: str) -> str:
        """The first of these arguments that is a text, or a list of words."""
        for name in names:
            value = self.arguments.get(name)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, list) and value and all(isinstance(word, str) for word in value):
                return " ".join(value)
        return ""


def card(exchange: Exchange) -> Card:
    """The card of any tool of any agent; tools that are not known by name show their arguments as a tree."""
    drawn = _family(exchange)(exchange)
    if exchange.result:
        _add_outcome(drawn, exchange)
    elif exchange.call:
        drawn.state = "waiting" if exchange.is_final else ""
        drawn.state_words = "no result"
    return drawn


def line_of(call: Part) -> str:
    """The line of a call's card as text: "Shell pytest -q"."""
    drawn = card(Exchange(call, Source(0, 0), is_final=False))
    return f"{drawn.label} {unescape(strip_tags(drawn.what))}".strip()


def full_output(part: Part, query: str = "") -> Body:
    """All of a result, up to a million characters."""
    shown = outcomes.outcome(part.text, part.is_error, {}).text
    return Body("transcript/_terminal.html", ansi.to_html(shown[:FULL_LIMIT], query))


def _family(exchange: Exchange) -> Callable[[Exchange], Card]:
    name = exchange.name.casefold()
    if name.startswith("mcp__"):
        return _mcp
    if "*** Begin Patch" in _command(exchange):
        return _edit
    return FAMILIES.get(name.replace("_", "").replace("-", ""), _other)


def _add_outcome(drawn: Card, exchange: Exchange) -> None:
    part = exchange.result
    assert part is not None
    outcome = outcomes.outcome(part.text, part.is_error, exchange.details)
    drawn.state = outcome.state
    drawn.state_words = _state_words(outcome, drawn.state_words)
    if outcome.seconds is not None and outcome.seconds >= SHORTEST:
        drawn.facts.append(seconds_words(outcome.seconds))
    if outcome.state == "failed" or _shows_output(drawn, outcome):
        drawn.bodies += _output(outcome.text, exchange, as_prose=drawn.is_subagent and outcome.state == "ok")
    if drawn.state == "ok" and not drawn.state_words:
        drawn.state = ""
    drawn.is_open = drawn.is_open or outcome.state == "failed"


def _state_words(outcome: outcomes.Outcome, when_done: str) -> str:
    if outcome.exit_code is not None:
        return f"exit {outcome.exit_code}"
    return {"stopped": "refused", "failed": "failed"}.get(outcome.state, when_done)


def _shows_output(drawn: Card, outcome: outcomes.Outcome) -> bool:
    """What an edit or a list of tasks answers only says that it was done."""
    return bool(outcome.text) and drawn.state_words not in ("applied", "written", "noted")


def _shell(exchange: Exchange) -> Card:
    command = _command(exchange)
    drawn = Card("terminal", "Shell", _what(command, exchange), state_words="ok")
    if "\n" in command.strip() or len(command) > 100:
        drawn.bodies.append(_code(command, "bash", exchange, exchange.call_source))
    return drawn


def _command(exchange: Exchange) -> str:
    """["bash", "-lc", "ls"] is the script alone."""
    command = exchange.arguments.get("command")
    if isinstance(command, list) and len(command) == 3 and command[1] in ("-lc", "-c") and isinstance(command[2], str):
        return command[2]
    return exchange.text("command", "cmd", "chars", "bash_id", "shell_id", "patch", "input") or exchange.script


def _read(exchange: Exchange) -> Card:
    path = exchange.text("file_path", "path", "absolute_path", "filename", "notebook_path", "uri", "paths")
    facts = [_line_range(exchange)] if _line_range(exchange) else []
    if exchange.result and exchange.result.text:
        facts.append(size_text(len(exchange.result.text)))
    return Card("document", "Read", _path(path, exchange), facts)


def _line_range(exchange: Exchange) -> str:
    first, count = exchange.arguments.get("offset"), exchange.arguments.get("limit")
    if isinstance(first, int) and isinstance(count, int):
        return f"lines {first}–{first + count - 1}"
    return f"from line {first}" if isinstance(first, int) else f"{count} lines" if isinstance(count, int) else ""


def _edit(exchange: Exchange) -> Card:
    changes = list(_changes(exchange))
    path = exchange.text("file_path", "path", "notebook_path", "filename") or ", ".join(name for name, _ in changes[:3])
    raw = [line for _, lines in changes for line in lines]
    added, taken = diffs.counts(raw)
    drawn = Card("pencil", "Edit", _path(path, exchange), added=added, cut=taken, state_words="applied")
    for name, lines in changes[:ENTRIES_LIMIT]:
        drawn.bodies.append(_diff(lines, name if len(changes) > 1 else "", exchange))
    drawn.is_open = 0 < len(raw) <= OPEN_DIFF_LINES
    return drawn


def _changes(exchange: Exchange) -> list[tuple[str, list[diffs.Raw]]]:
    """The name of each file that changed, and how."""
    patch = exchange.details.get("structuredPatch")
    if isinstance(patch, list) and patch:
        return [("", diffs.of_hunks(hunk for hunk in patch if isinstance(hunk, Mapping)))]
    text = _command(exchange)
    if "*** Begin Patch" in text:
        return _files_of_patch(text)
    edits = exchange.arguments.get("edits")
    pairs = [edit for edit in edits if isinstance(edit, Mapping)] if isinstance(edits, list) else [exchange.arguments]
    lines: list[diffs.Raw] = []
    for pair in pairs[:ENTRIES_LIMIT]:
        lines += [diffs.Raw("gap", "")] if lines else []
        lines += diffs.between(_side(pair, "old"), _side(pair, "new"))
    return [("", lines)]


def _side(pair: Mapping[str, Any], side: str) -> str:
    names = (f"{side}_string", f"{side}_str", f"{side}Text", f"{side}String", f"{side}_source")
    return next((pair[name] for name in names if isinstance(pair.get(name), str)), "")


def _files_of_patch(text: str) -> list[tuple[str, list[diffs.Raw]]]:
    files: list[tuple[str, list[str]]] = []
    body = text[text.index("*** Begin Patch") :].partition("*** End Patch")[0]
    for line in body.splitlines()[1:]:
        action, _, name = line.partition(" File: ")
        if name and action in ("*** Update", "*** Add", "*** Delete"):
            files.append((name if action != "*** Delete" else f"{name} (deleted)", []))
        elif files and not line.startswith("*** "):
            files[-1][1].append(line)
    return [(name, diffs.of_patch(lines)) for name, lines in files]


def _diff(raw: list[diffs.Raw], heading: str, exchange: Exchange) -> Body:
    shown = raw if exchange.is_full else raw[:DIFF_LINES]
    more = f"Show all {len(raw):,} lines" if len(shown) < len(raw) else ""
    return Body(
        "transcript/_diff.html",
        heading=heading,
        lines=diffs.draw(shown, exchange.query),
        more=more,
        shown=f"first {DIFF_LINES} shown" if more else "",
        source=exchange.call_source,
    )


def _write(exchange: Exchange) -> Card:
    path = exchange.text("file_path", "path", "filename")
    content = exchange.text("content", "file_text", "contents", "text")
    facts = [counted(content.count("\n") + 1, "line"), size_text(len(content))] if content else []
    drawn = Card("document", "Write", _path(path, exchange), facts, state_words="written")
    if content:
        drawn.bodies.append(_code(content, _language(path), exchange, exchange.call_source))
    return drawn


def _search(exchange: Exchange) -> Card:
    pattern = exchange.text("pattern", "query", "regex", "glob", "path", "dir_path")
    where = exchange.text("path", "include", "glob")
    what = f"{pattern} in {where}" if where and where != pattern else pattern
    return Card("search", "Search", _what(what, exchange), _found(exchange))


def _found(exchange: Exchange) -> list[str]:
    number = exchange.details.get("numFiles")
    if isinstance(number, int) and number:
        return [counted(number, "file")]
    text = exchange.result.text.strip() if exchange.result else ""
    is_empty = not text or text.startswith(("No files found", "No matches found"))
    return ["nothing found"] if is_empty else [counted(text.count("\n") + 1, "line")]


def _web(exchange: Exchange) -> Card:
    query = exchange.text("query", "q", "search_query")
    label = "Web search" if query else "Web page"
    return Card("globe", label, _what(query or exchange.text("url", "prompt", "urls"), exchange))


def _task(exchange: Exchange) -> Card:
    what = exchange.text("description", "title", "task_name", "message", "prompt", "targets")
    drawn = Card("subagent", "Sub-agent", _what(what, exchange), state_words="done", is_subagent=True)
    drawn.evidence = (
        f"{exchange.details.get('agentId', '')} {exchange.result.text[:EVIDENCE] if exchange.result else ''}"
    )
    if prompt := exchange.text("prompt", "message"):
        drawn.prompt = prompt
        drawn.bodies.append(_prose(prompt, exchange, exchange.call_source))
    return drawn


def _todo(exchange: Exchange) -> Card:
    todos = next((value for name in ("todos", "plan") if isinstance(value := exchange.arguments.get(name), list)), [])
    entries = [entry for entry in todos if isinstance(entry, Mapping)][:ENTRIES_LIMIT]
    listed = [(_todo_state(entry), one_line(_todo_words(entry), 300)) for entry in entries]
    now = next((words for state, words in listed if state == "now"), "")
    done = sum(state == "done" for state, _ in listed)
    drawn = Card("tick", "To do", _what(now, exchange), [f"{done} of {len(listed)} done"], state_words="noted")
    drawn.bodies.append(Body("transcript/_todo.html", entries=listed))
    return drawn


def _todo_state(entry: Mapping[str, Any]) -> str:
    status = str(entry.get("status", ""))
    return {"completed": "done", "done": "done", "in_progress": "now", "cancelled": "dropped"}.get(status, "open")


def _todo_words(entry: Mapping[str, Any]) -> str:
    return next((str(entry[name]) for name in ("content", "step", "text", "description") if entry.get(name)), "")


def _plan(exchange: Exchange) -> Card:
    plan = exchange.text("plan")
    drawn = Card("document", "Plan", _what(plan.strip().lstrip("#"), exchange), state_words="approved")
    drawn.bodies.append(_prose(plan, exchange, exchange.call_source))
    return drawn


def _question(exchange: Exchange) -> Card:
    questions = exchange.arguments.get("questions")
    asked = [one["question"] for one in questions if _is_question(one)] if isinstance(questions, list) else []
    asked = asked[:ENTRIES_LIMIT] or [exchange.text("question")]
    drawn = Card("person", "Question", _what(asked[0], exchange), state_words="answered")
    drawn.bodies.append(Body("transcript/_todo.html", entries=[("asked", one_line(words, 500)) for words in asked]))
    return drawn


def _is_question(one: Any) -> bool:
    return isinstance(one, Mapping) and isinstance(one.get("question"), str)


def _mcp(exchange: Exchange) -> Card:
    _, server, *rest = exchange.name.split("__")
    drawn = _other(exchange)
    drawn.icon, drawn.label = "plug", one_line(f"{server}: {'__'.join(rest)}", 60)
    return drawn


def _other(exchange: Exchange) -> Card:
    label = one_line(exchange.name, 60) or ("Tool" if exchange.call else "Result of a tool")
    words = [f"{value}" for value in exchange.arguments.values() if isinstance(value, str) and value]
    drawn = Card("tool", label, _what(words[0] if words else exchange.script, exchange), state_words="ok")
    if exchange.call and exchange.call.arguments not in (None, "", {}, []):
        drawn.bodies.append(Body("transcript/_json.html", json_tree.to_html(exchange.call.arguments, exchange.query)))
    return drawn


def _what(words: str, exchange: Exchange) -> SafeString:
    return escape_and_mark(one_line(words), exchange.query)


def _path(path: str, exchange: Exchange) -> SafeString:
    """From the project's directory, where it lies in it."""
    base = exchange.base.rstrip("/") + "/"
    return _what(path.removeprefix(base) if len(base) > 1 else path, exchange)


def _output(text: str, exchange: Exchange, *, as_prose: bool) -> list[Body]:
    if not text.strip() or exchange.result_source is None:
        return []
    if as_prose:
        return [_prose(text, exchange, exchange.result_source)]
    piece = _piece(text, exchange)
    html = ansi.to_html(piece.text, exchange.query)
    more, shown = _rest(piece)
    return [Body("transcript/_terminal.html", html, more=more, shown=shown, source=exchange.result_source)]


def _code(text: str, language: str, exchange: Exchange, source: Source) -> Body:
    piece = _piece(text, exchange)
    html = escape_and_mark(visible(piece.text), exchange.query)
    more, shown = _rest(piece)
    return Body("transcript/_code.html", html, language=language, more=more, shown=shown, source=source)


def _prose(text: str, exchange: Exchange, source: Source) -> Body:
    if exchange.budget.allows(text):
        return Body("transcript/_prose.html", markdown.to_html(text, exchange.query))
    return _code(text, "", exchange, source)


def _piece(text: str, exchange: Exchange) -> Cut:
    return cut(text, FULL_LIMIT, FULL_LIMIT) if exchange.is_full else cut(text)


def _rest(piece: Cut) -> tuple[str, str]:
    """The link to the rest, and how much is shown; empty where all of it is."""
    if not piece.is_cut:
        return "", ""
    size = size_text(piece.size)
    more = f"Show all {piece.lines:,} lines ({size})" if piece.lines > 1 else f"Show all ({size})"
    return more, f"first {piece.shown_lines} shown" if piece.lines > 1 else ""


def _language(path: str) -> str:
    return LANGUAGES.get(path.rpartition(".")[2].lower(), "")


LANGUAGES = {
    "py": "python", "js": "javascript", "mjs": "javascript", "jsx": "javascript", "ts": "typescript",
    "tsx": "typescript", "rs": "rust", "go": "go", "java": "java", "kt": "kotlin", "c": "c", "h": "c", "cpp": "cpp",
    "cc": "cpp", "cs": "csharp", "rb": "ruby", "php": "php", "swift": "swift", "sh": "bash", "sql": "sql",
    "html": "xml", "xml": "xml", "svg": "xml", "css": "css", "scss": "scss", "json": "json", "yml": "yaml",
    "yaml": "yaml", "toml": "ini", "ini": "ini", "md": "markdown", "lua": "lua", "r": "r", "diff": "diff",
}  # fmt: skip

FAMILIES: dict[str, Callable[[Exchange], Card]] = {
    name: family
    for family, names in {
        _shell: "bash bashoutput killbash killshell shell shellcommand localshell localshellcall execcommand "
        "runshellcommand runterminalcmd writestdin execute terminal",
        _read: "read readfile readmanyfiles view notebookread openfile viewimage cat",
        _edit: "edit multiedit strreplace strreplacebasededittool applypatch replace notebookedit editfile",
        _write: "write writefile createfile",
        _search: "grep glob ls search searchfilecontent listdirectory listdir find ripgrep codebasesearch",
        _web: "websearch webfetch googlewebsearch websearchcall fetch",
        _task: "task agent spawnagent waitagent delegate",
        _todo: "todowrite updateplan todo",
        _plan: "exitplanmode",
        _question: "askuserquestion askuser",
    }.items()
    for name in names.split()
}
