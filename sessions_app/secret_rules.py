"""Finds what gives access: tokens of providers in their public formats, keys, passwords in addresses and assignments.

One pass of google-re2 over a text says which rules may fit at all, so a text without secrets costs little, and none can
make it slow. What a rule finds is a secret only if it also looks like one: not a name, a placeholder or a call.
"""

from __future__ import annotations

import re as characters  # one class of single characters; every pattern over content is RE2's
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from math import log2
from typing import Any

import re2

_SURROGATES = characters.compile("[\ud800-\udfff]")
END = r"(?:[^A-Za-z0-9_-]|$)"
START = r"(?:^|[^A-Za-z0-9_-])"


@dataclass(frozen=True, slots=True)
class Secret:
    """The characters [start, stop) of a text; `kind` says in words what they are."""

    start: int
    stop: int
    kind: str


def find(text: str) -> list[Secret]:
    """The secrets of a text in their order; none lies within another."""
    if not text:
        return []
    if not text.isascii():
        text = _SURROGATES.sub("\ufffd", text)  # of the same length, and known to UTF-8
    found = [secret for number in _possible().Match(text) or () for secret in _of(RULES[number], text)]
    return _apart(found)


def redacted(text: str, further: tuple[str, ...] = ()) -> str:
    """The text with a word about it in the place of each secret, and of each further text."""
    parts, last = [], 0
    for secret in find(text):
        parts += [text[last : secret.start], mark(secret.kind)]
        last = secret.stop
    text = "".join([*parts, text[last:]])
    for each in further:
        text = text.replace(each, mark("text"))
    return text


def mark(kind: str) -> str:
    return f"[redacted {kind}]"


def redacted_value(value: Any, further: tuple[str, ...] = ()) -> Any:
    """The same of all strings of a JSON value, its keys among them; what holds no secret is given back as it is.

    What stands under a key that names a secret is one, though nothing in it says so.
    """
    if isinstance(value, str):
        changed = redacted(value, further)
        return value if changed == value else changed
    if isinstance(value, dict):
        return {redacted_value(key, further): _under(key, item, further) for key, item in value.items()}
    if isinstance(value, list):
        return [redacted_value(item, further) for item in value]
    return value


def kinds(value: Any) -> dict[str, str]:
    """The secrets of a JSON value as they stand in it, and what each is."""
    found: dict[str, str] = {}
    for text, kind in _all_of(value):
        found.setdefault(text, kind)
    return found


def holds_any(value: Any, most: int | None = None) -> bool:
    """Whether there is a secret in it; of each string the first `most` characters are looked at."""
    return next(_all_of(value, most), None) is not None


# Helpers, in the order in which they are called


def _all_of(value: Any, most: int | None = None) -> Iterator[tuple[str, str]]:
    stack = [("", value)]
    while stack:
        key, value = stack.pop()
        if isinstance(value, str):
            found = find(value if most is None else value[:most])
            yield from ((value[secret.start : secret.stop], secret.kind) for secret in found)
            if not found and _is_named(key, value):
                yield value, "value"
        elif isinstance(value, dict):
            stack += [("", name) for name in value]
            stack += [(str(name), item) for name, item in value.items()]
        elif isinstance(value, list):
            stack += [(key, item) for item in value]


@cache
def _possible() -> Any:
    options = re2.Options()
    options.max_mem = 64 << 20  # bytes, of which it takes what it needs
    options.never_capture = True
    found = re2.Set.SearchSet(options)
    for rule in RULES:
        found.Add(rule.pattern)
    found.Compile()
    return found


def _of(rule: Rule, text: str) -> Iterator[Secret]:
    for match in rule.compiled().finditer(text):
        start, stop = match.span(1)
        if rule.accepts(text[start:stop]):
            yield Secret(start, stop, rule.kind)


def _apart(found: list[Secret]) -> list[Secret]:
    """Of those that overlap, the first and longest; what an earlier rule names is the better word for it."""
    kept: list[Secret] = []
    for secret in sorted(found, key=lambda secret: (secret.start, -secret.stop)):
        if not kept or secret.start >= kept[-1].stop:
            kept.append(secret)
        elif secret.stop > kept[-1].stop:
            kept[-1] = Secret(kept[-1].start, secret.stop, kept[-1].kind)
    return kept


def _under(key: Any, value: Any, further: tuple[str, ...]) -> Any:
    changed = redacted_value(value, further)
    return mark("value") if changed == value and isinstance(value, str) and _is_named(key, value) else changed


def _is_named(key: str, value: str) -> bool:
    """Whether a member of a JSON object is one such as "api_key": "…"."""
    if len(value) > LONGEST or _SURROGATES.search(key):
        return False
    return bool(_NAME.fullmatch(key)) and is_likely(_SURROGATES.sub("\ufffd", value))


# What looks like a secret


def always(found: str) -> bool:
    return True


def is_mixed(found: str) -> bool:
    """Drawn by chance: not a word, nor one digit over and over."""
    return _entropy(found) >= 2.5 and not _is_placeholder(found)


def is_likely(found: str) -> bool:
    """What a person or a machine would take for a password or key, where one is named."""
    if len(found) < 8 or _is_placeholder(found):
        return False
    if _NO_SECRET.search(found) and not (len(found) >= 32 and _has_digit(found) and _entropy(found) >= 4.5):
        return False
    has_digit = any(letter.isdigit() for letter in found)
    has_letter = any(letter.isalpha() for letter in found)
    if has_digit and has_letter:
        return _entropy(found) >= 2.5
    has_mark = any(not letter.isalnum() and letter not in "_-./" for letter in found)
    return has_letter and has_mark and _entropy(found) >= 3


def is_password(found: str) -> bool:
    """Of an address, where any word may be one."""
    return len(found) >= 3 and not _is_placeholder(found) and found[0] not in "$<{%[("


def is_basic(found: str) -> bool:
    return len(found) >= 8 and not _is_placeholder(found) and (len(found) >= 16 or any(map(str.isdigit, found)))


def _entropy(text: str) -> float:
    """Bits a character."""
    return -sum(count / len(text) * log2(count / len(text)) for count in Counter(text).values())


def _is_placeholder(text: str) -> bool:
    low = text.lower()
    return bool(_PLACEHOLDER.search(low)) or len(set(low)) <= 3


_PLACEHOLDER = re2.compile(
    r"x{4}|\*{3}|\.\.\.|…|0{6}|123456|redacted|placeholder|changeme|change[-_]me|your[-_ ]|[-_]here$|^<|>$|^\$|\{\{|^%"
    r"|^(?:password|passwd|secret|token|none|null|true|false|string|undefined|example|user|pass|pwd|test|dummy|foo|bar)$"
)
# Calls, members, paths, types and addresses are no secrets, though they stand where one is named.
_NO_SECRET = re2.compile(
    r"[(){}\[\]<>]|^[/.~]|^[a-z][a-z0-9+.]*://|^(?:self|cls|os|process|request|settings|config|env|this|args|options)[._]"
    r"|^[A-Za-z_]+(?:\.[A-Za-z_][A-Za-z0-9_]*)+$|^[A-Za-z_]+$|^[a-z]+(?:[-_][a-z]+)+$|^[\d.,:-]+$|^v?\d+\.\d+"
    r"|^sha(?:1|256|384|512)[-:]|^\d{4}-\d\d-\d\d"
)
LONGEST = 4096  # characters of what stands under a name
_NAMES = (
    r"(?:[a-z0-9]+[_.-]?)*?(?:api[_-]?key|apikey|access[_-]?key|secret[_-]?key|private[_-]?key|signing[_-]?key|encryption[_-]?key"
    r"|auth[_-]?key|master[_-]?key|account[_-]?key|shared[_-]?access[_-]?key|client[_-]?secret|secret|token|password|passwd"
    r"|passphrase|pwd|credentials?)"
)
_NAME = re2.compile(f"(?i){_NAMES}")


@dataclass(frozen=True, slots=True)
class Rule:
    """The only group of `pattern` is the secret in what it finds."""

    kind: str
    pattern: str
    accepts: Callable[[str], bool] = always

    def compiled(self) -> Any:
        return _compiled(self.pattern)


@cache
def _compiled(pattern: str) -> Any:
    return re2.compile(pattern)


def _token(kind: str, pattern: str, accepts: Callable[[str], bool] = is_mixed) -> Rule:
    return Rule(kind, f"{START}({pattern}){END}", accepts)


_WORD = "[A-Za-z0-9_-]"
RULES = (
    Rule(
        "private key",
        r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|[A-Za-z0-9+/=:,.()\s-])*?"
        r"-----END [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----)",
    ),
    Rule(  # that was cut off
        "private key",
        r"(-----BEGIN [A-Z0-9 ]*PRIVATE KEY(?: BLOCK)?-----(?:\\[nr]|\s|[A-Za-z0-9+/=]{16,})*)",
        lambda found: len(found) > 80,
    ),
    _token("age key", "AGE-SECRET-KEY-1[0-9A-Z]{58}"),
    _token("GitHub token", "gh[oprsu]_[A-Za-z0-9]{36,}"),
    _token("GitHub token", "github_pat_[A-Za-z0-9_]{36,}"),
    _token("GitLab token", f"gl(?:pat|dt|rt|cbt|ptt|ft|soat|imt|agent|oas|ffct)-{_WORD}{{20,}}"),
    _token("Anthropic key", f"sk-ant-{_WORD}{{20,}}"),
    _token("OpenRouter key", "sk-or-v1-[0-9a-f]{64}"),
    _token("OpenAI key", f"sk-(?:proj-|svcacct-|admin-|None-)?{_WORD}{{20,}}", lambda found: is_mixed(found[3:]) and _has_digit(found)),
    _token("Hugging Face token", "(?:hf|api_org)_[A-Za-z]{34,40}"),
    _token("Hugging Face token", "(?:hf|api_org)_[A-Za-z0-9]{34,40}"),
    _token("Groq key", "gsk_[A-Za-z0-9]{48,60}"),
    _token("xAI key", "xai-[A-Za-z0-9]{70,90}"),
    _token("Perplexity key", "pplx-[A-Za-z0-9]{40,60}"),
    _token("Replicate token", "r8_[A-Za-z0-9]{37,40}"),
    _token("AWS access key", "(?:AKIA|ASIA|ABIA|ACCA)[A-Z2-7]{16}"),
    Rule(
        "AWS secret key",
        r"(?i)aws.{0,20}?(?:secret|key|sk).{0,20}?['\"=:\s]([A-Za-z0-9/+]{40})(?:[^A-Za-z0-9/+=]|$)",
        lambda found: is_mixed(found) and _has_digit(found) and any(map(str.isupper, found)),
    ),
    _token("Google API key", f"AIza{_WORD}{{35}}"),
    _token("Google client secret", f"GOCSPX-{_WORD}{{28}}"),
    _token("Google access token", r"ya29\.[A-Za-z0-9_-]{20,}"),
    _token("Google refresh token", r"1//0[A-Za-z0-9_-]{40,}"),
    _token("Slack token", "xox[abceoprs]-[A-Za-z0-9-]{10,}", lambda found: _has_digit(found) and is_mixed(found)),
    _token("Slack token", "xoxe\\.xox[bp]-[0-9]-[A-Za-z0-9]{100,}"),
    _token("Slack token", "xapp-[0-9]-[A-Za-z0-9-]{20,}"),
    Rule("Slack webhook", r"(hooks\.slack\.com/(?:services|workflows|triggers)/[A-Za-z0-9/]{20,})"),
    _token("Stripe key", "[sr]k_(?:live|test|prod)_[A-Za-z0-9]{16,}"),
    _token("Stripe webhook secret", "whsec_[A-Za-z0-9+/=]{24,}"),
    _token("Twilio key", "SK[0-9a-f]{32}"),
    _token("SendGrid key", rf"SG\.{_WORD}{{16,32}}\.{_WORD}{{16,64}}"),
    _token("Mailgun key", "key-[0-9a-f]{32}"),
    _token("Mailgun key", "[0-9a-f]{32}-[0-9a-f]{8}-[0-9a-f]{8}"),
    _token("Mailchimp key", "[0-9a-f]{32}-us[0-9]{1,2}"),
    _token("Brevo key", "xkeysib-[0-9a-f]{64}-[A-Za-z0-9]{16}"),
    _token("npm token", "npm_[A-Za-z0-9]{36}"),
    _token("PyPI token", f"pypi-{_WORD}{{50,}}"),
    _token("RubyGems key", "rubygems_[0-9a-f]{48}"),
    _token("crates.io token", "cio[A-Za-z0-9]{32}", lambda found: _has_digit(found) and is_mixed(found)),
    _token("Docker Hub token", f"dckr_(?:pat|oat)_{_WORD}{{27,40}}"),
    _token("NuGet key", "oy2[a-z0-9]{43}"),
    _token("Artifactory token", "AKC[A-Za-z0-9]{60,}"),
    _token("DigitalOcean token", "do[opr]_v1_[0-9a-f]{64}"),
    _token("Heroku key", f"HRKU-{_WORD}{{36,70}}"),
    _token("Databricks token", "dapi[0-9a-f]{32}(?:-[0-9])?"),
    _token("Azure client secret", r"[A-Za-z0-9_~.]{3}[0-9]Q~[A-Za-z0-9_~.-]{31,34}"),
    Rule("Azure storage key", r"(?i)accountkey=([A-Za-z0-9+/]{60,}={0,2})", is_mixed),
    Rule("shared access signature", r"[?&]sig=([A-Za-z0-9%+/=]{30,})", is_mixed),
    _token("Square token", f"(?:sq0atp|sq0csp|sq0idp)-{_WORD}{{22,60}}"),
    _token("Square token", f"EAAA[lE]{_WORD}{{56,70}}"),
    _token("Shopify token", "shp(?:at|ca|pa|ss|ua)_[0-9a-fA-F]{32}"),
    _token("Telegram bot token", f"[0-9]{{8,10}}:AA{_WORD}{{33}}"),
    _token("Discord token", rf"[MNO][A-Za-z0-9_-]{{23,27}}\.{_WORD}{{6}}\.{_WORD}{{27,40}}"),
    Rule("Discord webhook", rf"(discord(?:app)?\.com/api/webhooks/[0-9]{{17,20}}/{_WORD}{{60,80}})"),
    _token("Atlassian token", r"AT(?:ATT|CTT|BBT)3?[A-Za-z0-9_=-]{24,}", lambda found: _has_digit(found) and is_mixed(found)),
    _token("Linear key", "lin_(?:api|oauth)_[A-Za-z0-9]{32,64}"),
    _token("Notion token", "ntn_[A-Za-z0-9]{40,60}"),
    _token("Notion token", "secret_[A-Za-z0-9]{43}"),
    _token("Vault token", r"hv[bsr]\.[A-Za-z0-9_-]{24,}"),
    _token("Terraform token", r"[A-Za-z0-9]{14}\.atlasv1\.[A-Za-z0-9_=-]{60,80}"),
    _token("Grafana token", r"glsa_[A-Za-z0-9]{32}_[0-9A-Fa-f]{8}"),
    _token("Grafana token", r"glc_[A-Za-z0-9+/=]{32,}"),
    _token("Sentry token", "sntry[us]_[A-Za-z0-9+/=_-]{32,}"),
    _token("New Relic key", "NRAK-[A-Z0-9]{27}"),
    _token("New Relic key", "NRJS-[0-9a-f]{19}"),
    _token("Doppler token", r"dp\.(?:pt|st|ct|sa|scim|audit)\.[A-Za-z0-9.]{40,60}"),
    _token("Pulumi token", "pul-[0-9a-f]{40}"),
    _token("Fly.io token", "fo1_[A-Za-z0-9_-]{43}"),
    Rule("Fly.io token", r"(fm[12][ar]?_[A-Za-z0-9+/=]{80,})"),
    _token("Netlify token", "nf[pcou]_[A-Za-z0-9]{36,40}"),
    _token("Supabase token", "sb(?:p|_secret|_publishable)_[A-Za-z0-9_]{30,60}"),
    _token("PlanetScale token", "pscale_(?:tkn|pw|oauth)_[A-Za-z0-9_.=-]{32,64}"),
    _token("Tailscale key", "tskey-[a-z]+-[A-Za-z0-9]{8,20}-[A-Za-z0-9]{20,40}"),
    _token("Postman key", "PMAK-[0-9a-f]{24}-[0-9a-f]{34}"),
    _token("Airtable token", r"pat[A-Za-z0-9]{14}\.[0-9a-f]{64}"),
    _token("Figma token", f"fig[duor]_{_WORD}{{40,60}}"),
    _token("Dropbox token", r"sl\.[A-Za-z0-9_-]{100,}"),
    _token("Contentful token", f"CFPAT-{_WORD}{{43}}"),
    _token("Facebook token", "EAA[A-Za-z0-9]{80,}"),
    _token("SonarQube token", "sq[pua]_[0-9a-f]{40}"),
    _token("Buildkite token", "bkua_[0-9a-f]{40}"),
    _token("CircleCI token", "CCIPAT_[A-Za-z0-9]{22}_[0-9a-f]{40}"),
    _token("Dynatrace token", r"dt0[a-z][0-9]{2}\.[A-Z0-9]{24}\.[A-Z0-9]{64}"),
    _token("Typeform token", r"tfp_[A-Za-z0-9_.=-]{40,70}"),
    _token("EasyPost key", "EZ[AT]K[A-Za-z0-9]{54}"),
    _token("Duffel token", f"duffel_(?:test|live)_{_WORD}{{43}}"),
    _token("LangSmith key", "lsv2_(?:pt|sk)_[0-9a-f]{32}_[0-9a-f]{10}"),
    _token("Pinecone key", "pcsk_[A-Za-z0-9_]{50,}"),
    _token("1Password token", r"ops_eyJ[A-Za-z0-9+/=_-]{100,}"),
    _token("Forklore token", "forklore_[A-Za-z0-9_-]{30,}"),
    Rule("JSON web token", rf"{START}(eyJ[A-Za-z0-9_-]{{8,}}\.eyJ[A-Za-z0-9_-]{{8,}}\.[A-Za-z0-9_-]{{10,}})"),
    Rule("password", r"[a-z][a-z0-9+.-]*://[^\s/:@'\"<>`]*:([^\s/@'\"<>`]+)@[^\s/@'\"<>`]", is_password),
    Rule(
        "credential",
        r"(?i)(?:authorization|x-api-key|x-auth-token|private-token|api-key|x-amz-security-token)['\"]?\s*[:=]\s*['\"]?"
        r"(?:(?:bearer|basic|token|digest|apikey)\s+)?([A-Za-z0-9+/=_.~:-]{8,})",
        is_basic,
    ),
    Rule("credential", r"(?i)\bbearer\s+([A-Za-z0-9+/=_.~-]{16,})", lambda found: is_mixed(found) and _has_digit(found)),
    Rule("cookie", r"(?i)(?:set-)?cookie:.{0,200}?(?:session|sid|auth|token)[a-z_]*=([A-Za-z0-9%+/=_.~-]{16,})", is_mixed),
    Rule(
        "value",
        r"(?:^|[^A-Za-z0-9_])[A-Z][A-Z0-9_]*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)=['\"]([^\s'\"`]{8,})['\"]",
        is_likely,
    ),
    # NAME_KEY=value in the words of a shell or an .env file; a number or a word is none.
    Rule(
        "value",
        r"(?:^|[^A-Za-z0-9_])[A-Z][A-Z0-9_]*(?:KEY|SECRET|TOKEN|PASSWORD|PASSWD|PASS|PWD|CREDENTIALS?)=['\"]?"
        r"([^\s'\"`;&|]{8,})",
        is_likely,
    ),
    Rule(
        "value",
        rf"(?i)(?:^|[^a-z0-9_]){_NAMES}['\"]?\s{{0,8}}(?::|=|:=|=>)\s{{0,8}}['\"]([^\s'\"`]{{8,}})['\"]",
        is_likely,
    ),
    Rule(
        "value",
        rf"(?im)(?:^|[\s,;?&{{(]){_NAMES}\s{{0,8}}(?::|=)\s{{0,8}}([^\s'\"`,;&(){{}}]{{8,}})(?:[\s,;&)]|$)",
        is_likely,
    ),
    Rule("value", r"--(?:password|passwd|token|secret|api-key|access-token)[= ]['\"]?([^\s'\"`]{8,})", is_likely),
)  # fmt: skip


def _has_digit(text: str) -> bool:
    return any(map(str.isdigit, text))
