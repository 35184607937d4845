// As much of Google's services as the Apps Script uses, with a mailbox, a clock and a server that
// tests set up. What the real ones refuse is refused here, too.
import { createHmac } from "node:crypto";
import { readFileSync } from "node:fs";
import vm from "node:vm";

const script = readFileSync(new URL("../../deployment/google/pushLabelled.gs", import.meta.url), "utf8");

const LABEL = "A_TRANSFERER_WEBHOOK";
export const REFUSED = "A_TRANSFERER_WEBHOOK_REFUSE";

/** Bytes as Apps Script has them: from -128 to 127. */
const signed = (bytes) => [...bytes].map((byte) => (byte > 127 ? byte - 256 : byte));
const plain = (bytes) => Buffer.from(bytes.map((byte) => byte & 255));

export class World {
  constructor({ properties = {}, server }) {
    this.properties = properties;
    this.server = server;
    this.now = Date.UTC(2026, 10, 30, 8, 0, 0);
    this.labels = new Map([["Label_1", LABEL], ["Label_2", REFUSED]]);
    this.messages = new Map();
    this.requests = [];
    this.pauses = [];
    this.logged = [];
    this.triggers = [];
    this.isLocked = false;
    this.modifyFails = false;
  }

  /** A message with the label, newer than those before it. */
  add(id, fields = {}) {
    this.messages.set(id, { id, labels: new Set(["Label_1"]), subject: `Lot ${id}`, from: "Camille <camille@agence.example>",
      body: `<p>été ${id}</p>`, date: this.now + this.messages.size, headers: {}, attachments: 0, ...fields });
    return this;
  }

  /** Ids of the messages that still wait. */
  waiting() {
    return [...this.messages.values()].filter((message) => message.labels.has("Label_1")).map((message) => message.id);
  }

  refused() {
    return [...this.messages.values()].filter((message) => message.labels.has("Label_2")).map((message) => message.id);
  }

  /** Runs a function of the script, in a world of its own as every run is. */
  run(name = "pushLabelled") {
    const world = this;
    class Clock extends Date {
      constructor(...words) {
        super(...(words.length === 0 ? [world.now] : words));
      }
      static now() {
        return world.now;
      }
    }
    const log = (...words) => world.logged.push(words.join(" "));
    const context = vm.createContext({
      Date: Clock,
      console: { log, warn: log, error: log },
      PropertiesService: { getScriptProperties: () => ({ getProperty: (key) => world.properties[key] ?? null }) },
      LockService: { getScriptLock: () => world.lock() },
      Utilities: world.utilities(),
      UrlFetchApp: { fetch: (url, options) => world.fetch(url, options) },
      GmailApp: { getMessageById: (id) => world.read(id) },
      Gmail: { Users: world.users() },
      ScriptApp: world.triggersService(),
    });
    vm.runInContext(script, context);
    return vm.runInContext(`${name}()`, context);
  }

  lock() {
    let isOurs = false;
    return {
      tryLock: () => {
        isOurs = !this.isLocked;
        this.isLocked = true;
        return isOurs;
      },
      releaseLock: () => {
        if (isOurs) this.isLocked = false;
      },
    };
  }

  utilities() {
    return {
      sleep: (milliseconds) => {
        this.pauses.push(milliseconds);
        this.now += milliseconds;
      },
      newBlob: (text) => ({ getBytes: () => signed(Buffer.from(text, "utf8")) }),
      base64Decode: (text) => signed(Buffer.from(text, "base64")),
      base64Encode: (bytes) => plain(bytes).toString("base64"),
      computeHmacSha256Signature: (value, key) => {
        if (typeof value === "string" || typeof key === "string") throw new Error("two arrays of bytes are wanted");
        return signed(createHmac("sha256", plain(key)).update(plain(value)).digest());
      },
    };
  }

  fetch(url, options) {
    const request = { url, body: options.payload, headers: { "Content-Type": options.contentType, ...options.headers }, options };
    this.requests.push(request);
    const answer = this.server(request, this.requests.length);
    if (answer.takes) this.now += answer.takes;
    if (answer.error) throw new Error(answer.error);
    return {
      getResponseCode: () => answer.status,
      getContentText: () => answer.text ?? "",
      getAllHeaders: () => answer.headers ?? {},
    };
  }

  read(id) {
    const message = this.messages.get(id);
    if (!message || message.isGone) throw new Error("Invalid argument: id");
    return {
      getId: () => message.id,
      getSubject: () => message.subject,
      getFrom: () => message.from,
      getDate: () => new Date(message.date),
      getBody: () => message.body,
      getPlainBody: () => message.body.replace(/<[^>]*>/g, ""),
      getAttachments: () => new Array(message.attachments).fill({}),
      getHeader: (name) => message.headers[name] ?? "",
    };
  }

  users() {
    return {
      Labels: {
        list: () => ({ labels: [...this.labels].map(([id, name]) => ({ id, name })) }),
        create: ({ name }) => {
          const id = `Label_${this.labels.size + 1}`;
          this.labels.set(id, name);
          return { id, name };
        },
      },
      Messages: {
        // The newest first, in pages, as Gmail does.
        list: (user, { labelIds, q, maxResults, pageToken = "0" }) => {
          const left = q.match(/^-label:(\S+)$/)[1];
          const hidden = [...this.labels].find(([, name]) => name === left)[0];
          const all = [...this.messages.values()].reverse()
            .filter((message) => labelIds.every((id) => message.labels.has(id)) && !message.labels.has(hidden));
          const start = Number(pageToken);
          const end = start + maxResults;
          const page = all.slice(start, end).map(({ id }) => ({ id }));
          return { messages: page.length ? page : undefined, nextPageToken: end < all.length ? String(end) : undefined };
        },
        modify: ({ addLabelIds = [], removeLabelIds = [] }, user, id) => {
          if (this.modifyFails) throw new Error("Service unavailable");
          addLabelIds.forEach((label) => this.messages.get(id).labels.add(label));
          removeLabelIds.forEach((label) => this.messages.get(id).labels.delete(label));
        },
      },
    };
  }

  triggersService() {
    return {
      getProjectTriggers: () => this.triggers.map((name) => ({ getHandlerFunction: () => name })),
      newTrigger: (name) => ({ timeBased: () => ({ everyMinutes: () => ({ create: () => this.triggers.push(name) }) }) }),
    };
  }
}
