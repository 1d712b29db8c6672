"""What a server remembers over a restart: sessions, and lines without an answer (INIT-03, CLOSE-04, MSG-19).

Each write is on disk before its method returns, and before any frame that depends on it leaves; or it raises
sqlite3.Error and has changed nothing.
"""

import secrets
import sqlite3
from contextlib import suppress
from pathlib import Path

from mpchat_proto import uid_text

SCHEMA = """
PRAGMA locking_mode = EXCLUSIVE;  -- two servers with one state would give out one sid twice
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
PRAGMA max_page_count = 100000;  -- 400 MB; beyond that, requests fail (PAY-07)
CREATE TABLE IF NOT EXISTS sessions (sid TEXT PRIMARY KEY, roster TEXT);  -- all; not live is ''
CREATE TABLE IF NOT EXISTS lines (  -- a higher id was accepted later
    id INTEGER PRIMARY KEY AUTOINCREMENT, sid TEXT, author TEXT, recipient TEXT, text TEXT);
CREATE INDEX IF NOT EXISTS lines_by_session ON lines (sid);
CREATE INDEX IF NOT EXISTS lines_by_recipient ON lines (recipient);
"""


class Store:
    def __init__(self, folder: Path | None):
        """Without a folder all is kept in memory only."""
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(folder / "state.sqlite3" if folder else ":memory:")
        self.db.executescript(SCHEMA)
        self.answered: list[tuple[int]] = []  # lines that could not be deleted yet

    def draw_sid(self) -> int:
        """A sid that was never given out, and that nobody can guess (INIT-03, INIT-04)."""
        while True:
            sid = secrets.randbits(64)
            with self.db:
                added = self.db.execute("INSERT OR IGNORE INTO sessions VALUES (?, '')", [uid_text(sid)])
            if sid and added.rowcount:
                return sid

    def open_session(self, sid: int, roster: list[int]):
        uids = " ".join(map(uid_text, roster))
        with self.db:
            self.db.execute("UPDATE sessions SET roster = ? WHERE sid = ?", [uids, uid_text(sid)])

    def close_session(self, sid: int):
        with self.db:
            self.db.execute("UPDATE sessions SET roster = '' WHERE sid = ?", [uid_text(sid)])  # CLOSE-04
            self.db.execute("DELETE FROM lines WHERE sid = ?", [uid_text(sid)])  # CLOSE-03

    def roster(self, sid: int, uid: int) -> list[int]:
        """Who takes part in a session; nobody, unless it is live and this user is among them (CLOSE-09)."""
        rows = self.db.execute("SELECT roster FROM sessions WHERE sid = ?", [uid_text(sid)])
        roster = [int(member, 16) for (members,) in rows for member in members.split()]
        return roster if uid in roster else []

    def add_lines(self, sid: int, author: int, recipients: list[int], lines: list[str]) -> list[int]:
        """Stores each line for its recipient, and returns the ids."""
        sql = "INSERT INTO lines (sid, author, recipient, text) VALUES (?, ?, ?, ?)"
        with self.db:
            return [self.db.execute(sql, [uid_text(sid), uid_text(author), uid_text(uid), line]).lastrowid
                    for uid, line in zip(recipients, lines)]

    def forget_line(self, line_id: int):
        """What cannot be deleted is tried again later, and sent again only after a restart (PAY-07)."""
        self.answered.append((line_id,))
        with suppress(sqlite3.Error):
            with self.db:
                self.db.executemany("DELETE FROM lines WHERE id = ?", self.answered)
            self.answered.clear()

    def lines(self, recipient: int, after: int, limit: int) -> list[tuple[int, int, int, str]]:
        """(id, sid, author, line) of the next lines for a recipient, in the order of their acceptance."""
        answered = ", ".join(str(line_id) for (line_id,) in self.answered)
        rows = self.db.execute(
            "SELECT id, sid, author, text FROM lines WHERE recipient = ? AND id > ? "
            f"AND id NOT IN ({answered}) ORDER BY id LIMIT ?", [uid_text(recipient), after, limit])
        return [(line_id, int(sid, 16), int(author, 16), text) for line_id, sid, author, text in rows]
