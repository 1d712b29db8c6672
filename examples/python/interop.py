"""Clients at a server, each a command, whoever wrote them: one conversation, checked event by event.

    python3 interop.py --server "CMD {port} {kit}" --alice CMD --bob CMD --carol CMD [--kit DIR]

The clients are driven as driver.md says. Nothing here knows the protocol.
"""

import argparse
import asyncio
import json
import os
import shlex
import signal
import socket
import sys
from pathlib import Path

PATIENCE = 15
UIDS = {"alice": "00000000000a11ce", "bob": "00000000000b0b00", "carol": "0000000000ca401e"}
NONE = "0" * 16


class Client:
    """A client under its driver: commands in, events out."""

    def __init__(self, name: str, process: asyncio.subprocess.Process):
        self.name, self.process = name, process

    @classmethod
    async def start(cls, name: str, command: str) -> "Client":
        pipe = asyncio.subprocess.PIPE
        return cls(name, await asyncio.create_subprocess_shell(command, stdin=pipe, stdout=pipe, limit=1 << 20))

    def do(self, word: str, **fields):
        self.process.stdin.write(json.dumps({"do": word, **fields}).encode() + b"\n")

    async def says(self, event: str, **fields) -> dict:
        """The next event, which has to be this one."""
        try:
            line = await asyncio.wait_for(self.process.stdout.readline(), PATIENCE)
        except asyncio.TimeoutError:
            sys.exit(f"{self.name}: no `{event}` within {PATIENCE} s")
        said = json.loads(line) if line else {"event": "the end of its standard output"}
        if said["event"] != event or any(said.get(key) != value for key, value in fields.items()):
            sys.exit(f"{self.name}: {event} {fields} expected, got {said}")
        return said

    async def end(self):
        self.process.stdin.close()
        await asyncio.wait_for(self.process.wait(), PATIENCE)


async def conversation(clients: dict[str, Client], address: str, kit: str):
    alice, bob, carol = (clients[name] for name in UIDS)

    async def connect(client: Client):
        client.do("connect", address=address, uid=UIDS[client.name], kit=kit)
        await client.says("online")
        client.do("status")
        await client.says("status", state="Online")

    for client in clients.values():
        await connect(client)

    # An init of which one accepts and one declines, then one that both accept.
    alice.do("init", invite=[UIDS["bob"], UIDS["carol"]])
    sid = (await bob.says("invited", **{"from": UIDS["alice"]}))["sid"]
    await carol.says("invited", sid=sid)
    bob.do("answer", sid=sid, accept=False)
    carol.do("answer", sid=sid, accept=False)
    failed = await alice.says("init", sid=NONE, ok=False)
    assert failed["error"], failed
    alice.do("init", invite=[UIDS["carol"], UIDS["bob"]])
    sid = (await bob.says("invited"))["sid"]
    await carol.says("invited", sid=sid)
    carol.do("answer", sid=sid, accept=True)
    bob.do("answer", sid=sid, accept=True)
    await alice.says("init", sid=sid, ok=True)

    # Texts of everybody, of one byte and of many, and not ASCII.
    for author, text in ((alice, "hello"), (bob, "ж"), (carol, "x" * 10_000), (bob, "line\nbreak")):
        author.do("send", sid=sid, text=text)
        for other in clients.values():
            if other is not author:
                await other.says("message", sid=sid, text=text, **{"from": UIDS[author.name]})
        await author.says("sent", sid=sid, ok=True)

    # A text that fits no frame; then one for a recipient who is away and gets it when it is back.
    alice.do("send", sid=sid, text="x" * 40_000)
    await alice.says("refused", do="send")
    carol.do("leave")
    await carol.says("disconnected")
    roster = [(UIDS["alice"], "Online"), (UIDS["carol"], "Offline"), (UIDS["bob"], "Online")]
    while True:  # Nothing orders two connections: the server may still have to notice.
        bob.do("status", sid=sid)
        members = [(member["uid"], member["state"]) for member in (await bob.says("status", sid=sid))["members"]]
        if members == roster:
            break
        assert [uid for uid, _ in members] == [uid for uid, _ in roster], members
    alice.do("send", sid=sid, text="for later")
    await bob.says("message", text="for later")
    await alice.says("sent", sid=sid, ok=True)
    carol.do("connect", address=address, uid=UIDS["carol"], kit=kit)
    await carol.says("online")
    await carol.says("message", sid=sid, text="for later", **{"from": UIDS["alice"]})

    # Closed by one of the invited; nothing can be sent afterwards.
    carol.do("close", sid=sid)
    await carol.says("close", sid=sid, ok=True)
    for other in (alice, bob):
        await other.says("closed", sid=sid, by=UIDS["carol"])
        other.do("send", sid=sid, text="too late")
        await other.says("refused", do="send")
        other.do("status", sid=sid)
        await other.says("status", sid=sid, state="Offline")
    for client in clients.values():
        client.do("leave")
        await client.says("disconnected")
        await client.end()


async def main(options: argparse.Namespace):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = options.server.replace("{port}", str(port)).replace("{kit}", shlex.quote(options.kit))
    server = await asyncio.create_subprocess_shell(command, start_new_session=True)
    try:
        for _ in range(200):
            try:
                (await asyncio.open_connection("127.0.0.1", port))[1].close()
                break
            except OSError:
                await asyncio.sleep(0.05)
        clients = {name: await Client.start(name, getattr(options, name)) for name in UIDS}
        await conversation(clients, f"127.0.0.1:{port}", options.kit)
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        await server.wait()
    print(f"ok: {', '.join(getattr(options, name) for name in UIDS)} at {options.server}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--server", required=True)
    for user in UIDS:
        parser.add_argument(f"--{user}", required=True)
    parser.add_argument("--kit", default=str(Path(__file__).resolve().parents[2] / "harness" / "kit"))
    asyncio.run(main(parser.parse_args()))
