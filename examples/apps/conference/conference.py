"""A conference room: an ARI application in Python, with asyncari.

    python conference.py --url http://127.0.0.1:8088 --user demo:demo

Calls come in by `Stasis(conference)` in the dialplan; those of `Stasis(conference,admin)` may record. Callers hear
how many are there, come into the room, and press: *1 mute, *2 menu, *3 how many, *4 leave, *5 record (admins).
"""

import argparse
import logging
import os
import signal
import sys
from contextlib import contextmanager

import anyio
import asyncari
from asyncari.util import mayNotExist
from httpx import HTTPError, HTTPStatusError

from screen import Screen

APP = "conference"
MENU = {"1": "mute", "2": "menu", "3": "how_many", "4": "leave", "5": "record"}
# What each key does is said by what is heard then.
MENU_PROMPT = [
    "sound:vm-press", "characters:*1", "sound:conf-muted",
    "sound:vm-press", "characters:*3", "sound:conf-thereare", "sound:conf-otherinparty",
    "sound:vm-press", "characters:*4", "sound:goodbye",
]  # fmt: skip


@contextmanager
def unless_gone():
    """Who has hung up meanwhile is not found any more (404), or is about to leave the application (409, 412)."""
    try:
        yield
    except HTTPStatusError as error:
        if error.response.status_code not in (404, 409, 412):
            raise


class Caller:
    """Somebody who has called, from StasisStart to StasisEnd."""

    def __init__(self, channel, is_admin):
        self.channel = channel
        self.name = channel.caller["name"] or channel.caller["number"] or channel.name
        self.is_admin = is_admin
        self.is_in_room = self.is_muted = self.is_talking = False
        self.talked_ms = 0
        self.talks = 0
        self.playback = None  # what is played to this caller only
        self.star = False  # the last key was a *
        self.pressed = []


class Conference:
    """The room, and everybody who has called."""

    def __init__(self, ari, screen):
        self.ari = ari
        self.screen = screen
        self.callers = {}  # those who are there now, by channel id
        self.all = []  # everybody who ever came
        self.most = 0
        self.mutes = 0
        self.recording = None
        self.recorded = []  # seconds, by recording

    def room(self):
        return [caller for caller in self.callers.values() if caller.is_in_room]

    async def open(self):
        self.bridge = await self.ari.bridges.create(type="mixing", name="conference")

    async def close(self):
        """Nothing is left on the server when the application ends."""
        with unless_gone():
            if self.recording:
                await self.recording.stop()
                with anyio.move_on_after(5):
                    await self.recording.wait_done()
        for caller in list(self.callers.values()):
            await caller.channel.safe_hangup()
        with anyio.move_on_after(5):
            while self.callers:
                await anyio.sleep(0.05)
        with mayNotExist:
            await self.bridge.destroy()

    # A call

    async def call(self, channel, args):
        """One call: what happens to it comes here in order, until it is over."""
        events = aiter(channel)  # from here on none is missed
        caller = Caller(channel, is_admin="admin" in args)
        self.callers[channel.id] = caller
        self.all.append(caller)
        self.most = max(self.most, len(self.callers))
        self.say(caller, "calls" + (" (admin)" if caller.is_admin else ""))
        async with anyio.create_task_group() as during:
            during.start_soon(self.welcome, caller)
            async for event in events:
                match event.type:
                    case "ChannelTalkingStarted":
                        self.talking(caller)
                    case "ChannelTalkingFinished":
                        self.silent(caller, event.duration)
                    case "ChannelDtmfReceived":
                        # Prompts take seconds, and meanwhile other events come.
                        during.start_soon(self.key, caller, event.digit)
            during.cancel_scope.cancel()  # nothing more is played to who has gone
        del self.callers[channel.id]
        if caller.is_in_room:
            await self.left(caller)
        self.say(caller, "has hung up")

    async def welcome(self, caller):
        with unless_gone():
            await caller.channel.answer()
            # The server listens who talks only where it is asked to: 2,000 ms of silence end a talk, if it does not
            # say otherwise.
            await caller.channel.setChannelVar(variable="TALK_DETECT(set)", value="600")
            await self.prompt(caller, self.others(caller))
            await self.bridge.addChannel(channel=caller.channel.id, absorbDTMF=True)
            caller.is_in_room = True
            await self.entered(caller)

    async def entered(self, caller):
        count = len(self.room())
        self.say(caller, f"is in the room ({count})")
        with unless_gone():
            if count == 1:
                await self.bridge.startMoh()
            else:
                await self.bridge.stopMoh()
                await self.bridge.play(media="sound:confbridge-join")

    async def left(self, caller):
        caller.is_in_room = False
        count = len(self.room())
        self.say(caller, f"has left the room ({count})")
        with unless_gone():
            if count == 1:
                await self.bridge.startMoh()
            elif count > 1:
                await self.bridge.play(media="sound:confbridge-leave")

    def others(self, caller):
        """How many others are in the room, in words."""
        match len([other for other in self.room() if other is not caller]):
            case 0:
                return ["sound:conf-onlyperson"]
            case 1:
                return ["sound:conf-onlyone"]
            case count:
                return ["sound:conf-thereare", f"number:{count}", "sound:conf-otherinparty"]

    async def prompt(self, caller, media):
        """Plays to one caller only, in the room or not, to the end or the next key."""
        await self.hush(caller)
        playback = caller.playback = await caller.channel.play(media=",".join(media))
        await playback.wait_done()

    async def hush(self, caller):
        playback, caller.playback = caller.playback, None
        if playback:
            with unless_gone():  # it may be over already
                await playback.stop()

    # Who talks

    def talking(self, caller):
        if not caller.is_muted:
            caller.is_talking = True
            self.say(caller, "talks")

    def silent(self, caller, duration_ms):
        if caller.is_talking:
            caller.is_talking = False
            caller.talks += 1
            caller.talked_ms += duration_ms
            self.say(caller, f"is silent, after {duration_ms / 1000:.1f} s")

    # Keys

    async def key(self, caller, digit):
        caller.pressed.append(digit)
        await self.hush(caller)
        if digit == "*":
            caller.star = True
            return
        command = MENU.get(digit) if caller.star else None
        caller.star = False
        self.say(caller, f"pressed *{digit}: {command.replace('_', ' ')}" if command else f"pressed {digit}")
        with unless_gone():
            if command:
                await getattr(self, command)(caller)
            else:
                await self.prompt(caller, ["sound:conf-errormenu"])

    async def mute(self, caller):
        caller.is_muted = not caller.is_muted
        if caller.is_muted:
            self.mutes += 1
            caller.is_talking = False
            await caller.channel.mute(direction="in")
        else:
            await caller.channel.unmute(direction="in")
        self.say(caller, "is muted" if caller.is_muted else "can be heard again")
        await self.prompt(caller, ["sound:conf-muted" if caller.is_muted else "sound:conf-unmuted"])

    async def menu(self, caller):
        await self.prompt(caller, MENU_PROMPT)

    async def how_many(self, caller):
        await self.prompt(caller, self.others(caller))

    async def leave(self, caller):
        if caller.is_in_room:
            await self.bridge.removeChannel(channel=caller.channel.id)
            await self.left(caller)
        await self.prompt(caller, ["sound:goodbye"])
        await caller.channel.hangup()

    async def record(self, caller):
        if not caller.is_admin:
            await self.prompt(caller, ["sound:conf-errormenu"])
        elif self.recording:
            await self.recording.stop()
        else:
            name = f"conference-{len(self.recorded) + 1}"
            self.recording = await self.bridge.record(name=name, format="wav", ifExists="overwrite", beep=True)
            self.recording.on_event("RecordingFinished", self.recording_finished)
            self.say(caller, f"records: {name}.wav")

    def recording_finished(self, event):
        self.recording = None
        if event.recording.state == "canceled":  # before its beep was over: there is no file
            self.screen.line(f"{event.recording.name}.wav was not begun")
            return
        self.recorded.append(event.recording.duration)
        self.screen.line(f"{event.recording.name}.wav has {event.recording.duration} s")

    # What is shown

    def say(self, caller, what):
        self.screen.line(f"{caller.name:6}  {what}", self.callers.values())

    def summary(self):
        """Prints what was; whether anybody came, and was heard."""
        heard = [caller for caller in self.all if caller.talked_ms or caller.is_talking]
        self.screen.end()
        print("\n          talked  times  pressed")
        for caller in self.all:
            row = f"{caller.talked_ms / 1000:6.1f} s  {caller.talks:5}  {''.join(caller.pressed)}"
            print(f"  {caller.name:6}{row}".rstrip())
        recorded = f", {sum(self.recorded)} s recorded" if self.recorded else ""
        print(
            f"  {len(self.all)} came, {self.most} at a time, {len(heard)} were heard, "
            f"{sum(len(caller.pressed) for caller in self.all)} keys, {self.mutes} mutes{recorded}"
        )
        return bool(heard)


async def run(options):
    user, _, password = options.user.partition(":")
    url = options.url.rstrip("/") + "/"
    async with asyncari.connect(url, APP, user, password) as ari:
        conference = Conference(ari, Screen())
        await conference.open()
        end = anyio.Event()
        ari.taskgroup.start_soon(answer_calls, ari, conference)
        ari.taskgroup.start_soon(wait_for_signal, end)
        ari.taskgroup.start_soon(watch, ari, end)
        if options.callers:
            ari.taskgroup.start_soon(wait_for_callers, conference, options.callers, end)
        conference.screen.line(f"The room is open, at {options.url}")
        with anyio.move_on_after(options.seconds):
            await end.wait()
        if ari.websockets:
            await conference.close()
        return conference.summary()


async def answer_calls(ari, conference):
    async with ari.on_channel_event("StasisStart") as calls:
        async for channels, event in calls:
            # StasisStart may have two channels: that which comes, and one whose place it takes.
            ari.taskgroup.start_soon(conference.call, channels["channel"], event.args)


async def wait_for_signal(end):
    with anyio.open_signal_receiver(signal.SIGINT, signal.SIGTERM) as signals:
        async for _ in signals:
            end.set()


async def wait_for_callers(conference, count, end):
    while len(conference.all) < count or conference.callers:
        await anyio.sleep(0.1)
    end.set()


async def watch(ari, end):
    """asyncari does not say that the server has gone, but forgets its WebSocket."""
    while ari.websockets:
        await anyio.sleep(0.5)
    print("conference: the server has gone", file=sys.stderr)
    end.set()


def arguments():
    parser = argparse.ArgumentParser(description="A conference room for ARI.")
    parser.add_argument("--url", default=os.environ.get("ARI_URL", "http://127.0.0.1:8088"), help="the server")
    parser.add_argument("--user", default=os.environ.get("ARI_USER", "demo:demo"), help="NAME:PASSWORD")
    parser.add_argument("--seconds", type=float, help="end after so long (without it: at Ctrl-C)")
    parser.add_argument("--callers", type=int, help="end when so many have come, and all have gone")
    return parser.parse_args()


def first(error):
    """The error that a group of them began with. asyncari asks again after the first failure, and fails otherwise."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error.__context__ if isinstance(error, RuntimeError) and error.__context__ else error


def main():
    # asyncari warns of events that it has no use for itself, such as those of talk.
    logging.getLogger("asyncari").setLevel(logging.ERROR)
    options = arguments()
    try:
        return 0 if anyio.run(run, options) else 1
    except* Exception as errors:
        error = first(errors)
        if not isinstance(error, (HTTPError, OSError)):
            raise
        # Its own text has the URL, and in that the password.
        what = error.response.reason_phrase if isinstance(error, HTTPStatusError) else error
        print(f"conference: {options.url}: {what}", file=sys.stderr)
    return 1


if __name__ == "__main__":
    sys.exit(main())
