"""Secrets as providers make them, from their public descriptions and none of our rules; and lines that hold none."""

from __future__ import annotations

import base64
import json
import random
import string
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import django

LOWER, UPPER, DIGITS = string.ascii_lowercase, string.ascii_uppercase, string.digits
LETTERS, MIXED = string.ascii_letters, string.ascii_letters + string.digits
HEX, URL_SAFE, BASE64 = "0123456789abcdef", MIXED + "-_", MIXED + "+/"


class Maker:
    """Draws characters, the same ones for the same seed."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.drawn: list[str] = []

    def of(self, alphabet: str, length: int) -> str:
        self.drawn.append("".join(self.random.choice(alphabet) for _ in range(length)))
        return self.drawn[-1]

    def mixed(self, length: int) -> str:
        return self.of(MIXED, length)

    def hex(self, length: int) -> str:
        return self.of(HEX, length)

    def password(self) -> str:
        """As a manager of passwords makes them."""
        found = [self.of(LOWER, 5), self.of(UPPER, 3), self.of(DIGITS, 3), self.of("!%+_~", 1)]
        letters = list("".join(found))
        self.random.shuffle(letters)
        self.drawn.append(self.random.choice(LETTERS) + "".join(letters))
        return self.drawn[-1]

    def json(self, **value: object) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")

    def pem(self, kind: str, lines: int) -> str:
        body = "\n".join(self.of(BASE64, 64) for _ in range(lines))
        return f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----"


# What a provider hands out, by its own name.
KINDS: dict[str, Callable[[Maker], str]] = {
    "GitHub personal access token": lambda m: "ghp_" + m.mixed(36),
    "GitHub fine-grained token": lambda m: f"github_pat_{m.of(UPPER + DIGITS, 22)}_{m.mixed(59)}",
    "GitHub server token": lambda m: "ghs_" + m.mixed(36),
    "GitLab personal access token": lambda m: "glpat-" + m.of(URL_SAFE, 19) + "7",
    "GitLab runner token": lambda m: "glrt-" + m.of(URL_SAFE, 19) + "a",
    "Anthropic": lambda m: f"sk-ant-api03-{m.of(URL_SAFE, 93)}AA",
    "OpenAI, old": lambda m: f"sk-{m.mixed(20)}T3BlbkFJ{m.mixed(20)}",
    "OpenAI, of a project": lambda m: f"sk-proj-{m.of(URL_SAFE, 74)}T3BlbkFJ{m.of(URL_SAFE, 73)}A",
    "OpenRouter": lambda m: "sk-or-v1-" + m.hex(64),
    "Hugging Face": lambda m: "hf_" + m.of(LETTERS, 34),
    "Groq": lambda m: "gsk_" + m.mixed(52),
    "Replicate": lambda m: "r8_" + m.mixed(37),
    "AWS access key": lambda m: "AKIA" + m.of(UPPER + "234567", 16),
    "AWS temporary key": lambda m: "ASIA" + m.of(UPPER + "234567", 16),
    "Google API": lambda m: "AIza" + m.of(URL_SAFE, 34) + "8",
    "Google client secret": lambda m: "GOCSPX-" + m.of(URL_SAFE, 27) + "k",
    "Google access token": lambda m: "ya29." + m.of(URL_SAFE, 160) + "x",
    "Slack bot": lambda m: f"xoxb-{m.of(DIGITS, 12)}-{m.of(DIGITS, 12)}-{m.mixed(24)}",
    "Slack user": lambda m: f"xoxp-{m.of(DIGITS, 12)}-{m.of(DIGITS, 12)}-{m.of(DIGITS, 12)}-{m.hex(32)}",
    "Slack webhook": lambda m: f"https://hooks.slack.com/services/T{m.of(UPPER, 8)}/B{m.of(UPPER, 8)}/{m.mixed(24)}",
    "Stripe": lambda m: "sk_live_" + m.mixed(24),
    "Stripe, restricted": lambda m: "rk_live_" + m.mixed(99),
    "Stripe webhook": lambda m: "whsec_" + m.mixed(32),
    "Twilio": lambda m: "SK" + m.hex(32),
    "SendGrid": lambda m: f"SG.{m.of(URL_SAFE, 22)}.{m.of(URL_SAFE, 42)}d",
    "Mailgun": lambda m: "key-" + m.hex(32),
    "Mailchimp": lambda m: m.hex(32) + "-us" + m.of("123456789", 1),
    "npm": lambda m: "npm_" + m.mixed(36),
    "PyPI": lambda m: "pypi-AgEIcHlwaS5vcmc" + m.of(URL_SAFE, 150) + "Q",
    "RubyGems": lambda m: "rubygems_" + m.hex(48),
    "Docker Hub": lambda m: "dckr_pat_" + m.of(URL_SAFE, 26) + "s",
    "DigitalOcean": lambda m: "dop_v1_" + m.hex(64),
    "Databricks": lambda m: "dapi" + m.hex(32),
    "Azure storage": lambda m: f"DefaultEndpointsProtocol=https;AccountName=logs;AccountKey={m.of(BASE64, 86)}==",
    "Shopify": lambda m: "shpat_" + m.hex(32),
    "Square": lambda m: "sq0csp-" + m.of(URL_SAFE, 42) + "1",
    "Telegram": lambda m: f"{m.of('123456789', 10)}:AA{m.of(URL_SAFE, 32)}w",
    "Discord bot": lambda m: f"MT{m.mixed(24)}.{m.of(URL_SAFE, 6)}.{m.of(URL_SAFE, 37)}q",
    "Discord webhook": lambda m: f"https://discord.com/api/webhooks/{m.of('123456789', 18)}/{m.of(URL_SAFE, 67)}b",
    "Atlassian": lambda m: "ATATT3xFfGF0" + m.of(URL_SAFE, 170) + "=" + m.of(HEX[:10] + "ABCDEF", 8),
    "Linear": lambda m: "lin_api_" + m.mixed(40),
    "Notion": lambda m: "ntn_" + m.of(DIGITS, 11) + m.mixed(35),
    "Vault": lambda m: "hvs." + m.of(URL_SAFE, 94) + "c",
    "Terraform Cloud": lambda m: f"{m.mixed(14)}.atlasv1.{m.mixed(67)}",
    "Grafana": lambda m: f"glsa_{m.mixed(32)}_{m.hex(8)}",
    "New Relic": lambda m: "NRAK-" + m.of(UPPER + DIGITS, 27),
    "Supabase": lambda m: "sbp_" + m.hex(40),
    "Tailscale": lambda m: f"tskey-auth-k{m.mixed(11)}CNTRL-{m.mixed(32)}",
    "Figma": lambda m: "figd_" + m.of(URL_SAFE, 39) + "z",
    "Postman": lambda m: f"PMAK-{m.hex(24)}-{m.hex(34)}",
    "age": lambda m: "AGE-SECRET-KEY-1" + m.of("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58),
    "RSA key": lambda m: m.pem("RSA ", 12),
    "OpenSSH key": lambda m: m.pem("OPENSSH ", 6),
    "PKCS 8 key": lambda m: m.pem("", 8),
    "JWT": lambda m: f"{m.json(alg='HS256', typ='JWT')}.{m.json(sub=m.of(DIGITS, 9), name='Ann')}.{m.of(URL_SAFE, 42)}k",
    "PostgreSQL address": lambda m: f"postgresql://shop:{m.password()}@db.internal:5432/shop",
    "Redis address": lambda m: f"redis://:{m.mixed(20)}@cache:6379/0",
    "Git address": lambda m: f"https://deploy:{m.mixed(24)}@git.example.org/shop.git",
    "Authorization, bearer": lambda m: f"Authorization: Bearer {m.mixed(40)}",
    "Authorization, basic": lambda m: "Authorization: Basic " + base64.b64encode(f"ann:{m.password()}".encode()).decode(),
    "curl": lambda m: f"curl -H 'X-Api-Key: {m.hex(32)}' https://api.example.org/v1/orders",
    "line of .env": lambda m: f"PAYMENT_API_KEY={m.mixed(32)}",
    "line of .env, quoted": lambda m: f'DJANGO_SECRET_KEY="{m.of(LOWER + DIGITS + "!@#%^&*(-_=+)", 48)}a1!"',
    "password of .env": lambda m: f"DB_PASSWORD={m.password()}",
    "AWS secret": lambda m: f"aws_secret_access_key = {m.of(BASE64, 40)}",
    "member of JSON": lambda m: json.dumps({"user": "ann", "password": m.password()}),
    "member of YAML": lambda m: f"  client_secret: {m.mixed(32)}",
    "in Python": lambda m: f'client = Client(api_key="{m.hex(40)}")',
}  # fmt: skip

# Where people and programs leave them.
PLACES = (
    "{}",
    "here it is: {}",
    "{} # do not commit",
    "+{}",
    "$ export TOKEN; run '{}'",
    "2026-11-27 12:00:01 INFO got {} from the page",
    "| name | {} |",
    "(see {})",
    "ответ: {}",
    "```\n{}\n```",
)


def secrets(count: int = 300, seed: int = 1) -> list[tuple[str, str, str]]:
    """Kind, what was drawn for the secret, and the text in which it stands; every kind as often as any other."""
    maker, found = Maker(seed), []
    kinds = list(KINDS)
    for number in range(count):
        kind = kinds[number % len(kinds)]
        maker.drawn.clear()
        made = KINDS[kind](maker)
        place = PLACES[(number // len(kinds) + number) % len(PLACES)]
        found.append((kind, max(maker.drawn, key=len), place.format(made)))
    return found


def harmless_lines(count: int = 10_000, seed: int = 2) -> list[str]:
    """Of Django's own source and of our pages, and lines made to be taken for secrets: digests, ids, placeholders."""
    made = list(_made(Maker(seed), count // 5))
    lines = [*_lines(Path(django.__file__).parent, "*.py"), *_lines(Path(__file__).parent.parent / "docs", "*.md")]
    return [*made, *random.Random(seed).sample(lines, count - len(made))]


def _lines(root: Path, pattern: str) -> Iterator[str]:
    for path in sorted(root.rglob(pattern)):
        yield from (line for line in path.read_text("utf-8", "replace").splitlines() if line.strip())


def _made(m: Maker, count: int) -> Iterator[str]:
    shapes: list[Callable[[], str]] = [
        lambda: f"commit {m.hex(40)}",
        lambda: f"index {m.hex(7)}..{m.hex(7)} 100644",
        lambda: f"    --hash=sha256:{m.hex(64)}",
        lambda: f'"integrity": "sha512-{m.of(BASE64, 86)}=="',
        lambda: f"session {uuid.UUID(int=m.random.getrandbits(128))} opened",
        lambda: f'{{"id": "msg_{m.mixed(22)}", "usage": {{"input_tokens": {m.of(DIGITS, 5)}}}}}',
        lambda: f'{{"tool_use_id": "toolu_{m.mixed(24)}", "type": "tool_result"}}',
        lambda: f"max_tokens={m.of('123456789', 4)}, temperature=0.{m.of(DIGITS, 1)}",
        lambda: 'api_key = os.environ["SHOP_API_KEY"]',
        lambda: "API_KEY=your_api_key_here",
        lambda: 'password = getpass("Password: ")',
        lambda: "token: str | None = None",
        lambda: f'<img src="data:image/png;base64,{m.of(BASE64, 80)}">',
        lambda: f"https://example.org/{m.of(LOWER, 9)}?page={m.of(DIGITS, 2)}&sort=newest#{m.of(LOWER, 6)}",
        lambda: f"ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{m.of(BASE64, 43)} ann@laptop",
        lambda: f"-----BEGIN CERTIFICATE----- {m.of(BASE64, 64)}",
        lambda: f"PASS tests/{m.of(LOWER, 8)}.test.ts ({m.of('123456789', 2)}.{m.of(DIGITS, 1)} s)",
        lambda: f"const token = await getToken({m.of(LOWER, 5)});",
        lambda: f"Set PASSWORD to a password of at least {m.of('123456789', 2)} characters.",
        lambda: f"ghp_{'x' * 36} is how a token looks",
        lambda: "postgresql://user:password@localhost/db",
        lambda: f"tokenizer={m.of(LOWER, 6)}-{m.of(DIGITS, 1)}b, vocab {m.of('123456789', 5)}",
        lambda: f"    at {m.of(LOWER, 7)} (/code/shop/{m.of(LOWER, 6)}.ts:{m.of('123456789', 3)}:{m.of(DIGITS, 2)})",
        lambda: f"secret_name: {m.of(LOWER, 6)}-{m.of(LOWER, 7)}-credentials",
        lambda: f"ETag: W/\"{m.hex(32)}\"",
        lambda: f"key={m.of(LOWER, 9)} value={m.of(DIGITS, 6)}",
        lambda: "AWS_SECRET_ACCESS_KEY=<your secret key>",
        lambda: f"Authorization: Bearer ${m.of(UPPER, 6)}_TOKEN",
    ]  # fmt: skip
    for number in range(count):
        yield shapes[number % len(shapes)]()
