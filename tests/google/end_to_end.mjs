// Runs the Apps Script against a server that listens, and tells what became of the messages.
// Usage: node end_to_end.mjs PORT TOKEN SECRET MESSAGES   (MESSAGES: a JSON list of {id, subject, body})
import { execFileSync } from "node:child_process";

import { World } from "./world.mjs";

const [port, token, secret, messages] = process.argv.slice(2);

// Apps Script waits for its answers; here another process does.
const asking = `
  let text = "";
  for await (const chunk of process.stdin) text += chunk;
  const { url, headers, body } = JSON.parse(text);
  try {
    const answer = await fetch(url, { method: "POST", headers, body, redirect: "manual" });
    console.log(JSON.stringify({ status: answer.status, text: await answer.text(), headers: Object.fromEntries(answer.headers) }));
  } catch (error) {
    console.log(JSON.stringify({ error: String(error) }));
  }`;
const server = ({ url, headers, body }) => {
  const here = url.replace("https://signal.example", `http://127.0.0.1:${port}`);
  return JSON.parse(execFileSync(process.execPath, ["--input-type=module", "-e", asking], { input: JSON.stringify({ url: here, headers, body }) }));
};

const properties = { SERVER: "https://signal.example", PROCESS_API_TOKEN: token, INGRESS_HMAC_SECRET: secret };
const google = new World({ properties, server });
google.now = Date.now();
for (const { id, ...fields } of JSON.parse(messages)) google.add(id, fields);
let error = null;
try {
  google.run();
} catch (thrown) {
  error = thrown.message;
}
console.log(JSON.stringify({ waiting: google.waiting(), refused: google.refused(), requests: google.requests.length, error }));
