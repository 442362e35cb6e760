// npm @ipcom/asterisk-ari: knows the operations by itself, and writes what some of them take into a JSON body.

import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';

import { Log, PASSWORD, USER, client, scenario, server, soon, unique } from './server.mjs';

const { AriClient } = client('@ipcom/asterisk-ari');
const here = server();
const EVENTS = [
  'ApplicationReplaced', 'BridgeCreated', 'BridgeDestroyed', 'ChannelCreated', 'ChannelDestroyed',
  'ChannelDtmfReceived', 'ChannelEnteredBridge', 'ChannelHangupRequest', 'ChannelHold', 'ChannelLeftBridge',
  'ChannelStateChange', 'ChannelVarset', 'Dial', 'PlaybackFinished', 'PlaybackStarted', 'RecordingFinished',
  'RecordingStarted', 'StasisEnd', 'StasisStart',
];

// It tells of all that it does.
for (const level of ['log', 'warn', 'error']) console[level] = () => {};

async function connect(t, ...apps) {
  const ari = new AriClient({ host: here.host, port: here.port, username: USER, password: PASSWORD });
  await ari.connectWebSocket(apps);
  t.after(async () => {
    await ari.closeWebSocket();
    await ari.cleanup();
  });
  const log = new Log();
  for (const type of EVENTS) ari.on(type, (event) => log.push(event));
  return { ari, log };
}

/** A call to `endpoint` that was answered, in `app`. Its id is known when it begins. */
async function answered({ ari, log }, app, endpoint, more = {}) {
  const made = await ari.channels.originate({ endpoint, app, channelId: unique('call'), ...more });
  const start = await log.first('StasisStart', { 'channel.id': made.id });
  return { channel: ari.Channel(made.id), start };
}

/** That something is refused, as the client tells it. */
async function refused(promise, message) {
  await assert.rejects(promise, (error) => {
    assert.match(`${error.message} ${JSON.stringify(error.response?.data ?? '')}`, message);
    return true;
  });
}

scenario('hello world: a call is answered by its instance, and hears something', async (t) => {
  const app = unique('hello');
  const us = await connect(t, app);
  const callee = unique('callee');
  const done = new Promise((resolve, reject) => {
    us.ari.once('StasisStart', async (event) => {
      try {
        const channel = event.instanceChannel;
        await channel.answer();
        const playback = await channel.play({ media: 'sound:hello-world' });
        playback.once('PlaybackFinished', (finished) => resolve(finished.playback));
      } catch (error) {
        reject(error);
      }
    });
  });
  const call = { endpoint: `Local/100@stasis-${app}`, extension: 'wait', context: 'default', priority: 1 };
  await us.ari.channels.originate({ ...call, otherChannelId: callee });
  assert.equal((await soon(done, 'the end of hello')).state, 'done');
  assert.equal((await us.ari.channels.get(callee)).state, 'Up');
  await us.ari.channels.hangup(callee, { reason: 'normal' });
  await us.log.first('StasisEnd', { 'channel.id': callee });
  const order = ['StasisStart', 'ChannelStateChange', 'ChannelHangupRequest', 'StasisEnd'];
  assert.deepEqual(us.log.of(callee, order), order);
});

scenario('a call is made of a JSON body, variables and all', async (t) => {
  const app = unique('json');
  const us = await connect(t, app);
  const more = { appArgs: 'a,b', callerId: 'Ann <100>', timeout: 5, variables: { COLOR: 'red', SHAPE: 'round' } };
  const { channel, start } = await answered(us, app, 'Test/carol', more);
  assert.deepEqual(start.args, ['a', 'b']);
  assert.equal((await us.ari.channels.getChannelVariable(channel.id, 'COLOR')).value, 'red');
  assert.equal((await channel.getVariable('SHAPE')).value, 'round');
  assert.equal((await channel.getVariable('CALLERID(name)')).value, 'Ann');
  await us.ari.channels.setChannelVariable(channel.id, 'COLOR', 'dark blue');
  await us.log.first('ChannelVarset', { variable: 'COLOR', value: 'dark blue' });
  await refused(channel.getVariable('NONE'), /variable/i);
  await refused(us.ari.channels.originateWithId(channel.id, { endpoint: 'Test/carol', app }), /exists/);
  await refused(us.ari.channels.originate({ endpoint: 'nonsense', app }), /endpoint/i);
  await us.ari.channels.hangup(channel.id);
  await us.log.first('ChannelDestroyed', { 'channel.id': channel.id, cause: 16 });
  await refused(us.ari.channels.get(channel.id), /Channel not found/);
});

scenario('two are put together in a bridge', async (t) => {
  const app = unique('bridge');
  const us = await connect(t, app);
  const one = (await answered(us, app, 'Test/alice')).channel;
  const two = (await answered(us, app, 'Test/bob')).channel;
  const made = await us.ari.bridges.createBridge({ type: 'mixing', name: 'room', bridgeId: unique('bridge') });
  const bridge = us.ari.Bridge(made.id);
  const entered = [];
  bridge.on('ChannelEnteredBridge', (event) => entered.push(event.channel.id));
  await bridge.add({ channel: [one.id, two.id] });
  await us.log.count(2, 'ChannelEnteredBridge', { 'bridge.id': bridge.id });
  assert.deepEqual(entered, [one.id, two.id]);
  assert.equal((await bridge.get()).channels.length, 2);
  assert.ok((await us.ari.bridges.list()).some((each) => each.id === bridge.id));
  const playing = await us.ari.bridges.playMedia(bridge.id, { media: 'sound:tt-monkeys' });
  await us.log.first('PlaybackStarted', { 'playback.target_uri': `bridge:${bridge.id}` });
  await us.ari.playbacks.stop(playing.id);
  await bridge.remove({ channel: [one.id] });
  await us.log.first('ChannelLeftBridge', { 'channel.id': one.id });
  await refused(bridge.remove({ channel: [one.id] }), /not in this bridge/);
  await us.ari.channels.hangup(two.id);
  await us.log.first('ChannelLeftBridge', { 'channel.id': two.id });
  await us.ari.bridges.destroy(bridge.id);
  await us.log.first('BridgeDestroyed', { 'bridge.id': bridge.id });
  await refused(bridge.get(), /Bridge not found/);
  await us.ari.channels.hangup(one.id);
});

scenario('keys come to the channel, and are sent by it', async (t) => {
  const app = unique('keys');
  const us = await connect(t, app);
  const made = await us.ari.channels.originate({ endpoint: 'Test/keys', app, channelId: unique('keys') });
  const pressed = [];
  us.ari.Channel(made.id).on('ChannelDtmfReceived', (event) => pressed.push(event.digit));
  await us.log.count(4, 'ChannelDtmfReceived', { 'channel.id': made.id });
  assert.equal(pressed.join(''), '123#');
  await us.ari.channels.sendDTMF(made.id, '12', { duration: 60, between: 60 });
  await us.ari.channels.hangup(made.id);
});

for (const [phone, cause] of [['busy', 17], ['rejects', 21], ['noanswer', 19]]) {
  scenario(`a call to Test/${phone} fails with its cause`, async (t) => {
    const app = unique(phone);
    const us = await connect(t, app);
    const { id } = await us.ari.channels.originate({ endpoint: `Test/${phone}`, app, timeout: 1 });
    const gone = await us.log.first('ChannelDestroyed', { 'channel.id': id });
    assert.equal(gone.cause, cause);
    assert.deepEqual(us.log.of(id, ['StasisStart']), []);
  });
}

scenario('a channel is created and dialed, moves, and goes on in the dialplan', async (t) => {
  const [from, to] = [unique('from'), unique('to')];
  const us = await connect(t, from, to);
  const { id } = await us.ari.channels.createChannel({ endpoint: 'Test/carol', app: from, appArgs: 'early' });
  await us.log.first('StasisStart', { 'channel.id': id, 'channel.state': 'Down' });
  await us.ari.channels.dial(id, undefined, 5);
  await us.log.first('Dial', { 'peer.id': id, dialstatus: 'ANSWER' });
  await us.ari.channels.moveToApplication(id, to, 'x');
  const start = await us.log.first('StasisStart', { 'channel.id': id, application: to });
  assert.deepEqual(start.args, ['x']);
  await us.ari.channels.continueDialplan(id, 'default', 'wait', 1);
  await us.log.first('StasisEnd', { 'channel.id': id, application: to });
  await refused(us.ari.channels.answerChannel(id), /not in/i);
  await us.ari.channels.hangup(id);
});

scenario('a playback is controlled by its instance', async (t) => {
  const app = unique('playback');
  const us = await connect(t, app);
  const { channel } = await answered(us, app, 'Test/carol');
  const playback = await channel.play({ media: 'sound:demo-congrats' }, unique('playback'));
  await us.log.first('PlaybackStarted', { 'playback.id': playback.id });
  await playback.control('pause');
  await playback.control('unpause');
  await us.log.count(2, 'PlaybackStarted', { 'playback.id': playback.id });
  for (const operation of ['forward', 'reverse']) await playback.control(operation);
  assert.equal((await playback.get()).state, 'playing');
  await playback.stop();
  await us.log.first('PlaybackFinished', { 'playback.id': playback.id });
  await refused(us.ari.playbacks.get(playback.id), /404|not found/i);
  const more = await us.ari.channels.playWithId(channel.id, unique('playback'), 'sound:beep');
  await us.log.first('PlaybackFinished', { 'playback.id': more.id, 'playback.state': 'done' });
  await us.ari.channels.hangup(channel.id);
});

scenario('what is said is recorded, downloaded and deleted', async (t) => {
  const app = unique('record');
  const us = await connect(t, app);
  const { channel } = await answered(us, app, 'Test/alice');
  const recordingName = unique('said');
  const options = { name: recordingName, format: 'wav', maxDurationSeconds: 10, ifExists: 'fail', beep: false };
  await us.ari.channels.record(channel.id, options);
  await us.log.first('RecordingStarted', { 'recording.name': recordingName });
  await us.ari.recordings.pause({ recordingName });
  assert.equal((await us.ari.recordings.getLive({ recordingName })).state, 'paused');
  await us.ari.recordings.unpause({ recordingName });
  await us.ari.recordings.mute({ recordingName });
  await us.ari.recordings.unmute({ recordingName });
  await us.ari.recordings.stop({ recordingName });
  await us.log.first('RecordingFinished', { 'recording.name': recordingName, 'recording.state': 'done' });
  const file = Buffer.from(await us.ari.recordings.getStoredFile({ recordingName }));
  assert.equal(file.subarray(0, 4).toString(), 'RIFF');
  const destinationRecordingName = unique('copy');
  await us.ari.recordings.copyStored({ recordingName, destinationRecordingName });
  assert.equal((await us.ari.recordings.getStored({ recordingName: destinationRecordingName })).format, 'wav');
  await us.ari.recordings.deleteStored({ recordingName });
  assert.ok(!(await us.ari.recordings.listStored()).some((each) => each.name === recordingName));
  await us.ari.channels.hangup(channel.id);
});

scenario('lines are held, muted, given music and silence, and snooped upon', async (t) => {
  const app = unique('lines');
  const us = await connect(t, app);
  const { channel } = await answered(us, app, 'Test/bob');
  const { channels } = us.ari;
  await channels.holdChannel(channel.id);
  await channels.unholdChannel(channel.id);
  await channels.muteChannel(channel.id, 'in');
  await channels.unmuteChannel(channel.id, 'in');
  await channels.startMusicOnHold(channel.id);
  await channels.stopMusicOnHold(channel.id);
  await channels.startMohWithClass(channel.id, 'default');
  await channels.stopMusicOnHold(channel.id);
  await channels.startSilence(channel.id);
  await channels.stopSilence(channel.id);
  await channels.ringChannel(channel.id);
  await channels.stopRingChannel(channel.id);
  const snoop = await channels.snoopChannel(channel.id, { app, spy: 'both', appArgs: 'spy' });
  const start = await us.log.first('StasisStart', { 'channel.id': snoop.id });
  assert.deepEqual(start.args, ['spy']);
  await refused(channels.snoopChannelWithId(channel.id, unique('snoop'), { app, spy: 'none' }), /Direction|400/);
  await channels.hangup(channel.id);
  await us.log.first('StasisEnd', { 'channel.id': snoop.id });
});

scenario('external media: a program receives what a channel hears', async (t) => {
  const app = unique('media');
  const us = await connect(t, app);
  const socket = createSocket('udp4');
  t.after(() => socket.close());
  socket.bind(0, '127.0.0.1');
  await soon(once(socket, 'listening'), 'a port');
  const media = await us.ari.channels.createExternalMedia({
    app,
    external_host: `127.0.0.1:${socket.address().port}`,
    format: 'alaw',
  });
  await us.log.first('StasisStart', { 'channel.id': media.id });
  await us.ari.channels.playWithId(media.id, unique('playback'), 'sound:hello-world');
  const [packet] = await soon(once(socket, 'message'), 'a packet');
  assert.deepEqual([packet[1] & 0x7f, packet.length], [8, 172]);
  await us.ari.channels.hangup(media.id);
  await us.log.first('ChannelDestroyed', { 'channel.id': media.id });
});

scenario('the server tells of itself, its applications, endpoints and sounds', async (t) => {
  const app = unique('about');
  const us = await connect(t, app);
  const { asterisk, applications, endpoints, sounds, channels } = us.ari;
  assert.equal((await asterisk.ping()).ping, 'pong');
  assert.equal((await asterisk.get()).system.entity_id, '02:00:00:00:00:01');
  assert.deepEqual(await asterisk.list(), []);
  assert.deepEqual(await asterisk.listLoggingChannels(), []);
  assert.ok((await applications.list()).some((each) => each.name === app));
  assert.deepEqual((await applications.getDetails(app)).channel_ids, []);
  await refused(applications.getDetails('nobody'), /404|not found/i);
  assert.equal((await endpoints.getDetails('Test', 'alice')).state, 'online');
  assert.ok((await endpoints.list()).length > 5);
  await refused(endpoints.getDetails('Test', 'nobody'), /404|not found/i);
  assert.ok((await sounds.list({ lang: 'en' })).length > 100);
  assert.equal((await sounds.getDetails('hello-world')).id, 'hello-world');
  assert.ok(Array.isArray(await channels.list()));
});

scenario('applications are added to the socket; another socket takes them', async (t) => {
  const [one, two] = [unique('one'), unique('two')];
  const us = await connect(t, one);
  await us.ari.addApplicationsToWebSocket([two]);
  await answered(us, two, 'Test/carol');
  const them = await connect(t, two);
  await us.log.first('ApplicationReplaced', { application: two });
  const { channel } = await answered(them, two, 'Test/carol');
  assert.equal(us.log.all('StasisStart', { 'channel.id': channel.id }).length, 0);
  for (const each of await us.ari.channels.list()) await us.ari.channels.hangup(each.id);
});
