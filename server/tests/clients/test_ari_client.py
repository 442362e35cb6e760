"""PyPI ari-client: models of pydantic for all that comes, so each event and each reply here is checked for its
shape. Then REST over the WebSocket, for which there is no client yet: by hand."""

import asyncio
import json
import logging
import unittest
from contextlib import asynccontextmanager

import websockets
from ari_client import EVENT_MODEL_MAP, AriClient, AriError, DeviceStateValue

import server
from server import PASSWORD, USER, Case, Log, unique

server.setUpModule(globals())
for name in ["asyncio", "httpx"]:
    logging.getLogger(name).setLevel(logging.WARNING)
EVENTS = logging.getLogger("ari_client.ari_client")


class AriClientTest(Case):
    @asynccontextmanager
    async def connected(self, app, subscribe_to_all=False):
        """A client that listens for `app`; every event must be as its model has it."""
        client = AriClient(SERVER.host, SERVER.port, USER, PASSWORD)
        log, models = Log(), []

        async def take(event):
            models.append(event)
            log.push(json.loads(event.model_dump_json()))

        for type in [*EVENT_MODEL_MAP, "ApplicationReplaced", "DeviceStateChanged", "EndpointStateChange"]:
            client.on_event(type)(take)
        with self.assertNoLogs(EVENTS, logging.WARNING):
            await client.connect(app, subscribe_to_all)
            try:
                yield client.ari, log, models
            finally:
                await client.disconnect()
                await client.ari.client.aclose()

    async def answered(self, ari, log, endpoint, **more):
        channel = await ari.originate(endpoint, channel_id=unique("call"), **more)
        await log.first("StasisStart", channel__id=channel.id)
        return channel

    async def refused(self, status, message, doing):
        with self.assertRaises(Exception) as raised:
            await doing
        problem = raised.exception
        if isinstance(problem, AriError):
            self.assertEqual(problem.status_code, status)
            self.assertRegex(json.loads(problem.body)["message"], message)
        elif hasattr(problem, "response"):
            self.assertEqual(problem.response.status_code, status)
        else:
            self.assertRegex(str(problem), f"{status} .*{message}")

    async def test_hello_world(self):
        app = unique("hello")
        async with self.connected(app) as (ari, log, models):
            callee = unique("callee")
            call = {"endpoint": f"Local/100@stasis-{app}", "otherChannelId": callee, "extension": "wait"}
            answer = await ari.client.post("/channels", params={**call, "callerId": '"Ann" <100>'})
            self.assertEqual(answer.status_code, 200)
            await log.first("StasisStart", channel__id=callee)
            channel = next(event.channel for event in models if event.type == "StasisStart")
            self.assertEqual((channel.state, channel.caller.number), ("Ring", "100"))
            await channel.answer()
            await log.first("ChannelStateChange", channel__state="Up")
            playback = await channel.play("sound:hello-world", playback_id=unique("playback"))
            await log.first("PlaybackFinished", playback__id=playback.id, playback__state="done")
            await channel.stop()
            await log.first("StasisEnd", channel__id=callee)
            self.assertEqual(
                log.of(callee, "StasisStart", "ChannelStateChange", "ChannelHangupRequest", "StasisEnd"),
                ["StasisStart", "ChannelStateChange", "ChannelHangupRequest", "StasisEnd"],
            )

    async def test_who_asks_for_everything_is_told_of_calls_that_are_not_its_own(self):
        async with self.connected(unique("all"), True) as (ari, log, models):
            channel = unique("call")
            call = {"endpoint": "Local/hello@default", "extension": "wait", "channelId": channel}
            await ari.client.post("/channels", params=call)
            await log.first("ChannelDestroyed", channel__id=channel)
            await log.first("ChannelDestroyed", channel__id=f"{channel};2")
            for type in ["ChannelCreated", "Dial", "ChannelDialplan", "ChannelVarset", "DeviceStateChanged"]:
                self.assertTrue(log.all(type), type)

    async def test_keys(self):
        async with self.connected(unique("keys")) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/keys", app_args="menu,1")
            self.assertEqual(log.all("StasisStart")[0]["args"], ["menu", "1"])
            pressed = await log.count(4, "ChannelDtmfReceived", channel__id=channel.id)
            self.assertEqual([event["digit"] for event in pressed], ["1", "2", "3", "#"])
            await channel.send_dtmf("4", duration=60)
            await channel.stop()
            await log.first("ChannelDestroyed", channel__id=channel.id, cause=16)

    async def test_a_bridge(self):
        async with self.connected(unique("bridge")) as (ari, log, models):
            one = await self.answered(ari, log, "Test/alice", caller_id="Ann <100>")
            two = await self.answered(ari, log, "Test/bob")
            bridge = await ari.create_bridge("mixing", unique("bridge"), "room")
            await bridge.add_channel([one.id, two.id])
            await log.count(2, "ChannelEnteredBridge", bridge__id=bridge.id)
            seen = await ari.get_bridge(bridge.id)
            self.assertEqual(set(seen.channels), {one.id, two.id})
            self.assertIn(bridge.id, [each.id for each in await ari.list_bridges()])
            await ari.start_bridge_moh(bridge.id, "default")
            await ari.stop_bridge_moh(bridge.id)
            playback = await ari.play_bridge_with_id(bridge.id, unique("playback"), ["sound:beep", "digits:12"])
            await log.first("PlaybackFinished", playback__id=playback.id)
            told = [event for event in log.events if event.get("playback", {}).get("id") == playback.id]
            self.assertEqual(
                [(event["type"], event["playback"]["media_uri"]) for event in told],
                [
                    ("PlaybackStarted", "sound:beep"),
                    ("PlaybackContinuing", "sound:beep"),
                    ("PlaybackStarted", "digits:12"),
                    ("PlaybackFinished", "digits:12"),
                ],
            )
            recording = await bridge.record(unique("room"), "wav", max_duration_seconds=1)
            await log.first("RecordingFinished", recording__name=recording.name, recording__duration=1)
            await ari.bridge_remove_channel(bridge.id, one.id)
            await log.first("ChannelLeftBridge", channel__id=one.id)
            await self.refused(422, "not in this bridge", ari.bridge_remove_channel(bridge.id, one.id))
            # Who is in it leaves it, and with the last of them the application's interest in it.
            await bridge.stop()
            await log.first("ChannelLeftBridge", channel__id=two.id)
            await self.refused(404, "Bridge not found", ari.get_bridge(bridge.id))
            for channel in [one, two]:
                await channel.stop()

    async def test_two_bridges_become_one_by_moving_channels(self):
        async with self.connected(unique("moves")) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/carol")
            here = await ari.create_bridge_with_id(unique("here"), "mixing")
            there = await ari.create_bridge_with_id(unique("there"), "holding")
            await here.add_channel(channel.id)
            await there.add_channel(channel.id)
            await log.first("ChannelEnteredBridge", bridge__id=there.id)
            order = log.of(channel.id, "ChannelEnteredBridge", "ChannelLeftBridge")
            self.assertEqual(order, ["ChannelEnteredBridge", "ChannelLeftBridge", "ChannelEnteredBridge"])
            for bridge in [here, there]:
                await bridge.stop()
            await channel.stop()

    async def test_calls_that_fail(self):
        app = unique("fails")
        async with self.connected(app) as (ari, log, models):
            for phone, cause in [("busy", 17), ("rejects", 21), ("congestion", 34), ("noanswer", 19)]:
                channel = await ari.originate(f"Test/{phone}", channel_id=unique(phone), timeout=1)
                await log.first("ChannelDestroyed", channel__id=channel.id, cause=cause)
                self.assertEqual(log.all("Dial", peer__id=channel.id)[0]["dialstatus"], "")
            taken = await self.answered(ari, log, "Test/carol")
            await self.refused(409, "exists", ari.originate_with_id(taken.id, "Test/carol"))
            await self.refused(400, "endpoint", ari.originate("nonsense"))
            await self.refused(404, "not found", ari.hold_channel("nobody"))
            await self.refused(404, "Channel not found", ari.stop_channel("nobody"))
            await taken.stop()

    async def test_a_channel_is_created_dialed_moved_and_goes_on(self):
        here, there = unique("here"), unique("there")
        async with self.connected(here) as (ari, log, models), self.connected(there) as (_, theirs, _):
            variables = {"COLOR": "red", "SHAPE": "round"}
            channel = await ari.create_channel("Test/carol", "early", unique("made"), variables=variables)
            await log.first("StasisStart", channel__id=channel.id, channel__state="Down")
            self.assertEqual(await ari.get_channel_variable(channel.id, "SHAPE"), "round")
            await channel.dial(timeout=5)
            await log.first("Dial", peer__id=channel.id, dialstatus="ANSWER")
            await ari.set_channel_variable(channel.id, "COLOR", "blue")
            await log.first("ChannelVarset", variable="COLOR", value="blue")
            await self.refused(404, "variable", ari.get_channel_variable(channel.id, "NONE"))
            await channel.move(there, "a,b")
            await log.first("StasisEnd", channel__id=channel.id)
            start = await theirs.first("StasisStart", channel__id=channel.id)
            self.assertEqual(start["args"], ["a", "b"])
            await ari.continue_in_dialplan(channel.id, "default", "wait", 1)
            await theirs.first("StasisEnd", channel__id=channel.id)
            await self.refused(409, "not in", channel.answer())
            await channel.stop()

    async def test_recordings(self):
        async with self.connected(unique("record")) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/alice")
            name = unique("folder/said")
            recording = await channel.record(name, "wav", if_exists="fail")
            await log.first("RecordingStarted", recording__name=name)
            self.assertEqual((await ari.get_live_recording(name)).state, "recording")
            await ari.pause_recording(name)
            await ari.unpause_recording(name)
            await ari.mute_recording(name)
            await ari.unmute_recording(name)
            answer = await ari.client.post(f"/recordings/live/{name.replace('/', '%2F')}/stop")
            self.assertEqual(answer.status_code, 204)
            await log.first("RecordingFinished", recording__name=name, recording__state="done")
            stored = await ari.get_stored_recording(name)
            self.assertEqual(stored.format, "wav")
            copy = await ari.copy_stored_recording(name, unique("copy"))
            self.assertIn(copy.name, [each.name for each in await ari.list_stored_recordings()])
            sound = await ari.download_recording(copy.name)
            self.assertEqual((sound[:4], sound[8:12]), (b"RIFF", b"WAVE"))
            await self.refused(409, "already exists", ari.copy_stored_recording(name, copy.name))
            await ari.delete_stored_recording(copy.name)
            await self.refused(404, "Recording not found", ari.get_stored_recording(copy.name))
            thrown = await channel.record(unique("thrown"), "wav")
            await ari.cancel_recording(thrown.name)
            await log.first("RecordingFinished", recording__name=thrown.name, recording__state="done")
            await self.refused(404, "Recording not found", ari.get_stored_recording(thrown.name))
            await channel.stop()

    async def test_a_playback_is_controlled(self):
        async with self.connected(unique("playback")) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/carol")
            playback = await ari.play_channel_with_id(channel.id, unique("playback"), "sound:demo-congrats")
            await log.first("PlaybackStarted", playback__id=playback.id)
            await playback.control("pause")
            await playback.control("unpause")
            await log.count(2, "PlaybackStarted", playback__id=playback.id)
            for operation in ["forward", "reverse", "restart"]:
                await playback.control(operation)
            self.assertEqual((await ari.get_playback(playback.id)).state, "playing")
            await self.refused(400, "Invalid", playback.control("bogus"))
            await playback.stop()
            await log.first("PlaybackFinished", playback__id=playback.id)
            await self.refused(404, "Playback not found", ari.get_playback(playback.id))
            await channel.stop()

    async def test_lines_are_held_muted_and_given_music(self):
        async with self.connected(unique("lines")) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/carol")
            for doing in ["hold", "unhold", "start_channel_moh", "stop_channel_moh", "mute", "unmute"]:
                doing = doing if "channel" in doing else f"{doing}_channel"
                more = ["both"] if "mute" in doing else []
                await getattr(ari, doing)(channel.id, *more)
            await ari.start_channel_silence(channel.id)
            await ari.stop_channel_silence(channel.id)
            snoop = await channel.snoop(spy="both", app_args="spy", snoop_id=unique("snoop"))
            await log.first("StasisStart", channel__id=snoop.id)
            await self.refused(400, "Direction", ari.snoop_channel_with_id(channel.id, unique("snoop"), "none"))
            await channel.stop()
            await log.first("StasisEnd", channel__id=snoop.id)

    async def test_external_media(self):
        async with self.connected(unique("media")) as (ari, log, models):
            packets = asyncio.Queue()

            class Receive(asyncio.DatagramProtocol):
                def datagram_received(self, data, sender):
                    packets.put_nowait(data)

            loop = asyncio.get_running_loop()
            socket, _ = await loop.create_datagram_endpoint(Receive, local_addr=("127.0.0.1", 0))
            port = socket.get_extra_info("sockname")[1]
            media = await ari.create_external_media(f"127.0.0.1:{port}", "ulaw", channel_id=unique("media"))
            await log.first("StasisStart", channel__id=media.id)
            talker = await self.answered(ari, log, "Test/alice")
            bridge = await ari.create_bridge("mixing")
            await bridge.add_channel([media.id, talker.id])
            packet = await asyncio.wait_for(packets.get(), server.PATIENCE)
            self.assertEqual((packet[0] >> 6, packet[1] & 0x7F, len(packet)), (2, 0, 172))
            listens = int(await ari.get_channel_variable(media.id, "UNICASTRTP_LOCAL_PORT"))
            # Figures are told with the first report of the stream.
            while True:
                socket.sendto(packet, ("127.0.0.1", listens))
                await asyncio.wait_for(packets.get(), server.PATIENCE)
                try:
                    figures = await ari.get_channel_rtp_statistics(media.id)
                    break
                except AriError as problem:
                    self.assertEqual(problem.status_code, 404)
            self.assertEqual(figures.channel_uniqueid, media.id)
            self.assertGreater(figures.txcount, 0)
            await self.refused(403, "Unsupported", ari.get_channel_rtp_statistics(talker.id))
            for each in [bridge, media, talker]:
                await each.stop()
            socket.close()

    async def test_devices_mailboxes_endpoints_and_sounds(self):
        app = unique("devices")
        async with self.connected(app) as (ari, log, models):
            told = await ari.subscribe_application(["deviceState:Stasis:lamp", "endpoint:Test/alice"])
            self.assertEqual((told.device_names, told.endpoint_ids), (["Stasis:lamp"], ["Test/alice"]))
            await ari.update_device_state("Stasis:lamp", DeviceStateValue.RINGING)
            await log.first("DeviceStateChanged")
            self.assertEqual((await ari.get_device_state("Stasis:lamp")).state, DeviceStateValue.RINGING)
            self.assertEqual([each.name for each in await ari.list_device_states()], ["Stasis:lamp"])
            await ari.delete_device_state("Stasis:lamp")
            await self.refused(409, "Uncontrolled", ari.update_device_state("Test/alice", "BUSY"))
            self.assertTrue((await ari.get_device_state("Test/short")).is_free)
            await ari.unsubscribe_application("endpoint:Test/alice")
            await self.refused(422, ".", ari.subscribe_application("endpoint:Test/nobody"))
            await ari.update_mailbox("9@x", 5, 6)
            mailbox = await ari.get_mailbox("9@x")
            self.assertEqual((mailbox.old_messages, mailbox.new_messages), (5, 6))
            self.assertEqual(len(await ari.list_mailboxes()), 1)
            await ari.delete_mailbox("9@x")
            await self.refused(404, "Mailbox does not exist", ari.delete_mailbox("9@x"))
            self.assertEqual((await ari.get_endpoint("Test", "alice")).channel_ids, [])
            self.assertGreater(len(await ari.list_endpoints_by_tech("Test")), 5)
            self.assertGreater(len(await ari.list_endpoints()), 5)
            sounds = await ari.list_sounds("en")
            self.assertEqual((await ari.get_sound(sounds[0].id)).id, sounds[0].id)
            await self.refused(404, "Sound not found", ari.get_sound("none"))

    async def test_the_server(self):
        async with self.connected(unique("about")) as (ari, log, models):
            info = await ari.get_asterisk_info()
            self.assertEqual(info.system.entity_id, "02:00:00:00:00:01")
            self.assertIsNone((await ari.get_asterisk_info("system")).build)
            self.assertEqual((await ari.ping()).ping, "pong")
            await ari.set_global_variable("G", "1")
            self.assertEqual(await ari.get_global_variable("G"), "1")
            self.assertEqual((await ari.list_modules(), await ari.list_log_channels()), ([], []))
            await self.refused(404, "Module", ari.get_module("res_none.so"))
            await self.refused(404, ".", ari.get_config_object("res_pjsip", "endpoint", "x"))

    async def test_user_events_and_filters(self):
        app = unique("filter")
        async with self.connected(app) as (ari, log, models):
            channel = await self.answered(ari, log, "Test/carol")
            told = await ari.set_application_event_filter(allowed=["ChannelUserevent"])
            self.assertEqual(told.events_allowed, [{"type": "ChannelUserevent"}])
            bridge = await ari.create_bridge("mixing")
            before = len(log.events)
            await channel.stop()
            await ari.send_user_event("Alarm", source=[f"bridge:{bridge.id}"], variables={"where": "here"})
            event = await log.first("ChannelUserevent", eventname="Alarm")
            self.assertEqual((event["userevent"]["where"], event["bridge"]["id"]), ("here", bridge.id))
            await self.refused(400, "Invalid event source", ari.send_user_event("X", source="deviceState:x"))
            await bridge.stop()
            self.assertEqual([event["type"] for event in log.events[before:]], ["ChannelUserevent"])
            told = await ari.set_application_event_filter()
            self.assertEqual(told.events_allowed, [])
            self.assertIn(app, [each.name for each in await ari.list_applications()])
            await self.refused(404, "Application not found", ari.get_application("nobody"))

    async def test_another_socket_takes_the_application(self):
        app = unique("taken")
        async with self.connected(app) as (_, first, _), self.connected(app) as (ari, second, _):
            await first.first("ApplicationReplaced")
            channel = await self.answered(ari, second, "Test/carol")
            await channel.stop()
            await second.first("ChannelDestroyed", channel__id=channel.id)
            self.assertEqual(first.all("StasisStart"), [])

    async def test_rest_over_the_websocket(self):
        app = unique("socket")
        address = f"ws://{SERVER.host}:{SERVER.port}/ari/events?app={app}&api_key={USER}:{PASSWORD}"
        async with websockets.connect(address, subprotocols=["ari"]) as socket:
            self.assertEqual(socket.subprotocol, "ari")
            log = Log()

            async def listen():
                async for message in socket:
                    log.push(json.loads(message))

            listening = asyncio.create_task(listen())

            async def ask(method, uri, body=None, **query):
                id = unique("request")
                request = {"type": "RESTRequest", "request_id": id, "transaction_id": "t", "method": method, "uri": uri}
                request["query_strings"] = [{"name": name, "value": value} for name, value in query.items()]
                if body is not None:
                    request |= {"content_type": "application/json", "message_body": json.dumps(body)}
                await socket.send(json.dumps(request))
                answer = await log.first("RESTResponse", request_id=id)
                self.assertEqual((answer["transaction_id"], answer["uri"]), ("t", uri))
                body = answer.get("message_body")
                return answer["status_code"], body and json.loads(body)

            call = {"endpoint": "Test/carol", "app": app, "channelId": "over-the-socket"}
            status, channel = await ask("POST", "channels", {"variables": {"X": "y"}}, **call)
            self.assertEqual((status, channel["id"]), (200, "over-the-socket"))
            await log.first("StasisStart", channel__id=channel["id"])
            self.assertEqual(await ask("GET", f"channels/{channel['id']}/variable", variable="X"), (200, {"value": "y"}))
            self.assertEqual((await ask("POST", f"channels/{channel['id']}/play", media="sound:beep"))[0], 201)
            await log.first("PlaybackFinished")
            self.assertEqual(await ask("DELETE", f"channels/{channel['id']}"), (204, None))
            await log.first("ChannelDestroyed", channel__id=channel["id"])
            self.assertEqual((await ask("GET", f"channels/{channel['id']}"))[0], 404)
            listening.cancel()

    async def test_who_is_not_known_is_not_let_in(self):
        wrong = AriClient(SERVER.host, SERVER.port, USER, "wrong")
        with self.assertRaises(websockets.exceptions.InvalidStatus) as raised:
            await wrong.connect("x")
        self.assertEqual(raised.exception.response.status_code, 401)
        await self.refused(401, "Authentication", wrong.ari.list_channels())


if __name__ == "__main__":
    unittest.main()
