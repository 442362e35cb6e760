// What the tests in JavaScript share: a server, the clients, and a log of events that can be waited for.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { after, before, test } from 'node:test';

// The clients are installed where nothing of them gets into the source tree.
export const client = createRequire(`${process.env.STASIS_CLIENTS}/`);

export const USER = 'tester';
export const PASSWORD = 'pass:word';
const PATIENCE_MS = 10_000;

/** Starts a server for all tests of a file. What it returns is filled in when they begin. */
export function server() {
  const here = {};
  let child;
  before(async () => {
    child = spawn('sh', [new URL('serve.sh', import.meta.url).pathname], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    for await (const line of createInterface({ input: child.stdout })) {
      const found = /http:\/\/([^:]+):(\d+)\/ari/.exec(line);
      if (found) {
        Object.assign(here, { host: found[1], port: Number(found[2]), url: `http://${found[1]}:${found[2]}` });
        break;
      }
    }
    assert.ok(here.port, 'the server has not started');
  });
  after(async () => {
    child.stdin.end();
    if (child.exitCode === null) await once(child, 'exit');
    // What a client has left open would keep this file from its end: some connect again for ever.
    setTimeout(() => process.exit(), 500).unref();
    assert.equal(child.exitCode, 0, 'the server has not stopped as it should');
  });
  return here;
}

/** A test that does not go on for ever. */
export function scenario(name, body) {
  test(name, { timeout: 2 * PATIENCE_MS }, body);
}

/** Settles as a promise does, but not later than in ten seconds. */
export async function soon(promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`waited in vain for ${what}`)), PATIENCE_MS);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

/** All events that a client was told, in their order. */
export class Log {
  events = [];
  #waiting = new Set();

  push(event) {
    this.events.push(event);
    for (const look of [...this.#waiting]) look();
  }

  /** The first event of this type, past or to come, that has `fields` (`{ 'channel.id': … }`). */
  async first(type, fields = {}) {
    return (await this.count(1, type, fields))[0];
  }

  /** So many events of this type with these fields, past or to come. */
  count(number, type, fields = {}) {
    const found = new Promise((resolve) => {
      const look = () => {
        const all = this.all(type, fields);
        if (all.length < number) return;
        this.#waiting.delete(look);
        resolve(all.slice(0, number));
      };
      this.#waiting.add(look);
      look();
    });
    return soon(found, `${number} ${type} ${JSON.stringify(fields)}`).catch((error) => {
      throw new Error(`${error.message}; told: ${this.events.map((event) => event.type).join(' ')}`);
    });
  }

  /** Those that have come so far. */
  all(type, fields = {}) {
    const has = (event) => Object.entries(fields).every(([path, value]) => at(event, path) === value);
    return this.events.filter((event) => event.type === type && has(event));
  }

  /** The types of what was told of a channel, in order; only those of `types`, if there are any. */
  of(id, types) {
    const told = this.events.filter((event) => (event.channel ?? event.peer)?.id === id);
    return told.map((event) => event.type).filter((type) => !types || types.includes(type));
  }
}

function at(event, path) {
  return path.split('.').reduce((value, name) => value?.[name], event);
}

let last = 0;
/** A name that nothing else in this file has. */
export const unique = (name) => `${name}-${(last += 1)}`;
