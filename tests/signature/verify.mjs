// Says of each recorded delivery whether the published library accepts it.
// Usage: node verify.mjs SECRET FILE   (FILE: one JSON object per line)
import { readFileSync } from "node:fs";
import { Webhook } from "standardwebhooks";

const [secret, file] = process.argv.slice(2);
const webhook = new Webhook(secret);
for (const line of readFileSync(file, "utf8").trim().split("\n")) {
  const { id, timestamp, signature, body } = JSON.parse(line);
  const headers = { "webhook-id": id, "webhook-timestamp": timestamp, "webhook-signature": signature };
  try {
    webhook.verify(Buffer.from(body, "base64").toString("utf8"), headers);
    console.log("verified");
  } catch (error) {
    console.log(`refused: ${error.message}`);
  }
}
