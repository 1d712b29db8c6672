"""What a server remembers over a restart (INIT-03, CLOSE-04, MSG-19).

Every method is one transaction, on disk before it returns, so that no frame that depends on it has left before.
Each may raise sqlite3.Error, and has then changed nothing.
"""

import secrets
import sqlite3
from pathlib import Path

from mpchat_proto import uid_text

SCHEMA = """
PRAGMA journal_mode = WAL;
PRAGMA synchronous = FULL;
CREATE TABLE IF NOT EXISTS sids (sid TEXT PRIMARY KEY) WITHOUT ROWID;  -- every sid that was ever given out
CREATE TABLE IF NOT EXISTS sessions (sid TEXT PRIMARY KEY, roster TEXT NOT NULL) WITHOUT ROWID;  -- the live ones
CREATE TABLE IF NOT EXISTS lines (  -- those not answered yet; a higher id was accepted later
    id INTEGER PRIMARY KEY, sid TEXT NOT NULL, author TEXT NOT NULL, recipient TEXT NOT NULL, text BLOB NOT NULL);
CREATE INDEX IF NOT EXISTS lines_of_session ON lines (sid);
"""


class Store:
    def __init__(self, folder: Path | None):
        """Without a folder all is kept in memory only."""
        if folder:
            folder.mkdir(parents=True, exist_ok=True)
        self.db = sqlite3.connect(folder / "mpchat.sqlite3" if folder else ":memory:")
        self.db.execute("PRAGMA locking_mode = EXCLUSIVE")  # two servers with one state would give out one sid twice
        self.db.executescript(SCHEMA)

    def draw_sid(self) -> int:
        """A sid that was never given out, and that nobody can guess (INIT-03, INIT-04)."""
        while True:
            sid = secrets.randbits(64)
            if sid == 0:
                continue
            try:
                with self.db:
                    self.db.execute("INSERT INTO sids VALUES (?)", (uid_text(sid),))
                return sid
            except sqlite3.IntegrityError:
                continue

    def open_session(self, sid: int, roster: list[int]):
        with self.db:
            self.db.execute("INSERT INTO sessions VALUES (?, ?)", (uid_text(sid), " ".join(map(uid_text, roster))))

    def close_session(self, sid: int):
        """The sid stays in `sids` (CLOSE-04); the lines go (CLOSE-03)."""
        with self.db:
            self.db.execute("DELETE FROM sessions WHERE sid = ?", (uid_text(sid),))
            self.db.execute("DELETE FROM lines WHERE sid = ?", (uid_text(sid),))

    def add_lines(self, sid: int, author: int, lines: list[tuple[int, str]]) -> list[int]:
        """Stores (recipient, line) pairs, and returns their ids."""
        add = "INSERT INTO lines (sid, author, recipient, text) VALUES (?, ?, ?, ?)"
        with self.db:
            return [
                self.db.execute(add, (uid_text(sid), uid_text(author), uid_text(recipient), text.encode())).lastrowid
                for recipient, text in lines
            ]

    def forget_line(self, line_id: int):
        with self.db:
            self.db.execute("DELETE FROM lines WHERE id = ?", (line_id,))

    def sessions(self) -> dict[int, list[int]]:
        rows = self.db.execute("SELECT sid, roster FROM sessions")
        return {int(sid, 16): [int(uid, 16) for uid in roster.split()] for sid, roster in rows}

    def lines(self) -> list[tuple[int, int, int, int, str]]:
        """(id, sid, author, recipient, line), in the order in which they were accepted."""
        rows = self.db.execute("SELECT id, sid, author, recipient, text FROM lines ORDER BY id")
        return [(n, int(sid, 16), int(author, 16), int(recipient, 16), text.decode())
                for n, sid, author, recipient, text in rows]
