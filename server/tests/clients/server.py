"""What the tests in Python share: a server, and a log of events that can be waited for."""

import asyncio
import itertools
import os
import re
import subprocess
import unittest
from pathlib import Path

USER = "tester"
PASSWORD = "pass:word"
PATIENCE = 10.0


class Server:
    """A server for all tests of a file."""

    def __init__(self):
        script = Path(__file__).with_name("serve.sh")
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(["sh", script], stdin=pipe, stdout=pipe, text=True)
        for line in self.process.stdout:
            if found := re.search(r"http://([^:]+):(\d+)/ari", line):
                self.host, self.port = found[1], int(found[2])
                self.url = f"http://{self.host}:{self.port}/"
                return
        raise AssertionError("the server has not started")

    def stop(self):
        self.process.stdin.close()
        assert self.process.wait(PATIENCE) == 0, "the server has not stopped as it should"
        self.process.stdout.close()


def setUpModule(module):
    """Gives a file of tests the functions that start its server and stop it."""

    def start():
        module["SERVER"] = Server()

    module["setUpModule"] = start
    module["tearDownModule"] = lambda: module["SERVER"].stop()


_numbers = itertools.count(1)


def unique(name):
    """A name that nothing else here has."""
    return f"{name}-{next(_numbers)}"


class Log:
    """All events that a client was told, in their order, as JSON objects."""

    def __init__(self):
        self.events = []
        self.changed = asyncio.Event()

    def push(self, event):
        self.events.append(event)
        self.changed.set()

    async def first(self, type, **fields):
        """The first event of this type, past or to come, that has these fields (`channel__id=…`)."""
        return (await self.count(1, type, **fields))[0]

    async def count(self, number, type, **fields):
        """So many of them."""
        try:
            async with asyncio.timeout(PATIENCE):
                while len(found := self.all(type, **fields)) < number:
                    self.changed.clear()
                    await self.changed.wait()
        except TimeoutError:
            told = " ".join(event["type"] for event in self.events)
            raise AssertionError(f"waited in vain for {number} {type} {fields}; told: {told}") from None
        return found[:number]

    def all(self, type, **fields):
        """Those that have come so far."""
        has = lambda event: all(_at(event, path) == value for path, value in fields.items())
        return [event for event in self.events if event["type"] == type and has(event)]

    def of(self, channel, *types):
        """The types of what was told of a channel, in order; only those of `types`, if there are any."""
        about = lambda event: (event.get("channel") or event.get("peer") or {}).get("id") == channel
        told = [event["type"] for event in self.events if about(event)]
        return [type for type in told if not types or type in types]


def _at(event, path):
    for name in path.split("__"):
        event = event.get(name) if isinstance(event, dict) else None
    return event


class Case(unittest.IsolatedAsyncioTestCase):
    """A test that does not go on for ever."""

    def _callTestMethod(self, method):
        async def in_time():
            try:
                async with asyncio.timeout(2 * PATIENCE):
                    await method()
            except ExceptionGroup as group:
                # What went wrong, not in how many groups of tasks.
                while isinstance(group, ExceptionGroup) and len(group.exceptions) == 1:
                    group = group.exceptions[0]
                raise group

        super()._callTestMethod(in_time)
