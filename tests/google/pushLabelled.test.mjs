// What the Apps Script does, run by `node --test tests/google`.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import test from "node:test";

import { REFUSED, World } from "./world.mjs";

const KEY = Buffer.alloc(32, 7);
const PROPERTIES = { SERVER: "https://signal.example/", PROCESS_API_TOKEN: "geheim-token", INGRESS_HMAC_SECRET: `whsec_${KEY.toString("base64")}` };
const YES = { status: 200, text: '{"success":true,"status":"queued"}' };

const world = (server, properties = PROPERTIES) => new World({ properties, server });
const idOf = (request) => JSON.parse(request.body).message_id;

test("each message is handed over once, the oldest first, and loses its label", () => {
  const google = world(() => YES).add("a").add("b", { attachments: 2, headers: { "Auto-Submitted": "auto-replied" } }).add("c");
  google.run();
  assert.deepEqual(google.requests.map(idOf), ["a", "b", "c"]);
  assert.deepEqual(google.waiting(), []);
  const request = google.requests[1];
  assert.equal(request.url, "https://signal.example/api/ingress/gmail");
  assert.equal(request.headers.Authorization, "Bearer geheim-token");
  assert.equal(request.options.followRedirects, false);
  assert.deepEqual(JSON.parse(request.body), {
    message_id: "b",
    subject: "Lot b",
    sender: "Camille <camille@agence.example>",
    date: "2026-11-30T08:00:00.001Z",
    body: "<p>été b</p>",
    has_attachment: true,
    headers: { "Auto-Submitted": "auto-replied" },
  });
  google.run();
  assert.equal(google.requests.length, 3);
});

test("a request is signed as Standard Webhooks says, and only with a secret", () => {
  const google = world(() => YES).add("a");
  google.run();
  const { headers, body } = google.requests[0];
  assert.equal(headers["webhook-timestamp"], String(Date.UTC(2026, 10, 30, 8) / 1000));
  const expected = createHmac("sha256", KEY).update(`${headers["webhook-id"]}.${headers["webhook-timestamp"]}.${body}`).digest("base64");
  assert.equal(headers["webhook-signature"], `v1,${expected}`);

  const unsigned = world(() => YES, { ...PROPERTIES, INGRESS_HMAC_SECRET: "" }).add("a");
  unsigned.run();
  assert.deepEqual(Object.keys(unsigned.requests[0].headers).filter((name) => name.startsWith("webhook")), []);
  const rotating = world(() => YES, { ...PROPERTIES, INGRESS_HMAC_SECRET: `${PROPERTIES.INGRESS_HMAC_SECRET} whsec_AAAA` }).add("a");
  rotating.run();
  assert.equal(rotating.requests[0].headers["webhook-signature"], `v1,${expected}`);
});

test("what was not taken is tried again, as long as the answer asks", () => {
  const answers = [{ status: 503, headers: { "retry-after": "7" } }, { error: "timed out" }, YES];
  const google = world((request, number) => answers[number - 1]).add("a");
  google.run();
  assert.deepEqual(google.pauses, [7000, 5000]);
  assert.deepEqual(google.waiting(), []);
});

test("a message that cannot be handed over keeps its label, and the others do not wait for it", () => {
  const google = world((request) => (idOf(request) === "b" ? { status: 500 } : YES)).add("a").add("b").add("c");
  google.run();
  assert.deepEqual(google.waiting(), ["b"]);
  assert.equal(google.requests.length, 5);
  google.server = () => YES;
  google.run();
  assert.deepEqual(google.requests.slice(5).map(idOf), ["b"]);
  assert.deepEqual(google.waiting(), []);
});

test("a server that is away ends the run early and costs no mail", () => {
  const google = world(() => ({ error: "no route" }));
  for (let n = 0; n < 20; n += 1) google.add(`m${n}`);
  google.run();
  assert.equal(google.requests.length, 9);
  assert.equal(google.waiting().length, 20);
  // A pause that is asked for is no hour.
  const patient = world(() => ({ status: 429, headers: { "Retry-After": "3600" } })).add("a");
  patient.run();
  assert.deepEqual(patient.pauses, [30000, 30000]);
});

test("what will never be taken waits for a person, beside the queue", () => {
  for (const status of [400, 413]) {
    const google = world((request) => (idOf(request) === "a" ? { status } : YES)).add("a").add("b");
    assert.throws(() => google.run(), new RegExp(REFUSED));
    assert.deepEqual([google.waiting(), google.refused()], [["a"], ["a"]]);
    google.run();
    assert.equal(google.requests.length, 2, "it is not tried again by itself");
    google.messages.get("a").labels.delete("Label_2");
    google.server = () => YES;
    google.run();
    assert.deepEqual(google.waiting(), []);
  }
});

test("a server that refuses everything is told at once, and nothing changes", () => {
  for (const status of [301, 401, 403, 404, 409]) {
    const google = world(() => ({ status })).add("a").add("b");
    assert.throws(() => google.run(), new RegExp(`refuses everything: HTTP ${status}`));
    assert.deepEqual([google.requests.length, google.waiting()], [1, ["a", "b"]]);
    assert.equal(google.isLocked, false);
  }
});

test("only render-signal's own yes counts", () => {
  for (const text of ["<html>Maintenance</html>", "", "null", '{"success":false}', "[true]"]) {
    const google = world(() => ({ status: 200, text })).add("a");
    google.run();
    assert.deepEqual(google.waiting(), ["a"], text);
  }
});

test("a run ends before Google ends it", () => {
  const google = world(() => ({ ...YES, takes: 60_000 }));
  for (let n = 0; n < 20; n += 1) google.add(`m${n}`);
  const start = google.now;
  google.run();
  assert.ok(google.now - start <= 5 * 60_000, `${google.now - start} ms`);
  assert.equal(google.waiting().length, 20 - google.requests.length);
  assert.equal(google.requests.length, 4);
});

test("many messages are handed over in several runs, from the oldest on", () => {
  const google = world(() => YES);
  for (let n = 0; n < 1200; n += 1) google.add(`m${n}`);
  google.run();
  assert.equal(google.waiting().length, 900);
  assert.deepEqual([idOf(google.requests[0]), idOf(google.requests[299])], ["m0", "m299"]);
  for (let run = 2; run <= 4; run += 1) google.run();
  assert.deepEqual([google.waiting(), google.requests.length], [[], 1200]);
});

test("a run that is cut off after the answer hands the same mail over again, under the same id", () => {
  const google = world(() => YES).add("a");
  google.modifyFails = true;
  assert.throws(() => google.run(), /Service unavailable/);
  google.modifyFails = false;
  google.run();
  assert.deepEqual(google.requests.map(idOf), ["a", "a"]);
  assert.deepEqual(google.waiting(), []);
});

test("a mail that comes during a run keeps its label until its own turn", () => {
  const google = world((request, number) => {
    if (number === 1) google.add("later");
    return YES;
  }).add("a");
  google.run();
  assert.deepEqual(google.waiting(), ["later"]);
});

test("two runs do not meet, and a mail that is gone stops nobody", () => {
  const google = world(() => YES).add("a", { isGone: true }).add("b");
  google.isLocked = true;
  google.run();
  assert.deepEqual(google.requests, []);
  google.isLocked = false;
  google.run();
  assert.deepEqual(google.waiting(), ["a"]);
});

test("settings that are missing are named, and no secret is ever logged", () => {
  for (const [name, value] of [["SERVER", "http://signal.example"], ["SERVER", ""], ["PROCESS_API_TOKEN", " "]]) {
    const google = world(() => YES, { ...PROPERTIES, [name]: value }).add("a");
    assert.throws(() => google.run(), new RegExp(name));
    assert.deepEqual(google.requests, []);
  }
  const google = world(() => ({ error: "geheim-token is wrong" })).add("a");
  google.run();
  assert.ok(google.logged.length > 0);
  assert.doesNotMatch(google.logged.join("\n"), /geheim|BwcH/);
});

test("install makes labels and one trigger", () => {
  const google = world(() => YES);
  google.labels.clear();
  google.run("install");
  google.run("install");
  assert.deepEqual([...google.labels.values()], ["A_TRANSFERER_WEBHOOK", REFUSED]);
  assert.deepEqual(google.triggers, ["pushLabelled"]);
});
