// A voice menu: an ARI application in Node, with ari-client.
//
//     node ivr.js --url http://127.0.0.1:8088 --user demo:demo
//
// Calls come in by `Stasis(ivr)` in the dialplan. Callers hear a menu, which any key interrupts: 1 to enter a number
// and hear it digit by digit, 2 to leave a message, 0 to end.
'use strict';

const { parseArgs } = require('node:util');
const client = require('ari-client');

const APP = 'ivr';
const TRIES = 2;
const FIRST_KEY_MS = 3000; // so long after the prompt
const NEXT_KEY_MS = 2000;
const MENU = [
  'sound:vm-press', 'digits:1', 'sound:for', 'sound:number',
  'digits:2', 'sound:for', 'sound:vm-message',
  'digits:0', 'sound:for', 'sound:goodbye',
];

const { values: options } = parseArgs({
  options: {
    url: { type: 'string', default: process.env.ARI_URL || 'http://127.0.0.1:8088' },
    user: { type: 'string', default: process.env.ARI_USER || 'demo:demo' },
    seconds: { type: 'string' }, // end after so long (without it: at Ctrl-C)
    calls: { type: 'string' }, //   end after so many calls
  },
});

const began = Date.now();
const total = { calls: 0, over: 0, numbers: 0, messages: 0, wrong: 0, silent: 0, hungUp: 0, failed: 0 };

// The caller has hung up: what was to come does not come.
class HungUp extends Error {}

// One call, from StasisStart to StasisEnd.
class Call {
  constructor(ari, channel) {
    this.ari = ari;
    this.channel = channel;
    this.name = channel.caller.name || channel.caller.number || channel.name;
    this.keys = []; // pressed, and not yet used: callers who know the menu type ahead
    this.keyCame = () => {};
    this.draft = null; // a message that is not kept yet
    // Everything that is waited for is over when the call is: see until().
    this.gone = new Promise((_, reject) => channel.on('StasisEnd', () => reject(new HungUp())));
    this.gone.catch(() => {});
    channel.on('ChannelDtmfReceived', (event) => {
      this.keys.push(event.digit);
      this.keyCame();
    });
  }

  say(what) {
    const seconds = ((Date.now() - began) / 1000).toFixed(1).padStart(6);
    console.log(`${seconds} s  ${this.name.padEnd(6)}  ${what}`);
  }

  // Waits for something, or for the end of the call. What is asked of a channel that has just gone fails; that is no
  // mistake of ours.
  async until(promise) {
    try {
      return await Promise.race([promise, this.gone]);
    } catch (error) {
      if (!(error instanceof HungUp)) await Promise.race([this.gone, wait(1000)]); // StasisEnd may be on its way
      throw error;
    }
  }

  async run() {
    total.calls += 1;
    this.say('calls');
    try {
      await this.until(this.channel.answer());
      await this.play(['sound:hello', 'sound:thank-you-for-calling']);
      await this.menu();
      await this.play(['sound:goodbye']);
      this.say('has heard everything, and is hung up');
      await this.channel.hangup();
    } catch (error) {
      if (!(error instanceof HungUp)) throw error;
      total.hungUp += 1;
      this.say('has hung up');
    } finally {
      // Who hangs up after the message has left it all the same.
      if (this.draft) await this.keep();
    }
  }

  async menu() {
    for (let tries = 0; tries < TRIES;) {
      const key = await this.ask(MENU, { digits: 1 });
      if (/[012]/.test(key)) this.say(`pressed ${key}`);
      if (key === '0') return;
      if (key === '1') await this.number();
      else if (key === '2') await this.message();
      else {
        tries += 1;
        await this.wrong(key);
        continue;
      }
      tries = 0;
    }
    await this.play(['sound:vm-sorry']);
  }

  async wrong(key) {
    if (key) total.wrong += 1;
    else total.silent += 1;
    this.say(key ? `pressed ${key}, which is not in the menu` : 'pressed nothing');
    await this.play([key ? 'sound:demo-nomatch' : 'sound:vm-sorry']);
    this.keys.length = 0; // what was typed ahead was meant for another question
  }

  async number() {
    for (let tries = 0; tries < TRIES; tries += 1) {
      const number = await this.ask(['sound:please-enter-number'], { digits: 20 });
      if (/^[0-9]+$/.test(number)) {
        total.numbers += 1;
        this.say(`entered ${number}`);
        return this.play(['sound:number', `digits:${number}`]);
      }
      await this.wrong(number);
    }
  }

  async message() {
    await this.play(['sound:vm-intro']);
    await this.record();
    for (let tries = 0; tries < TRIES; tries += 1) {
      const key = await this.ask(['sound:vm-review'], { digits: 1 });
      if (key === '1') break;
      if (key === '2') {
        this.say('hears the message');
        await this.play([`recording:${this.draft}`], { interrupted: true });
      } else if (key === '3') {
        this.say('records it again');
        await this.record();
      } else await this.wrong(key);
    }
    await this.keep(); // also when nothing was pressed: better than to lose it
    await this.play(['sound:vm-msgsaved']);
  }

  async record() {
    const recording = this.ari.LiveRecording(`draft-${this.channel.id}`);
    const finished = new Promise((resolve, reject) => {
      recording.on('RecordingFinished', (event) => resolve(event.recording));
      recording.on('RecordingFailed', (event) => reject(new Error(`recording: ${event.recording.cause}`)));
    });
    finished.catch(() => {}); // whoever waits for it is told
    await this.until(this.channel.record({
      name: recording.name,
      format: 'wav',
      ifExists: 'overwrite',
      beep: true,
      maxSilenceSeconds: 2,
      maxDurationSeconds: 60,
      terminateOn: '#',
    }, recording));
    this.draft = recording.name;
    this.recorded = finished; // the end of it comes also when the caller has hung up
    const { duration, talking_duration: talking = duration } = await this.until(finished);
    this.say(`recorded ${duration} s, ${talking} s of it talk`);
  }

  // A draft becomes a message: recordings are kept by name, so it gets another one.
  async keep() {
    const draft = this.draft;
    this.draft = null;
    // Who hangs up before the beep is over has recorded nothing, and there is no file.
    if ((await this.recorded).state === 'canceled') return;
    total.messages += 1;
    const name = `message-${total.messages}`;
    await this.ari.recordings.copyStored({ recordingName: draft, destinationRecordingName: name });
    await this.ari.recordings.deleteStored({ recordingName: draft });
    this.say(`has left a message: ${name}.wav`);
  }

  // Plays to the end, or, if it may be interrupted, to the next key.
  async play(media, { interrupted = false } = {}) {
    const playback = this.ari.Playback();
    const finished = new Promise((resolve) => playback.on('PlaybackFinished', resolve));
    await this.until(this.channel.play({ media: media.join(',') }, playback));
    if (!interrupted) return this.until(finished);
    await this.until(Promise.race([finished, this.key()]));
    // It may be over already; then there is nothing to stop.
    if (this.keys.length) await playback.stop().catch(() => {});
  }

  // Asks for digits: up to so many, or to a #, or until no key comes any more.
  async ask(prompt, { digits }) {
    await this.play(prompt, { interrupted: true });
    let entered = '';
    while (entered.length < digits) {
      if (!await this.key(entered ? NEXT_KEY_MS : FIRST_KEY_MS)) break;
      const key = this.keys.shift();
      if (key !== '#') entered += key;
      else if (entered) break; // a # at the beginning is left over from a recording
    }
    return entered;
  }

  // Waits until there is a key, but not longer than so.
  async key(milliseconds) {
    if (!this.keys.length) {
      let timer;
      await this.until(new Promise((resolve) => {
        this.keyCame = resolve;
        if (milliseconds) timer = setTimeout(resolve, milliseconds);
      })).finally(() => clearTimeout(timer));
    }
    return this.keys.length > 0;
  }
}

function summary() {
  const lost = total.calls - total.over;
  console.log(`\n  ${total.calls} calls, ${total.numbers} numbers entered, ${total.messages} messages kept, `
    + `${total.wrong} wrong keys, ${total.silent} times no key, ${total.hungUp} hung up, ${total.failed} failed`
    + (lost ? `, ${lost} not over` : ''));
  return total.calls > 0 && total.numbers + total.messages > 0 && !total.failed && !lost;
}

async function main() {
  const [user, password] = options.user.split(/:(.*)/s);
  const ari = await client.connect(options.url, user, password);
  const calls = new Map();

  const end = async () => {
    // Nobody is left in a menu that nobody speaks any more.
    await Promise.all([...calls.values()].map(({ channel }) => channel.hangup().catch(() => {})));
    await Promise.race([Promise.all([...calls.values()].map(({ done }) => done)), wait(5000)]);
    ari.stop();
    process.exit(summary() ? 0 : 1);
  };

  ari.on('StasisStart', (event, channel) => {
    const call = new Call(ari, channel);
    const done = call.run().catch((error) => {
      total.failed += 1;
      call.say(`failed: ${error.message}`);
      channel.hangup().catch(() => {});
    }).finally(() => {
      calls.delete(channel.id);
      total.over += 1;
      if (options.calls && total.over === Number(options.calls)) end();
    });
    calls.set(channel.id, { channel, done });
  });
  ari.on('WebSocketMaxRetries', () => {
    console.error('ivr: the server has gone');
    process.exit(1);
  });
  process.on('SIGINT', end);
  process.on('SIGTERM', end);
  await ari.start(APP);
  console.log(`The menu is open, at ${options.url}`);
  if (options.seconds) setTimeout(end, Number(options.seconds) * 1000);
}

const wait = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

function fail(error) {
  console.error(`ivr: ${error.message || error}`);
  process.exit(1);
}

// ari-client throws where nobody can catch it when the server does not let it in.
process.on('uncaughtException', fail);
main().catch(fail);
