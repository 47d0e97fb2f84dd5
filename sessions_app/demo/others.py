"""The demo's smaller projects: a tide forecast, a shopping list, a map server, a reader for Chinese books, servers."""

from __future__ import annotations

from sessions_app.demo.conversation import CodexConversation, Conversation
from sessions_app.demo.pictures import bar_chart
from sessions_app.demo.plan import Planned

TIDEWATCH, PANTRY, ATLAS = "/home/ann/code/tidewatch", "/home/ann/code/pantry", "/home/ann/code/atlas"
READER, SERVERS = "/home/mei/code/阅读器", "/home/ann/servers"
RED, GREEN, YELLOW, BLUE, BOLD, OFF = "\x1b[31m", "\x1b[32m", "\x1b[33m", "\x1b[34m", "\x1b[1m", "\x1b[0m"


def _harmonics() -> Conversation:
    talk = CodexConversation(TIDEWATCH, days=2.2, hour=18)
    talk.asks(
        "Read the harmonic constants from `data/stations.txt` into a struct. Lines look like `M2  1.842  213.4`. Skip comments."
    )
    talk.thinks("**Reading the format**\n\nNames have two to four characters; amplitude in metres, phase in degrees.")
    talk.runs(
        "head -4 data/stations.txt", "# Cuxhaven, 1995-2014\nM2   1.3740  341.2\nS2   0.3470   47.9\nN2   0.2270  317.6"
    )
    talk.edits(
        "src/constants.rs",
        "pub struct Constant;\n",
        "#[derive(Debug, Clone, PartialEq)]\npub struct Constant {\n    pub name: String,\n    pub amplitude: f64, // metres\n    pub phase: f64,     // degrees\n}\n\n"
        "pub fn parse(text: &str) -> Result<Vec<Constant>, ParseError> {\n    text.lines()\n        .filter(|line| !line.starts_with('#') && !line.trim().is_empty())\n        .map(str::parse)\n        .collect()\n}\n",
    )
    talk.runs(
        "cargo test",
        f"{RED}{BOLD}error[E0277]{OFF}{BOLD}: the trait bound `Constant: FromStr` is not satisfied{OFF}\n {BLUE}-->{OFF} src/constants.rs:11:14\n{BLUE}   |{OFF}\n{BLUE}11 |{OFF}         .map(str::parse)\n{BLUE}   |{OFF}              {RED}^^^^^^^^^^ the trait `FromStr` is not implemented{OFF}",
        code=101,
        seconds=6.2,
    )
    talk.edits(
        "src/constants.rs",
        "use std::fmt;\n",
        "use std::fmt;\nuse std::str::FromStr;\n\nimpl FromStr for Constant {\n    type Err = ParseError;\n\n    fn from_str(line: &str) -> Result<Self, ParseError> {\n        let mut words = line.split_whitespace();\n        Ok(Self {\n            name: words.next().ok_or(ParseError::Empty)?.into(),\n            amplitude: number(words.next())?,\n            phase: number(words.next())?,\n        })\n    }\n}\n",
    )
    talk.runs(
        "cargo test",
        f"{GREEN}   Compiling{OFF} tidewatch v0.3.0\ntest constants::reads_a_line ... {GREEN}ok{OFF}\ntest constants::skips_comments ... {GREEN}ok{OFF}\n\ntest result: {GREEN}ok{OFF}. 2 passed; 0 failed",
        seconds=4.8,
    )
    return talk.says(
        "`parse` reads the file into `Vec<Constant>` and names the line in its error. Two tests cover comments and a short line."
    )


def _harmonics_fork() -> Conversation:
    talk = CodexConversation(TIDEWATCH, "Read the constants with nom", days=2, hour=20)
    talk.asks("Show me the same with nom, so that I can compare how it reads.")
    talk.writes(
        "src/constants_nom.rs",
        "fn constant(input: &str) -> IResult<&str, Constant> {\n    let (input, (name, _, amplitude, _, phase)) =\n        tuple((alphanumeric1, space1, double, space1, double))(input)?;\n    Ok((input, Constant { name: name.into(), amplitude, phase }))\n}\n",
    )
    return talk.says(
        "It is eight lines shorter, but its errors say `Digit at …` instead of the line's number. For a format this small I would stay with the plain version."
    )


def _midnight() -> Conversation:
    talk = CodexConversation(TIDEWATCH, days=8, hour=23)
    talk.asks("Why does the forecast for Cuxhaven jump by about 50 minutes at midnight?")
    talk.runs(
        "rg -n 'hour|day' src/forecast.rs",
        "41:    let hours = time.hour() as f64 + time.minute() as f64 / 60.0;\n57:    // hours since the beginning of the day",
    )
    talk.thinks(
        "**Finding the jump**\n\nTime is counted from midnight, not from the epoch of the constants. The phase restarts each day: 24 h of M2 are 695.5°, so 24.5° are lost, which is 51 minutes."
    )
    talk.edits(
        "src/forecast.rs",
        "    let hours = time.hour() as f64 + time.minute() as f64 / 60.0;",
        "    let hours = (time - EPOCH).num_minutes() as f64 / 60.0; // never restarts: phases run on over midnight",
    )
    talk.runs("cargo run -- cuxhaven --around midnight", "23:40  +1.02 m\n00:00  +0.93 m\n00:20  +0.83 m")
    return talk.says(
        "The phase restarted each midnight. 24 hours of M2 are 695.5°, so **24.5° were lost each day, which is 51 minutes** of tide. Time now counts from the epoch of the constants."
    )


def _clippy() -> Conversation:
    talk = CodexConversation(TIDEWATCH, days=19, hour=16)
    talk.asks("Make `cargo clippy -- -W clippy::pedantic` quiet, but only where it makes the code better.")
    talk.runs("cargo clippy -q -- -W clippy::pedantic 2>&1 | grep -c warning", "37", seconds=9)
    return talk.says(
        "31 of 37 are gone. The other six ask for `#[must_use]` on private functions, which tells nobody anything; I allowed that lint in one place with its reason."
    )


def _offline() -> Conversation:
    talk = Conversation(PANTRY, days=3, hour=19.5)
    talk.asks("When my phone has no network in the supermarket, ticked items come back later 🥦🍞. What happens there?")
    talk.searches(
        "navigator.onLine|fetch\\(",
        "src/sync.ts:12:  const response = await fetch(`/api/lists/${list.id}`, { method: 'PUT', body });\nsrc/sync.ts:30:window.addEventListener('online', () => pull());",
    )
    talk.reads(
        f"{PANTRY}/src/sync.ts",
        "export async function push(list: List) {\n  const body = JSON.stringify(list);\n  const response = await fetch(`/api/lists/${list.id}`, { method: 'PUT', body });\n  if (!response.ok) throw new SyncError(response.status);\n}\n\nwindow.addEventListener('online', () => pull());\n",
        first=10,
    )
    talk.thinks(
        "On `online` it pulls before it pushes. What was ticked offline only lives in memory and is replaced by the server's older list."
    )
    talk.says(
        "When the network comes back, the app **pulls before it pushes**. What you ticked offline is replaced by the older list of the server:\n\n"
        "```ts\nwindow.addEventListener('online', () => pull()); // what was ticked meanwhile is lost here\n```\n\n"
        "Two ways to mend it:\n\n1. push first (three lines, loses if two phones were offline)\n2. keep a queue of changes and replay it (a day's work, never loses)"
    )
    talk.asks("Number 1 now, and write down number 2 as an issue.")
    talk.edits(
        f"{PANTRY}/src/sync.ts",
        "window.addEventListener('online', () => pull());",
        "window.addEventListener('online', async () => {\n  if (isDirty()) await push(current());\n  await pull();\n});",
        first=16,
    )
    talk.runs(
        "npm test -- --run sync",
        f" {GREEN}✓{OFF} src/sync.test.ts ({BOLD}6 tests{OFF}) {YELLOW}212ms{OFF}\n\n {BOLD}Test Files{OFF}  {GREEN}1 passed{OFF} (1)\n      {BOLD}Tests{OFF}  {GREEN}6 passed{OFF} (6)",
        seconds=3.4,
    )
    return talk.says(
        "The app pushes first now; a test goes offline, ticks *milk*, comes back and finds it ticked 🥛✅. Issue #57 describes the queue."
    )


def _indexeddb() -> Conversation:
    talk = Conversation(PANTRY, "Keep the queue of changes in IndexedDB", days=2.6, hour=21)
    talk.asks("Let's try number 2 after all, on a branch. Where would the queue live?")
    talk.says(
        "In IndexedDB: `localStorage` is not reachable from a service worker, and memory is gone when the phone closes the tab."
    )
    talk.writes(
        f"{PANTRY}/src/queue.ts",
        "type Change = { id: string; list: string; item: string; ticked: boolean; at: number };\n\nexport async function enqueue(change: Change): Promise<void> {\n  const db = await open();\n  await db.put('changes', change);\n}\n\nexport async function replay(send: (change: Change) => Promise<void>) {\n  const db = await open();\n  for (const change of await db.getAllFromIndex('changes', 'at')) {\n    await send(change); // an error stops here, and the rest stays queued\n    await db.delete('changes', change.id);\n  }\n}\n",
    )
    talk.uses(
        "mcp__browser__screenshot",
        {"url": "http://localhost:5173/lists/7", "fullPage": False},
        "Screenshot taken (390 × 844)",
        seconds=1.2,
    )
    return talk.says("The queue replays in order and stops at the first error, so nothing is sent twice or lost.")


def _dark() -> Conversation:
    talk = Conversation(PANTRY, days=13, hour=20)
    talk.asks("Dark mode please, by the system's setting, without a flash at the start.")
    talk.edits(
        f"{PANTRY}/src/tokens.css",
        ":root {\n  --ground: #fff;\n  --ink: #1c2024;\n}",
        ":root {\n  color-scheme: light dark;\n  --ground: light-dark(#fff, #16181d);\n  --ink: light-dark(#1c2024, #e9ecf1);\n}",
        first=1,
    )
    return talk.says(
        "`light-dark()` does it without JavaScript, so there is no flash. Every other colour was derived from these two."
    )


def _audit() -> Conversation:
    talk = Conversation(PANTRY, days=27, hour=11)
    talk.asks("Run axe over the five main pages and fix what is cheap.")
    talk.runs(
        "npx playwright test a11y",
        f"{RED}  2 failed{OFF}\n    lists.spec.ts › has no violations: {BOLD}color-contrast{OFF} (3 nodes)\n    item.spec.ts › has no violations: {BOLD}button-name{OFF} (1 node)\n{GREEN}  3 passed{OFF} (9.1s)",
        code=1,
        seconds=10,
    )
    return talk.says(
        "Both are fixed: the placeholder has 4.6:1 now, and the bin button is called *Remove milk from the list*."
    )


def _tiles() -> Conversation:
    talk = Conversation(ATLAS, "Tile p99 went from 40 to 190 ms", days=4.3, hour=10.2)
    talk.asks(
        "p99 of the tile server went from 40 ms to 190 ms with the new style. This is the last week, one bar a day. What changed?",
        image=bar_chart([38, 41, 40, 42, 176, 189, 192], (62, 99, 221)),
    )
    talk.says(
        "The step is between the fourth and the fifth day, so it is a release rather than load. I'll compare the two."
    )
    talk.runs(
        "git log --oneline v1.8.0..v1.9.0 -- render/",
        "c41fa20 render: Draw labels with the new collision index\n9be0d17 render: Read styles from one file\n01c77ab render: Cache glyphs by font",
    )
    talk.delegates(
        "Profile one slow tile",
        "Profile the rendering of tile 14/8580/5737 in /home/ann/code/atlas and report the five hottest functions.",
        "71 % of the time goes into `collision.Insert`, of it 64 % in `runtime.mallocgc`. It allocates one slice for each label.",
        agent_id="5d09aa31",
        seconds=133,
    )
    talk.reads(
        f"{ATLAS}/render/collision.go",
        "func (index *Index) Insert(box Box) bool {\n\tcells := make([]int, 0)\n\tfor x := box.MinX / cell; x <= box.MaxX/cell; x++ {\n\t\tfor y := box.MinY / cell; y <= box.MaxY/cell; y++ {\n\t\t\tcells = append(cells, x*index.width+y)\n\t\t}\n\t}\n",
        first=31,
    )
    talk.edits(
        f"{ATLAS}/render/collision.go",
        "\tcells := make([]int, 0)",
        "\tcells := index.scratch[:0] // reused: one slice a label was 64 % of the time of a tile",
        first=32,
    )
    talk.runs(
        "go test -bench Tile -benchmem ./render",
        "BenchmarkTile/before-8     61   18204113 ns/op   9120344 B/op  201337 allocs/op\nBenchmarkTile/after-8     274    4391127 ns/op    410112 B/op    3021 allocs/op\nPASS",
        seconds=14,
    )
    return talk.says(
        "One slice was allocated **for each label**. It is reused now: a tile takes 4.4 ms instead of 18.2 ms, with 3,021 allocations instead of 201,337.\n\n```go\ncells := index.scratch[:0]\n```"
    )


def _profile() -> Conversation:
    talk = Conversation(ATLAS, days=4.3, hour=10.3)
    talk.asks(
        "Profile the rendering of tile 14/8580/5737 in /home/ann/code/atlas and report the five hottest functions."
    )
    talk.runs(
        "go tool pprof -top -cum cpu.out | head -8",
        "      flat  flat%        cum   cum%\n     0.31s  4.2%      5.24s 71.1%  atlas/render.(*Index).Insert\n     1.02s 13.8%      3.35s 45.5%  runtime.mallocgc\n     0.20s  2.7%      0.88s 11.9%  atlas/render.drawLabel",
        seconds=8,
    )
    return talk.says(
        "71 % of the time goes into `collision.Insert`, of it 64 % in `runtime.mallocgc`. It allocates one slice for each label."
    )


def _pool() -> Conversation:
    talk = Conversation(ATLAS, "Try sync.Pool for the scratch space", days=4, hour=15)
    talk.asks("The index is shared by goroutines, isn't it? Then one scratch slice is a data race. Try `sync.Pool`.")
    talk.runs(
        "go test -race ./render",
        f"{RED}WARNING: DATA RACE{OFF}\nWrite at 0x00c000124090 by goroutine 19:\n  atlas/render.(*Index).Insert()\n      render/collision.go:34",
        code=66,
        seconds=21,
    )
    talk.edits(
        f"{ATLAS}/render/collision.go",
        "\tcells := index.scratch[:0]",
        "\tscratch := pool.Get().(*[]int)\n\tdefer pool.Put(scratch)\n\tcells := (*scratch)[:0]",
        first=32,
    )
    talk.runs("go test -race ./render", f"{GREEN}ok{OFF}  \tatlas/render\t6.402s", seconds=20)
    return talk.says("You are right, it was a race. With `sync.Pool` a tile takes 4.9 ms, and `-race` is quiet.")


def _classes() -> Conversation:
    talk = Conversation(ATLAS, "A pool with size classes", days=3.7, hour=9)
    talk.asks("Large labels make the pool keep large slices for ever. Would size classes help?")
    talk.says(
        "A little: memory falls from 84 to 61 MB, time stays the same. It is 30 lines more; I would not merge it."
    )
    return talk


def _vertical() -> Conversation:
    talk = Conversation(READER, days=5, hour=21.2)
    talk.model = "claude-sonnet-4-5"
    talk.asks("竖排显示的时候，句号和逗号跑到格子中间了，应该在右上角。帮我看看是什么原因。")
    talk.thinks("竖排时标点要用 OpenType 的 vert 特性。CSS 里可能被 font-feature-settings 覆盖了。")
    talk.searches(
        "writing-mode|font-feature",
        'src/styles/book.css:14:  writing-mode: vertical-rl;\nsrc/styles/book.css:15:  font-feature-settings: "kern";',
    )
    talk.says(
        '原因在第 15 行：`font-feature-settings: "kern"` 会**覆盖**浏览器为竖排自动打开的 `vert`，所以标点用的还是横排的字形。改用 `font-kerning` 就不会互相影响。'
    )
    talk.edits(
        f"{READER}/src/styles/book.css",
        '  writing-mode: vertical-rl;\n  font-feature-settings: "kern";',
        "  writing-mode: vertical-rl;\n  font-kerning: normal; /* font-feature-settings 会关掉竖排字形 */",
        first=14,
    )
    talk.asks("好了！顺便把省略号也检查一下 🙏")
    talk.runs(
        "npx playwright test 竖排",
        f"{GREEN}  ✓{OFF} 竖排 › 句号在右上角 (1.2s)\n{GREEN}  ✓{OFF} 竖排 › 省略号居中 (0.9s)\n\n{GREEN}  2 passed{OFF} (3.4s)",
        seconds=4,
    )
    return talk.says("省略号和破折号都正常 ✅。我加了两个截图测试：`竖排 › 句号在右上角` 和 `竖排 › 省略号居中`。")


def _pinyin() -> Conversation:
    talk = Conversation(READER, days=10, hour=20)
    talk.asks("书名搜索要支持拼音首字母，比如输入 hlm 找到《红楼梦》。")
    talk.writes(
        f"{READER}/src/pinyin.py",
        'def initials(title: str) -> str:\n    """红楼梦 → hlm；非汉字原样保留。"""\n    return "".join(TABLE.get(character, character)[:1] for character in title).lower()\n',
    )
    return talk.says("搜索 `hlm` 现在能找到《红楼梦》，`hl` 也能。多音字（如“重”）两个读音都会匹配。")


def _fuzzy() -> Conversation:
    talk = Conversation(READER, "拼音搜索：允许打错一个字母", days=9.5, hour=21)
    talk.asks("如果打错一个字母呢？比如 hln。")
    return talk.says(
        "可以用编辑距离 1 来匹配，但首字母很短，误报会很多：`hln` 会同时匹配 12 本书。建议只在没有精确结果时再用。"
    )


def _backups() -> Conversation:
    talk = CodexConversation(SERVERS, days=0.1, hour=7.5)
    talk.asks("The backup of the wiki has not arrived since Tuesday. Find out why, touch nothing.")
    talk.runs(
        "systemctl list-timers --all | grep backup",
        "n/a   n/a   Tue 2026-11-17 02:00:03 UTC  backup-wiki.timer  backup-wiki.service",
    )
    talk.runs(
        "journalctl -u backup-wiki -n 4 --no-pager",
        "Nov 17 02:00:03 wiki restic[8811]: Fatal: unable to create lock in backend: repository is already locked\nNov 17 02:00:03 wiki systemd[1]: backup-wiki.service: Failed with result 'exit-code'.\nNov 17 02:00:03 wiki systemd[1]: backup-wiki.timer: Not scheduling: unit has failed.",
        seconds=0.3,
    )
    return talk.says(
        "A run on **Monday was killed** and left its lock in the repository. On Tuesday restic refused to start, and because the timer has no `Persistent=true` it was never tried again.\n\n1. `restic unlock` removes the stale lock (nothing runs now)\n2. `Persistent=true` in the timer\n\nI changed nothing; shall I?"
    )


def _slow_query() -> Conversation:
    talk = Conversation(SERVERS, "Visits of today take 9 s", days=7, hour=17)
    talk.asks(
        "This query takes 9 s in the evening. Why?\n\n```sql\nSELECT * FROM visits WHERE date(at) = current_date ORDER BY at DESC LIMIT 50;\n```"
    )
    talk.runs(
        "psql -c 'EXPLAIN ANALYZE …'",
        " Limit  (actual time=9104.2..9104.3 rows=50)\n   ->  Sort\n         ->  Seq Scan on visits  (actual time=0.1..8842.7 rows=211804)\n               Filter: (date(at) = CURRENT_DATE)\n               Rows Removed by Filter: 41207713",
        seconds=9.3,
    )
    return talk.says(
        "`date(at)` hides the column from its index, so all 41 million rows are read. Ask for a range instead:\n\n```sql\nSELECT * FROM visits\nWHERE at >= current_date AND at < current_date + 1\nORDER BY at DESC LIMIT 50;\n```\n\nThat takes **0.4 ms** with the index that is already there."
    )


def _proxy() -> Conversation:
    talk = CodexConversation(SERVERS, days=22, hour=12)
    talk.asks("WebSockets through nginx close after exactly 60 s.")
    talk.edits(
        "/etc/nginx/sites/wiki.conf",
        "    proxy_pass http://wiki;",
        "    proxy_pass http://wiki;\n    proxy_read_timeout 1h;  # the default closes a quiet socket after 60 s",
    )
    talk.runs(
        "nginx -t && systemctl reload nginx", "nginx: configuration file /etc/nginx/nginx.conf test is successful"
    )
    return talk.says(
        "`proxy_read_timeout` is 60 s unless it is said otherwise, and a quiet socket looks idle. It is an hour now; the wiki pings every 30 s anyway."
    )


def sessions() -> list[Planned]:
    return [
        Planned("harmonics", _harmonics()),
        Planned("harmonics-nom", _harmonics_fork(), "harmonics", fork_point=1),
        Planned("midnight", _midnight()),
        Planned("clippy", _clippy()),
        Planned("offline", _offline()),
        Planned("indexeddb", _indexeddb(), "offline", fork_point=7),
        Planned("dark", _dark()),
        Planned("audit", _audit()),
        Planned("tiles", _tiles()),
        Planned("profile", _profile(), "tiles", "subagent", agent_id="5d09aa31"),
        Planned("pool", _pool(), "tiles", fork_point=13),
        Planned("classes", _classes(), "pool", fork_point=21, title="A pool with size classes (not worth it)"),
        Planned("vertical", _vertical()),
        Planned("pinyin", _pinyin()),
        Planned("fuzzy", _fuzzy(), "pinyin", fork_point=4),
        Planned("backups", _backups()),
        Planned("slow-query", _slow_query(), tags=("postgresql",)),
        Planned("proxy", _proxy()),
    ]
