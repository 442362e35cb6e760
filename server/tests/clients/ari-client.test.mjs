// npm ari-client: the official client, and what most applications in JavaScript are written with. It makes its
// methods of the Swagger declarations that the server tells, and ends on any event that is not declared there.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

import { Log, PASSWORD, USER, client, scenario, server, soon, unique } from './server.mjs';

const ari = client('ari-client');
const here = server();

/** Connects, and listens for `apps`. The client is stopped when the test is over. */
async function connect(t, apps, subscribeAll = false) {
  const connected = await ari.connect(here.url, USER, PASSWORD);
  t.after(() => connected.stop());
  const log = new Log();
  connected.on('*', (event) => log.push(event));
  await connected.start(apps, subscribeAll);
  return { client: connected, log };
}

/** A call that comes in for `app`, from somebody who listens: the channel that enters it, not answered yet. */
async function incoming({ client, log }, app) {
  const [callee, caller] = [unique('callee'), unique('caller')];
  const call = { endpoint: `Local/100@stasis-${app}`, extension: 'wait', channelId: caller };
  await client.channels.originate({ ...call, otherChannelId: callee, callerId: '"Ann" <100>' });
  const start = await log.first('StasisStart', { 'channel.id': callee });
  return { start, channel: await client.channels.get({ channelId: callee }), caller };
}

/** A call to `endpoint` that was answered, in `app`. */
async function answered({ client, log }, app, endpoint, more = {}) {
  const channel = client.Channel();
  await channel.originate({ endpoint, app, ...more });
  await log.first('StasisStart', { 'channel.id': channel.id });
  return channel;
}

/** Waits until there is no such channel any more: applications are not told of each. */
async function gone(client, channelId) {
  for (let looks = 0; looks < 200; looks += 1) {
    const all = await client.channels.list();
    if (!all.some((channel) => channel.id === channelId)) return;
  }
  assert.fail(`${channelId} is still there`);
}

/** That a promise is rejected with an answer of the server that says so. */
async function refused(promise, message) {
  await assert.rejects(promise, (error) => {
    assert.match(JSON.parse(error.message).message, message);
    return true;
  });
}

scenario('hello world: a call is answered, hears monkeys, and is hung up', async (t) => {
  const app = unique('hello');
  const us = await connect(t, app);
  const { start, channel } = await incoming(us, app);
  assert.deepEqual(start.args, []);
  assert.equal(start.application, app);
  assert.equal(start.asterisk_id, '02:00:00:00:00:01');
  assert.match(start.timestamp, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000$/);
  assert.equal(start.channel.state, 'Ring');
  assert.deepEqual(start.channel.dialplan.exten, '100');

  await new Promise((resolve, reject) => channel.answer((error) => (error ? reject(error) : resolve())));
  const up = await us.log.first('ChannelStateChange', { 'channel.id': channel.id });
  assert.equal(up.channel.state, 'Up');

  const playback = us.client.Playback();
  const told = [];
  playback.on('PlaybackStarted', (event, instance) => told.push([event.type, instance.id]));
  const finished = new Promise((resolve) => playback.once('PlaybackFinished', (event, one) => resolve(one)));
  const playing = await channel.play({ media: 'sound:tt-monkeys' }, playback);
  assert.equal(playing.id, playback.id);
  assert.equal(playing.target_uri, `channel:${channel.id}`);
  await us.log.first('PlaybackStarted', { 'playback.id': playback.id });
  await playback.stop();
  assert.equal((await soon(finished, 'the end of the monkeys')).state, 'done');
  assert.deepEqual(told, [['PlaybackStarted', playback.id]]);

  // A channel that the dialplan has brought belongs to the application until it leaves it.
  await channel.hangup();
  await us.log.first('StasisEnd', { 'channel.id': channel.id });
  const order = ['StasisStart', 'ChannelStateChange', 'ChannelHangupRequest', 'StasisEnd'];
  assert.deepEqual(us.log.of(channel.id, order), order);
  await gone(us.client, channel.id);
  await refused(us.client.channels.get({ channelId: channel.id }), /Channel not found/);
});

scenario('an attendant is told each key, and says it', async (t) => {
  const app = unique('attendant');
  const us = await connect(t, app);
  const channel = us.client.Channel();
  const digits = [];
  const done = new Promise((resolve) => {
    channel.on('ChannelDtmfReceived', async (event, presser) => {
      digits.push(event.digit);
      assert.equal(presser.id, channel.id);
      assert.ok(event.duration_ms > 0);
      const media = event.digit === '#' ? 'sound:vm-goodbye' : `sound:digits/${event.digit}`;
      await presser.play({ media });
      if (event.digit === '#') resolve();
    });
  });
  const first = new Promise((resolve) => channel.once('ChannelDtmfReceived', (event) => resolve(event.digit)));
  await channel.originate({ endpoint: 'Test/keys', app, appArgs: 'menu,de' });
  const start = await us.log.first('StasisStart', { 'channel.id': channel.id });
  assert.deepEqual(start.args, ['menu', 'de']);
  await soon(done, 'the last key');
  assert.deepEqual(digits, ['1', '2', '3', '#']);
  assert.equal(await first, '1');
  await us.log.first('PlaybackFinished', { 'playback.media_uri': 'sound:digits/1', 'playback.state': 'done' });
  await channel.hangup();
  await us.log.first('StasisEnd', { 'channel.id': channel.id });
});

scenario('bridge-dial: who calls and who is called are put together, and apart', async (t) => {
  const app = unique('dial');
  const us = await connect(t, app);
  const { channel } = await incoming(us, app);
  const dialed = us.client.Channel();
  channel.on('StasisEnd', () => dialed.hangup(() => {}));
  dialed.on('ChannelDestroyed', (event) => assert.equal(event.cause, 16));
  const bridged = new Promise((resolve, reject) => {
    dialed.once('StasisStart', async (event, callee) => {
      try {
        await channel.answer();
        const bridge = await us.client.Bridge().create({ type: 'mixing,dtmf_events', name: 'two' });
        await bridge.addChannel({ channel: [channel.id, callee.id] });
        resolve(bridge);
      } catch (error) {
        reject(error);
      }
    });
  });
  await dialed.originate({ endpoint: 'Test/alice', app, appArgs: 'dialed', callerId: channel.caller.number });
  const bridge = await soon(bridged, 'a bridge');
  assert.equal(bridge.bridge_type, 'mixing');
  const entered = await us.log.count(2, 'ChannelEnteredBridge', { 'bridge.id': bridge.id });
  assert.deepEqual(entered.map((event) => event.channel.id), [channel.id, dialed.id]);
  assert.deepEqual(new Set(entered[1].bridge.channels), new Set([channel.id, dialed.id]));
  const seen = await us.client.bridges.get({ bridgeId: bridge.id });
  assert.deepEqual([seen.name, seen.channels.length], ['two', 2]);

  await channel.hangup();
  await us.log.first('ChannelDestroyed', { 'channel.id': dialed.id });
  await us.log.first('ChannelLeftBridge', { 'channel.id': dialed.id });
  const order = ['StasisStart', 'ChannelEnteredBridge', 'ChannelLeftBridge', 'StasisEnd', 'ChannelDestroyed'];
  assert.deepEqual(us.log.of(dialed.id, order), order);
  await bridge.destroy();
  await us.log.first('BridgeDestroyed', { 'bridge.id': bridge.id });
  await refused(bridge.get(), /Bridge not found/);
});

scenario('bridge-hold and bridge-infinite-wait: who waits hears music', async (t) => {
  const app = unique('hold');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/carol');
  const bridges = await us.client.bridges.list();
  assert.ok(!bridges.some((bridge) => bridge.bridge_type === 'holding'));
  const bridge = await us.client.bridges.create({ type: 'holding', name: 'holding' });
  await bridge.addChannel({ channel: channel.id });
  await us.log.first('ChannelEnteredBridge', { 'channel.id': channel.id, 'bridge.id': bridge.id });
  await bridge.startMoh({ mohClass: 'default' });
  await bridge.stopMoh();
  const playback = us.client.Playback();
  await bridge.play({ media: 'sound:queue-thankyou' }, playback);
  await us.log.first('PlaybackStarted', { 'playback.target_uri': `bridge:${bridge.id}` });
  await playback.stop();
  await us.log.first('PlaybackFinished', { 'playback.id': playback.id });
  await bridge.removeChannel({ channel: channel.id });
  await us.log.first('ChannelLeftBridge', { 'channel.id': channel.id, 'bridge.id': bridge.id });
  await refused(bridge.removeChannel({ channel: channel.id }), /not in this bridge/i);
  await bridge.destroy();
  await channel.hangup();
});

scenario('channel-state: who subscribes to an endpoint is told how its calls go', async (t) => {
  const app = unique('state');
  const us = await connect(t, app);
  const other = await connect(t, unique('other'));
  const subscribed = await us.client.applications.subscribe({
    applicationName: app,
    eventSource: 'endpoint:Test/short',
  });
  assert.deepEqual(subscribed.endpoint_ids, ['Test/short']);
  const call = { endpoint: 'Test/short', extension: 'wait', channelId: unique('short') };
  await other.client.channels.originate(call);
  const gone = await us.log.first('ChannelDestroyed', { 'channel.id': call.channelId });
  assert.deepEqual([gone.cause, gone.cause_txt], [16, 'Normal Clearing']);
  const states = us.log.all('ChannelStateChange', { 'channel.id': call.channelId });
  assert.deepEqual(states.map((event) => event.channel.state), ['Ringing', 'Up']);
  assert.deepEqual(
    us.log.of(call.channelId, ['ChannelCreated', 'ChannelStateChange', 'ChannelDestroyed']),
    ['ChannelCreated', 'ChannelStateChange', 'ChannelStateChange', 'ChannelDestroyed'],
  );
  const left = await us.client.applications.unsubscribe({
    applicationName: app,
    eventSource: 'endpoint:Test/short',
  });
  assert.deepEqual(left.endpoint_ids, []);
});

for (const [phone, cause, statuses] of [
  ['busy', 17, ['', 'BUSY']],
  ['congestion', 34, ['', 'CONGESTION']],
  ['rejects', 21, ['', 'NOANSWER']],
  ['noanswer', 19, ['', 'RINGING']],
]) {
  scenario(`a call to Test/${phone} fails with its cause`, async (t) => {
    const app = unique(phone);
    const us = await connect(t, app);
    const channel = us.client.Channel();
    await channel.originate({ endpoint: `Test/${phone}`, app, timeout: 1 });
    const gone = await us.log.first('ChannelDestroyed', { 'channel.id': channel.id });
    assert.equal(gone.cause, cause);
    const dials = us.log.all('Dial', { 'peer.id': channel.id });
    assert.deepEqual(dials.map((event) => event.dialstatus), statuses);
    assert.deepEqual(us.log.of(channel.id, ['StasisStart', 'StasisEnd']), []);
  });
}

scenario('a channel is created, and dialed later', async (t) => {
  const app = unique('create');
  const us = await connect(t, app);
  const channel = us.client.Channel();
  const made = await channel.create({ endpoint: 'Test/carol', app, appArgs: 'early' });
  assert.deepEqual([made.id, made.state], [channel.id, 'Down']);
  const start = await us.log.first('StasisStart', { 'channel.id': channel.id });
  assert.deepEqual([start.channel.state, start.args], ['Down', ['early']]);
  await channel.dial({ timeout: 5 });
  await us.log.first('Dial', { 'peer.id': channel.id, dialstatus: 'ANSWER' });
  const dials = us.log.all('Dial', { 'peer.id': channel.id }).map((event) => event.dialstatus);
  assert.deepEqual(dials, ['', 'RINGING', 'ANSWER']);
  await us.log.first('ChannelStateChange', { 'channel.id': channel.id, 'channel.state': 'Up' });
  await refused(channel.dial(), /state|dial/i);
  await channel.hangup();
  await us.log.first('ChannelDestroyed', { 'channel.id': channel.id });
});

scenario('a channel is overheard by a snoop', async (t) => {
  const app = unique('snoop');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/alice');
  const snoop = us.client.Channel();
  const made = await channel.snoopChannel({ app, appArgs: 'spy', spy: 'both', whisper: 'none' }, snoop);
  assert.equal(made.id, snoop.id);
  assert.match(made.name, new RegExp(`^Snoop/${channel.id}-`));
  const start = await us.log.first('StasisStart', { 'channel.id': snoop.id });
  assert.deepEqual(start.args, ['spy']);
  await channel.hangup();
  await us.log.first('StasisEnd', { 'channel.id': snoop.id });
  await gone(us.client, snoop.id);
  await refused(channel.snoopChannel({ app, spy: 'both' }), /not found/);
});

scenario('what somebody says is recorded, downloaded, played back and deleted', async (t) => {
  const app = unique('record');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/alice');
  const recording = us.client.LiveRecording();
  const finished = new Promise((resolve) => recording.once('RecordingFinished', (event, one) => resolve(one)));
  const made = await channel.record({ format: 'wav', maxDurationSeconds: 1, beep: false }, recording);
  assert.equal(made.target_uri, `channel:${channel.id}`);
  await us.log.first('RecordingStarted', { 'recording.name': recording.name });
  await refused(channel.record({ name: recording.name, format: 'wav' }), /exists|in use/i);
  const done = await soon(finished, 'the recording');
  assert.deepEqual([done.state, done.duration], ['done', 1]);

  const stored = us.client.StoredRecording(recording.name);
  const [seen] = (await us.client.recordings.listStored()).filter((one) => one.name === recording.name);
  assert.equal(seen.format, 'wav');
  const file = await us.client.recordings.getStoredFile({ recordingName: recording.name });
  assert.ok(Buffer.isBuffer(file));
  assert.deepEqual([file.subarray(0, 4).toString(), file.subarray(8, 12).toString()], ['RIFF', 'WAVE']);
  assert.ok(file.length > 8_000, `a second of sound, not ${file.length} bytes`);
  await stored.copyStored({ destinationRecordingName: `${recording.name}-copy` });
  await refused(stored.copyStored({ destinationRecordingName: `${recording.name}-copy` }), /already exists/);

  const playback = us.client.Playback();
  await channel.play({ media: `recording:${recording.name}` }, playback);
  await us.log.first('PlaybackFinished', { 'playback.id': playback.id, 'playback.state': 'done' });
  await stored.deleteStored();
  await refused(stored.getStored(), /Recording not found/);
  await channel.hangup();
});

scenario('a live recording is paused, muted, stopped and cancelled', async (t) => {
  const app = unique('live');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/bob');
  const [kept, thrown] = [us.client.LiveRecording(), us.client.LiveRecording()];
  await channel.record({ format: 'wav', name: kept.name }, kept);
  await us.log.first('RecordingStarted', { 'recording.name': kept.name });
  await kept.pause();
  assert.equal((await kept.getLive()).state, 'paused');
  await kept.unpause();
  await kept.mute();
  await kept.unmute();
  await kept.stop();
  await us.log.first('RecordingFinished', { 'recording.name': kept.name });
  await refused(kept.getLive(), /Recording not found/);
  await channel.record({ format: 'wav', name: thrown.name }, thrown);
  await us.log.first('RecordingStarted', { 'recording.name': thrown.name });
  await thrown.cancel();
  await us.log.first('RecordingFinished', { 'recording.name': thrown.name, 'recording.state': 'done' });
  await refused(us.client.recordings.getStored({ recordingName: thrown.name }), /Recording not found/);
  await refused(channel.record({ name: 'x', format: 'mp9' }), /format/i);
  await channel.hangup();
});

scenario('a playback is paused, moved in and restarted', async (t) => {
  const app = unique('control');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/carol');
  const playback = us.client.Playback();
  await channel.play({ media: ['sound:demo-congrats', 'sound:hello-world'], skipms: 1000 }, playback);
  await us.log.first('PlaybackStarted', { 'playback.id': playback.id });
  await playback.control({ operation: 'pause' });
  await playback.control({ operation: 'unpause' });
  await us.log.count(2, 'PlaybackStarted', { 'playback.id': playback.id });
  for (const operation of ['forward', 'reverse', 'restart']) await playback.control({ operation });
  assert.equal((await playback.get()).state, 'playing');
  await refused(playback.control({ operation: 'bogus' }), /Invalid/i);
  await playback.stop();
  await us.log.first('PlaybackFinished', { 'playback.id': playback.id });
  await refused(playback.get(), /Playback not found/);
  await refused(playback.stop(), /Playback not found/);
  const failed = us.client.Playback();
  await channel.play({ media: 'sound:no-such-sound' }, failed);
  await us.log.first('PlaybackFinished', { 'playback.id': failed.id, 'playback.state': 'failed' });
  await channel.hangup();
});

scenario('devices, mailboxes and endpoints have states', async (t) => {
  const app = unique('devices');
  const us = await connect(t, app);
  await us.client.applications.subscribe({ applicationName: app, eventSource: 'deviceState:Stasis:lamp' });
  const lamp = us.client.DeviceState('Stasis:lamp');
  lamp.on('DeviceStateChanged', () => {});
  await lamp.update({ deviceState: 'RINGING' });
  const changed = await us.log.first('DeviceStateChanged');
  assert.deepEqual(changed.device_state, { name: 'Stasis:lamp', state: 'RINGING' });
  assert.equal((await us.client.deviceStates.list()).filter((one) => one.name === 'Stasis:lamp').length, 1);
  await lamp.delete();
  assert.equal((await us.client.deviceStates.get({ deviceName: 'Stasis:lamp' })).state, 'UNKNOWN');
  await refused(us.client.deviceStates.update({ deviceName: 'Test/alice', deviceState: 'BUSY' }), /control/i);

  const mailbox = us.client.Mailbox('42@default');
  await mailbox.update({ oldMessages: 1, newMessages: 2 });
  const seen = await mailbox.get();
  assert.deepEqual([seen.name, seen.old_messages, seen.new_messages], ['42@default', 1, 2]);
  await mailbox.delete();
  await refused(mailbox.get(), /Mailbox does not exist/);

  const endpoints = await us.client.endpoints.list();
  assert.ok(endpoints.some((one) => one.technology === 'Test' && one.resource === 'alice'));
  const alice = await us.client.endpoints.get({ tech: 'Test', resource: 'alice' });
  assert.deepEqual([alice.state, alice.channel_ids], ['online', []]);
  await refused(us.client.endpoints.get({ tech: 'Test', resource: 'nobody' }), /Endpoint not found/);
});

scenario('two applications on one socket, until another socket takes one of them', async (t) => {
  const [one, two] = [unique('one'), unique('two')];
  const us = await connect(t, [one, two]);
  for (const app of [one, two]) await answered(us, app, 'Test/carol');
  assert.deepEqual(us.log.all('StasisStart').map((event) => event.application), [one, two]);
  const next = await connect(t, two);
  const replaced = await us.log.first('ApplicationReplaced');
  assert.equal(replaced.application, two);
  await answered(next, two, 'Test/carol');
  await answered(us, one, 'Test/carol');
  assert.equal(us.log.all('StasisStart', { application: two }).length, 1);
  assert.equal(next.log.all('StasisStart', { application: two }).length, 1);
  for (const channel of await us.client.channels.list()) await channel.hangup();
});

scenario('user events, and a filter on events', async (t) => {
  const app = unique('filter');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/carol');
  const variables = { answer: '42' };
  await us.client.events.userEvent({ eventName: 'First', application: app, source: `channel:${channel.id}`, variables });
  const told = await us.log.first('ChannelUserevent');
  assert.deepEqual([told.eventname, told.userevent.answer, told.channel.id], ['First', '42', channel.id]);
  const filter = { allowed: [{ type: 'ChannelUserevent' }, { type: 'ChannelDestroyed' }] };
  const filtered = await us.client.applications.filter({ applicationName: app, filter });
  const allowed = filtered.events_allowed.map((one) => one.type);
  assert.deepEqual(new Set(allowed), new Set(['ChannelDestroyed', 'ChannelUserevent']));
  await channel.setChannelVar({ variable: 'X', value: '1' });
  await us.client.events.userEvent({ eventName: 'Second', application: app });
  await us.log.first('ChannelUserevent', { eventname: 'Second' });
  await channel.hangup();
  await us.log.first('ChannelDestroyed', { 'channel.id': channel.id });
  const types = us.log.events.slice(us.log.events.indexOf(told) + 1).map((event) => event.type);
  assert.deepEqual(types, ['ChannelUserevent', 'ChannelDestroyed']);
  const nobody = { eventName: 'Third', application: 'nobody' };
  await refused(us.client.events.userEvent(nobody), /Application not found/);
  await refused(us.client.applications.get({ applicationName: 'nobody' }), /Application not found/);
  const bad = { applicationName: app, eventSource: 'bogus:1' };
  await refused(us.client.applications.subscribe(bad), /Invalid event source/);
  const none = { applicationName: app, eventSource: 'channel:none' };
  await refused(us.client.applications.subscribe(none), /./);
});

scenario('variables are set with the call, changed and read', async (t) => {
  const app = unique('variables');
  const us = await connect(t, app);
  const channel = await answered(us, app, 'Test/carol', { variables: { COLOR: 'red', 'CALLERID(name)': 'Bob' } });
  assert.equal((await channel.getChannelVar({ variable: 'COLOR' })).value, 'red');
  assert.equal((await channel.getChannelVar({ variable: 'CALLERID(name)' })).value, 'Bob');
  await channel.setChannelVar({ variable: 'COLOR', value: 'gr\u00fcn & blau' });
  const set = await us.log.first('ChannelVarset', { variable: 'COLOR', value: 'gr\u00fcn & blau' });
  assert.equal(set.channel.id, channel.id);
  assert.equal((await channel.getChannelVar({ variable: 'COLOR' })).value, 'gr\u00fcn & blau');
  await refused(channel.getChannelVar({ variable: 'NONE' }), /variable/i);
  await us.client.asterisk.setGlobalVar({ variable: 'EVERYWHERE', value: 'yes' });
  assert.equal((await us.client.asterisk.getGlobalVar({ variable: 'EVERYWHERE' })).value, 'yes');
  const double = { endpoint: 'Test/carol', app, channelId: channel.id };
  await refused(us.client.channels.originate(double), /already exists/);
  await refused(us.client.channels.originate({ endpoint: 'bogus', app }), /Invalid endpoint/);
  await channel.hangup();
});

scenario('a channel moves to another application, and goes on in the dialplan', async (t) => {
  const [from, to] = [unique('from'), unique('to')];
  const us = await connect(t, [from, to]);
  const channel = await answered(us, from, 'Test/carol');
  await channel.move({ app: to, appArgs: 'a,b' });
  const start = await us.log.first('StasisStart', { application: to });
  assert.deepEqual(start.args, ['a', 'b']);
  assert.deepEqual(
    us.log.of(channel.id, ['StasisStart', 'StasisEnd']),
    ['StasisStart', 'StasisEnd', 'StasisStart'],
  );
  await channel.continueInDialplan({ context: 'default', extension: 'hello', priority: 1 });
  await us.log.first('StasisEnd', { application: to, 'channel.id': channel.id });
  await refused(channel.answer(), /not in (a )?Stasis/i);
  await us.client.channels.hangup({ channelId: channel.id });
  await refused(us.client.channels.continueInDialplan({ channelId: 'none' }), /Channel not found/);
});

scenario('hold, music, mute, silence and ringing', async (t) => {
  const app = unique('lines');
  const us = await connect(t, app);
  const { channel } = await incoming(us, app);
  await channel.ring();
  await channel.ringStop();
  await channel.answer();
  await channel.hold();
  await channel.unhold();
  await channel.startMoh();
  await channel.stopMoh();
  await channel.startSilence();
  await channel.stopSilence();
  await channel.mute({ direction: 'both' });
  await channel.unmute({ direction: 'both' });
  await refused(channel.mute({ direction: 'sideways' }), /./);
  await channel.hangup({ reason: 'busy' });
  await us.log.first('StasisEnd', { 'channel.id': channel.id });
  await gone(us.client, channel.id);
});

scenario('keys that are sent come out at the other end', async (t) => {
  const app = unique('keys');
  const us = await connect(t, app);
  const [here1, there] = [us.client.Channel(), unique('there')];
  await us.client.channels.originate({
    endpoint: `Local/1@stasis-${app}`,
    app,
    channelId: here1.id,
    otherChannelId: there,
  });
  await us.log.first('StasisStart', { 'channel.id': there });
  await us.client.channels.answer({ channelId: there });
  await us.log.first('StasisStart', { 'channel.id': here1.id });
  await us.client.channels.sendDTMF({ channelId: here1.id, dtmf: '4*' });
  await us.log.count(2, 'ChannelDtmfReceived', { 'channel.id': there });
  const digits = us.log.all('ChannelDtmfReceived', { 'channel.id': there }).map((event) => event.digit);
  assert.deepEqual(digits, ['4', '*']);
  await us.client.channels.hangup({ channelId: there });
});

scenario('external media: a program receives what a channel hears', async (t) => {
  const app = unique('media');
  const us = await connect(t, app);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await soon(once(socket, 'listening'), 'a port');
  const media = await us.client.channels.externalMedia({
    app,
    external_host: `127.0.0.1:${socket.address().port}`,
    format: 'ulaw',
  });
  assert.match(media.name, /^UnicastRTP\//);
  assert.equal(media.channelvars.UNICASTRTP_LOCAL_ADDRESS, '127.0.0.1');
  await us.log.first('StasisStart', { 'channel.id': media.id });
  const alice = await answered(us, app, 'Test/alice');
  const bridge = await us.client.bridges.create({ type: 'mixing' });
  await bridge.addChannel({ channel: `${media.id},${alice.id}` });
  const [packet] = await soon(once(socket, 'message'), 'a packet');
  assert.deepEqual([packet[0], packet[1] & 0x7f, packet.length], [0x80, 0, 172]);
  const port = Number((await media.getChannelVar({ variable: 'UNICASTRTP_LOCAL_PORT' })).value);
  socket.send(packet, port, '127.0.0.1');
  assert.ok(port > 0);
  for (const one of [media, alice]) await one.hangup();
  await bridge.destroy();
});

scenario('the server tells what it is, and what it can play', async (t) => {
  const us = await connect(t, unique('about'));
  const info = await us.client.asterisk.getInfo();
  assert.deepEqual(Object.keys(info), ['build', 'system', 'config', 'status']);
  assert.equal(info.system.entity_id, '02:00:00:00:00:01');
  assert.deepEqual(Object.keys(await us.client.asterisk.getInfo({ only: 'system' })), ['system']);
  assert.equal((await us.client.asterisk.ping()).ping, 'pong');
  const sounds = await us.client.sounds.list({ lang: 'en' });
  assert.ok(sounds.some((sound) => sound.id === 'hello-world'));
  const sound = await us.client.sounds.get({ soundId: 'digits/1' });
  assert.deepEqual(sound.formats[0].language, 'en');
  assert.ok((await us.client.channels.list()).every((channel) => channel.id));
});

scenario('who may only look changes nothing', async () => {
  const looker = await ari.connect(here.url, 'looker', 'only looking');
  assert.ok(Array.isArray(await looker.channels.list()));
  await refused(looker.bridges.create({ type: 'mixing' }), /denied/);
});
