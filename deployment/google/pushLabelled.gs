/**
 * Hands the mails of a Gmail label over to render-signal. See README.md beside this file.
 *
 * The label is the queue: it is taken from a message when render-signal has answered that the mail
 * is in its journal, and stays in every other case. So nothing is kept here, and nothing is lost when
 * a run is cut off: what was handed over twice is known by its id.
 */

/** Mails with this label are handed over. */
const LABEL = 'A_TRANSFERER_WEBHOOK';
/** Those that render-signal will never take have this one, too, and wait for a person. */
const REFUSED_LABEL = 'A_TRANSFERER_WEBHOOK_REFUSE';

/** Google ends a run after six minutes. No message is begun after this many milliseconds. */
const RUN_MS = 4 * 60 * 1000;
/** Messages that one run looks at; the next one goes on. */
const MOST_MESSAGES = 300;
/** Pages of 500 that are looked through for the oldest of them. */
const MOST_PAGES = 20;
/** Attempts for a message within a run, and the pauses between them in milliseconds. */
const PAUSES_MS = [1000, 5000];
/** The longest pause that an answer can ask for, in milliseconds. */
const LONGEST_PAUSE_MS = 30 * 1000;
/** After so many messages in a row that were not taken the server is away: the next run tries again. */
const MOST_FAILURES = 3;

/** The function of the trigger. */
function pushLabelled() {
  const lock = LockService.getScriptLock();
  // The run before may still be at work.
  if (!lock.tryLock(0)) return;
  try {
    push_(settings_(), Date.now() + RUN_MS);
  } finally {
    lock.releaseLock();
  }
}

/** Makes the labels and the trigger. To be run once, by hand; again does no harm. */
function install() {
  settings_();
  labelId_(LABEL);
  labelId_(REFUSED_LABEL);
  const has = ScriptApp.getProjectTriggers().some(trigger => trigger.getHandlerFunction() === 'pushLabelled');
  if (!has) ScriptApp.newTrigger('pushLabelled').timeBased().everyMinutes(5).create();
}

/** What the script properties say. Throws when something is missing: Google mails that to the owner. */
function settings_() {
  const properties = PropertiesService.getScriptProperties();
  const value = name => (properties.getProperty(name) || '').trim();
  const server = value('SERVER').replace(/\/+$/, '');
  if (!/^https:\/\/[^/]+/.test(server)) throw new Error('The script property SERVER is no https address.');
  if (!value('PROCESS_API_TOKEN')) throw new Error('The script property PROCESS_API_TOKEN is missing.');
  // While a secret is replaced there are two; the new one stands first.
  const secret = value('INGRESS_HMAC_SECRET').split(/[\s,]+/)[0];
  return { url: server + '/api/ingress/gmail', token: value('PROCESS_API_TOKEN'), secret };
}

/** Hands over message by message until none is left or the time is up. */
function push_(settings, deadline) {
  const label = labelId_(LABEL);
  const refusedLabel = labelId_(REFUSED_LABEL);
  let taken = 0;
  let refused = 0;
  let failures = 0;
  for (const id of waiting_(label)) {
    if (Date.now() >= deadline || failures === MOST_FAILURES) break;
    const outcome = pushMessage_(settings, id, deadline);
    if (outcome === 'taken') {
      Gmail.Users.Messages.modify({ removeLabelIds: [label] }, 'me', id);
      taken += 1;
      failures = 0;
    } else if (outcome === 'refused') {
      Gmail.Users.Messages.modify({ addLabelIds: [refusedLabel] }, 'me', id);
      refused += 1;
      failures = 0;
    } else {
      failures += 1;
    }
  }
  console.log('taken: ' + taken + ', refused: ' + refused + ', to be tried again: ' + failures);
  if (refused > 0) throw new Error(refused + ' mail(s) will never be taken: see the label ' + REFUSED_LABEL + '.');
}

/** Ids of the messages that wait, the oldest first. */
function waiting_(label) {
  const ids = [];
  let pageToken;
  let pages = 0;
  do {
    const page = Gmail.Users.Messages.list('me', {
      labelIds: [label],
      q: '-label:' + REFUSED_LABEL,
      maxResults: 500,
      pageToken,
    });
    for (const message of page.messages || []) ids.push(message.id);
    pageToken = page.nextPageToken;
    pages += 1;
  } while (pageToken && pages < MOST_PAGES);
  return ids.reverse().slice(0, MOST_MESSAGES);
}

/** Hands over one message: 'taken', 'refused' for good, or 'later'. Throws when no other would fare better. */
function pushMessage_(settings, id, deadline) {
  let body;
  try {
    body = JSON.stringify(content_(GmailApp.getMessageById(id)));
  } catch (error) {
    // It may have been deleted a moment ago.
    console.warn(id + ': cannot be read: ' + error);
    return 'later';
  }
  for (let attempt = 0; ; attempt += 1) {
    const answer = post_(settings, id, body);
    if (answer.isTaken) return 'taken';
    console.warn(id + ': ' + answer.why);
    if (answer.status === 400 || answer.status === 413) return 'refused';
    if (answer.status >= 300 && answer.status < 500 && answer.status !== 408 && answer.status !== 429) {
      throw new Error('render-signal refuses everything: ' + answer.why);
    }
    const pause = Math.max(PAUSES_MS[attempt] || 0, Math.min(answer.pause, LONGEST_PAUSE_MS));
    if (attempt === PAUSES_MS.length || Date.now() + pause >= deadline) return 'later';
    Utilities.sleep(pause);
  }
}

/** What render-signal is told of a message. */
function content_(message) {
  return {
    message_id: message.getId(),
    subject: message.getSubject(),
    sender: message.getFrom(),
    date: message.getDate().toISOString(),
    body: message.getBody() || message.getPlainBody() || ' ',
    has_attachment: message.getAttachments({ includeInlineImages: false }).length > 0,
    headers: headers_(message, [
      'Auto-Submitted', 'X-Autoreply', 'Precedence', 'Return-Path', 'Authentication-Results',
    ]),
  };
}

/** Those of the headers that the message has. */
function headers_(message, names) {
  const found = {};
  for (const name of names) {
    const value = message.getHeader(name);
    if (value) found[name] = value;
  }
  return found;
}

/** One request. Never throws: no answer is an answer, too. */
function post_(settings, id, body) {
  let response;
  try {
    response = UrlFetchApp.fetch(settings.url, {
      method: 'post',
      contentType: 'application/json',
      payload: body,
      headers: Object.assign({ Authorization: 'Bearer ' + settings.token }, signed_(settings.secret, id, body)),
      muteHttpExceptions: true,
      // A redirect would be asked for without the mail.
      followRedirects: false,
    });
  } catch (error) {
    return { isTaken: false, status: 0, pause: 0, why: 'no answer' };
  }
  const status = response.getResponseCode();
  const isTaken = status >= 200 && status < 300 && saysYes_(response.getContentText());
  return { isTaken, status, pause: retryAfter_(response.getAllHeaders()), why: 'HTTP ' + status };
}

/** Whether an answer is render-signal's own: a page of something in between says 200, too. */
function saysYes_(text) {
  try {
    return JSON.parse(text).success === true;
  } catch (error) {
    return false;
  }
}

/** How long an answer asks to wait, in milliseconds. */
function retryAfter_(headers) {
  const name = Object.keys(headers).find(one => one.toLowerCase() === 'retry-after');
  const seconds = name ? Number(headers[name]) : 0;
  return seconds > 0 ? seconds * 1000 : 0;
}

/** The headers of Standard Webhooks; none without a secret. */
function signed_(secret, id, body) {
  if (!secret) return {};
  const webhookId = 'push_' + id;
  const at = Math.floor(Date.now() / 1000).toString();
  const bytes = Utilities.newBlob(webhookId + '.' + at + '.' + body).getBytes();
  const key = Utilities.base64Decode(secret.replace(/^whsec_/, ''));
  return {
    'webhook-id': webhookId,
    'webhook-timestamp': at,
    'webhook-signature': 'v1,' + Utilities.base64Encode(Utilities.computeHmacSha256Signature(bytes, key)),
  };
}

/** The id of a label, which is made when there is none. */
function labelId_(name) {
  const label = (Gmail.Users.Labels.list('me').labels || []).find(one => one.name === name);
  return label ? label.id : Gmail.Users.Labels.create({ name }, 'me').id;
}
