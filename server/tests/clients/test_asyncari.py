"""PyPI asyncari: an object model over asyncio, made of the Swagger declarations that the server tells."""

import asyncio
import json
import logging
import unittest
from contextlib import asynccontextmanager

import asyncari
from asyncari.model import OperationError
from asyncari.state import DTMFHandler, HangupBridgeState, ToplevelChannelState
from httpx import HTTPStatusError

import server
from server import PASSWORD, USER, Case, Log, unique

server.setUpModule(globals())
# It warns of each event that its objects do nothing with.
logging.getLogger("asyncari").setLevel(logging.ERROR)


@asynccontextmanager
async def connected(*apps):
    """A client that listens for `apps`, and all that it is told."""
    log = Log()
    async with asyncari.connect(SERVER.url, ",".join(apps), USER, PASSWORD) as ari:

        async def listen():
            async for event in ari:
                log.push(event._orig_msg)

        ari.taskgroup.start_soon(listen)
        yield ari, log


async def answered(ari, log, app, endpoint, **more):
    """A call to `endpoint` that was answered, in `app`."""
    channel = await ari.channels.originate(endpoint=endpoint, app=app, channelId=unique("call"), **more)
    await log.first("StasisStart", channel__id=channel.id)
    return channel


class Asyncari(Case):
    async def refused(self, status, message, doing):
        """That something is refused with this status."""
        with self.assertRaises((HTTPStatusError, OperationError)) as raised:
            await doing
        problem = raised.exception
        answer = getattr(problem, "__cause__", None) or problem
        self.assertEqual(answer.response.status_code, status)
        self.assertRegex(answer.response.json()["message"], message)

    async def test_hello_world(self):
        app = unique("hello")
        async with connected(app) as (ari, log):
            async with ari.on_channel_event("StasisStart") as starts:
                callee = unique("callee")
                call = {"endpoint": f"Local/100@stasis-{app}", "extension": "wait", "callerId": "Ann <100>"}
                await ari.channels.originate(**call, otherChannelId=callee)
                # The model has two channels, so it is told which is which.
                channels, event = await anext(aiter(starts))
            channel = channels["channel"]
            self.assertEqual((channel.id, channel.state, event.args), (callee, "Ring", []))
            await channel.answer()
            await log.first("ChannelStateChange", channel__id=callee, channel__state="Up")
            playback = await channel.play(media="sound:hello-world")
            async with asyncio.timeout(10):
                await playback.wait_playing()
                await playback.wait_done()
            self.assertEqual(playback.state, "done")
            await channel.hangup()
            await log.first("StasisEnd", channel__id=callee)
            self.assertEqual(
                log.of(callee, "StasisStart", "ChannelStateChange", "ChannelHangupRequest", "StasisEnd"),
                ["StasisStart", "ChannelStateChange", "ChannelHangupRequest", "StasisEnd"],
            )

    async def test_a_state_machine_is_told_the_keys(self):
        pressed = []

        class Menu(ToplevelChannelState, DTMFHandler):
            async def on_dtmf(self, event):
                pressed.append(event.digit)
                if event.digit == "#":
                    await self.channel.hangup()

        app = unique("menu")
        async with connected(app) as (ari, log):
            async with ari.on_channel_event("StasisStart") as starts:
                await ari.channels.originate(endpoint="Test/keys", app=app)
                channels, _ = await anext(aiter(starts))
            channel = channels["channel"]
            async with asyncio.timeout(10):
                async with Menu(channel).task as menu:
                    await menu.channel.wait_down()
            self.assertEqual(pressed, ["1", "2", "3", "#"])
            await log.first("ChannelDestroyed", channel__id=channel.id, cause=16)

    async def test_two_are_put_together_in_a_bridge(self):
        app = unique("bridge")
        async with connected(app) as (ari, log):
            one = await answered(ari, log, app, "Test/alice")
            two = await answered(ari, log, app, "Test/bob")
            bridge = await ari.bridges.create(type="mixing", name="room")
            await bridge.addChannel(channel=f"{one.id},{two.id}")
            async with asyncio.timeout(10):
                await one.wait_bridged(bridge)
                await two.wait_bridged(bridge)
            self.assertEqual(bridge.channels, {one, two})
            seen = await ari.bridges.get(bridgeId=bridge.id)
            self.assertIs(seen, bridge)
            self.assertEqual(seen.bridge_type, "mixing")
            await bridge.startMoh()
            await bridge.stopMoh()
            playback = await bridge.play(media="sound:hello-world")
            await log.first("PlaybackStarted", playback__target_uri=f"bridge:{bridge.id}")
            await playback.stop()
            recording = await bridge.record(name=unique("room"), format="wav")
            await log.first("RecordingStarted", recording__name=recording.name)
            await recording.stop()
            await log.first("RecordingFinished", recording__target_uri=f"bridge:{bridge.id}")
            await bridge.removeChannel(channel=two.id)
            async with asyncio.timeout(10):
                await two.wait_not_bridged()
            await self.refused(422, "not in this bridge", bridge.removeChannel(channel=two.id))
            await self.refused(400, "not found", bridge.addChannel(channel="nobody"))
            await one.hangup()
            await log.first("ChannelLeftBridge", channel__id=one.id)
            await two.hangup()
            await bridge.destroy()
            await log.first("BridgeDestroyed", bridge__id=bridge.id)
            await self.refused(404, "Bridge not found", ari.bridges.get(bridgeId=bridge.id))

    async def test_who_is_dialed_into_a_bridge_ends_it_by_hanging_up(self):
        app = unique("dial")
        async with connected(app) as (ari, log):
            caller = await answered(ari, log, app, "Test/alice")
            async with asyncio.timeout(10):
                async with HangupBridgeState.new(ari) as bridge:
                    await bridge.add(caller)
                    callee = await bridge.dial(endpoint="Test/short")
                    await log.first("ChannelEnteredBridge", channel__id=callee.id)
                    await log.first("ChannelDestroyed", channel__id=callee.id, cause=16)
                    await log.first("ChannelDestroyed", channel__id=caller.id)
            await log.first("BridgeDestroyed", bridge__id=bridge.ref_id)

    async def test_calls_that_fail(self):
        app = unique("fails")
        async with connected(app) as (ari, log):
            for phone, cause, text in [
                ("busy", 17, "User busy"),
                ("rejects", 21, "Call Rejected"),
                ("congestion", 34, "Circuit/channel congestion"),
                ("noanswer", 19, "User alerting, no answer"),
            ]:
                call = {"endpoint": f"Test/{phone}", "app": app, "channelId": unique(phone), "timeout": 1}
                await ari.channels.originate(**call)
                gone = await log.first("ChannelDestroyed", channel__id=call["channelId"])
                self.assertEqual((gone["cause"], gone["cause_txt"]), (cause, text))
                self.assertEqual(log.of(call["channelId"], "StasisStart"), [])
            await self.refused(400, "Invalid endpoint", ari.channels.originate(endpoint="nonsense", app=app))
            await self.refused(404, "Channel not found", ari.channels.get(channelId="nobody"))

    async def test_a_channel_is_created_and_dialed(self):
        app = unique("create")
        async with connected(app) as (ari, log):
            channel = await ari.channels.create(endpoint="Test/carol", app=app, appArgs="x,y")
            start = await log.first("StasisStart", channel__id=channel.id)
            self.assertEqual((start["args"], start["channel"]["state"]), (["x", "y"], "Down"))
            await channel.dial(timeout=5)
            await log.first("Dial", peer__id=channel.id, dialstatus="ANSWER")
            async with asyncio.timeout(10):
                await channel.wait_for(lambda: channel.state == "Up")
            await channel.hangup()
            await log.first("ChannelDestroyed", channel__id=channel.id)

    async def test_what_is_said_is_recorded_and_played_back(self):
        app = unique("record")
        async with connected(app) as (ari, log):
            channel = await answered(ari, log, app, "Test/alice")
            name = unique("said")
            recording = await channel.record(name=name, format="wav", maxDurationSeconds=1, ifExists="fail")
            async with asyncio.timeout(10):
                await recording.wait_recording()
                await recording.wait_done()
            self.assertEqual((recording.state, recording.duration), ("done", 1))
            await self.refused(409, "already exists", channel.record(name=name, format="wav"))
            await self.refused(422, "Format", channel.record(name="other", format="mp9"))
            stored = await ari.recordings.listStored()
            self.assertIn(name, [one.name for one in stored])
            copy = await ari.recordings.copyStored(recordingName=name, destinationRecordingName=f"{name}-2")
            self.assertEqual((copy.name, copy.format), (f"{name}-2", "wav"))
            playback = await channel.play(media=f"recording:{name}-2")
            async with asyncio.timeout(10):
                await playback.wait_done()
            await ari.recordings.deleteStored(recordingName=name)
            await self.refused(404, "Recording not found", ari.recordings.getStored(recordingName=name))
            await channel.hangup()

    async def test_a_playback_is_controlled(self):
        app = unique("playback")
        async with connected(app) as (ari, log):
            channel = await answered(ari, log, app, "Test/carol")
            playback = await channel.play(media="sound:demo-congrats", playbackId=unique("playback"))
            async with asyncio.timeout(10):
                await playback.wait_playing()
            await playback.control(operation="pause")
            await playback.control(operation="unpause")
            await log.count(2, "PlaybackStarted", playback__id=playback.id)
            for operation in ["forward", "reverse", "restart"]:
                await playback.control(operation=operation)
            await playback.stop()
            await log.first("PlaybackFinished", playback__id=playback.id)
            await self.refused(404, "Playback not found", ari.playbacks.get(playbackId=playback.id))
            await channel.hangup()

    async def test_lines_are_muted_held_and_given_music(self):
        app = unique("lines")
        async with connected(app) as (ari, log):
            channel = await answered(ari, log, app, "Test/carol")
            for doing in ["hold", "unhold", "startMoh", "stopMoh", "startSilence", "stopSilence"]:
                await getattr(channel, doing)()
            await channel.mute(direction="in")
            await channel.unmute(direction="in")
            await self.refused(400, "Invalid direction", channel.mute(direction="sideways"))
            await channel.sendDTMF(dtmf="12", between=50, duration=50)
            await channel.hangup(reason="normal")
            await log.first("ChannelDestroyed", channel__id=channel.id, cause=16)

    async def test_a_snoop_hears_what_is_said(self):
        app = unique("snoop")
        async with connected(app) as (ari, log):
            channel = await answered(ari, log, app, "Test/alice")
            snoop = await channel.snoopChannelWithId(snoopId=unique("snoop"), app=app, spy="in", appArgs="spy")
            start = await log.first("StasisStart", channel__id=snoop.id)
            self.assertEqual(start["args"], ["spy"])
            recording = await snoop.record(name=unique("heard"), format="wav", maxDurationSeconds=1)
            async with asyncio.timeout(10):
                await recording.wait_done()
            await snoop.hangup()
            await log.first("StasisEnd", channel__id=snoop.id)
            await channel.hangup()

    async def test_variables(self):
        app = unique("variables")
        async with connected(app) as (ari, log):
            channel = await answered(ari, log, app, "Test/carol", variables={"COLOR": "red"})
            self.assertEqual((await channel.getChannelVar(variable="COLOR"))["value"], "red")
            await channel.setChannelVar(variable="COLOR", value="a,b & c=ü")
            await log.first("ChannelVarset", variable="COLOR", value="a,b & c=ü")
            self.assertEqual((await channel.getChannelVar(variable="COLOR"))["value"], "a,b & c=ü")
            await self.refused(404, "variable", channel.getChannelVar(variable="NONE"))
            await ari.asterisk.setGlobalVar(variable="ALL", value="1")
            self.assertEqual((await ari.asterisk.getGlobalVar(variable="ALL"))["value"], "1")
            await channel.hangup()

    async def test_a_channel_moves_and_goes_on_in_the_dialplan(self):
        here, there = unique("here"), unique("there")
        async with connected(here, there) as (ari, log):
            channel = await answered(ari, log, here, "Test/carol")
            await channel.move(app=there, appArgs="moved")
            start = await log.first("StasisStart", application=there)
            self.assertEqual(start["args"], ["moved"])
            await channel.continueInDialplan(context="default", extension="wait", priority=1)
            await log.first("StasisEnd", application=there)
            await self.refused(409, "not in", channel.answer())
            await ari.channels.hangup(channelId=channel.id)
            await self.refused(404, "not found", channel.move(app=here))

    async def test_an_application_asks_for_events_and_filters_them(self):
        app = unique("filter")
        async with connected(app) as (ari, log):
            told = await ari.applications.subscribe(applicationName=app, eventSource="endpoint:Test/short")
            self.assertEqual(told["endpoint_ids"], ["Test/short"])
            shape = {"allowed": [{"type": "ChannelUserevent"}]}
            told = await ari.applications.filter(applicationName=app, filter=shape)
            self.assertEqual(told["events_allowed"], shape["allowed"])
            await ari.channels.originate(endpoint="Test/short", extension="wait")
            await ari.events.userEvent(eventName="Done", application=app, variables={"a": "b"})
            event = await log.first("ChannelUserevent", eventname="Done")
            self.assertEqual(event["userevent"]["a"], "b")
            self.assertEqual([event["type"] for event in log.events], ["ChannelUserevent"])
            await self.refused(404, "Application not found", ari.applications.get(applicationName="nobody"))
            bad = ari.applications.subscribe(applicationName=app, eventSource="channel:none")
            await self.refused(422, "does not exist|not found", bad)

    async def test_devices_mailboxes_and_endpoints(self):
        app = unique("devices")
        async with connected(app) as (ari, log):
            # The client's objects for devices and mailboxes cannot be made, with any server, and end it when an
            # event has one. What they would be made of is asked for below them.
            await ari.deviceStates.update(deviceName="Stasis:door", deviceState="BUSY")
            answer = await ari.deviceStates.api.get(deviceName="Stasis:door")
            self.assertEqual(answer.json(), {"name": "Stasis:door", "state": "BUSY"})
            await ari.deviceStates.delete(deviceName="Stasis:door")
            wrong = ari.deviceStates.update(deviceName="Test/alice", deviceState="BUSY")
            await self.refused(409, "Uncontrolled device", wrong)
            await ari.mailboxes.update(mailboxName="7@default", oldMessages=3, newMessages=4)
            answer = await ari.mailboxes.api.get(mailboxName="7@default")
            self.assertEqual(answer.json(), {"name": "7@default", "old_messages": 3, "new_messages": 4})
            await ari.mailboxes.delete(mailboxName="7@default")
            await self.refused(404, "Mailbox does not exist", ari.mailboxes.get(mailboxName="7@default"))
            endpoints = await ari.endpoints.listByTech(tech="Test")
            self.assertIn("alice", [one.resource for one in endpoints])
            alice = await ari.endpoints.get(tech="Test", resource="alice")
            self.assertEqual(alice.state, "online")

    async def test_the_server_tells_of_itself_and_its_sounds(self):
        async with connected(unique("about")) as (ari, log):
            info = await ari.asterisk.getInfo(only="system")
            self.assertEqual(list(info), ["system"])
            self.assertEqual((await ari.asterisk.ping())["ping"], "pong")
            sounds = await ari.sounds.list(lang="en")
            self.assertTrue(any(sound["id"] == "hello-world" for sound in sounds), json.dumps(sounds[:3]))
            self.assertEqual((await ari.sounds.get(soundId="tt-monkeys"))["id"], "tt-monkeys")
            await self.refused(404, "Sound not found", ari.sounds.get(soundId="none"))

    async def test_two_applications_on_one_socket_until_another_takes_one(self):
        one, two = unique("one"), unique("two")
        async with connected(one, two) as (ari, log):
            async with connected(two) as (other, theirs):
                replaced = await log.first("ApplicationReplaced")
                self.assertEqual(replaced["application"], two)
                channel = await other.channels.originate(endpoint="Test/carol", app=two, channelId=unique("c"))
                await theirs.first("StasisStart", channel__id=channel.id)
                await channel.hangup()
                await theirs.first("ChannelDestroyed", channel__id=channel.id)
            await answered(ari, log, one, "Test/short")
            self.assertEqual(log.all("StasisStart", application=two), [])


if __name__ == "__main__":
    unittest.main()
