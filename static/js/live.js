// Keeps the page up to date. One stream for all tabs of a browser: the tab that has the lock reads
// it and tells the others. It is closed while the tab is hidden; when streams fail, the page is
// looked at every 15 s instead; a session that has ended is said.
import { refresh } from "./swap.js";

const PACE = 2000;
const POLL = 15000;
const FAILURES = 3;
const channel = new BroadcastChannel("render-signal-live");

let state = "off";
let failures = 0;
let release = null;
let poll = null;
let due = null;
let last = 0;

function show(next) {
  state = next;
  document.body.dataset.liveState = next;
  const text = document.querySelector("[data-live-text]");
  text.textContent = text.dataset[next] ?? "";
}

async function look() {
  due = null;
  last = Date.now();
  const found = await refresh();
  if (found === "ended") {
    end();
  }
  return found;
}

/** At most once in a while, and never too early: the last change counts. */
function lookSoon() {
  if (due === null && !document.hidden) {
    due = setTimeout(look, Math.max(150, last + PACE - Date.now()));
  }
}

function end() {
  if (state === "ended") {
    return;
  }
  stop();
  show("paused");
  state = "ended";
  const told = document.getElementById("session-ended").content.cloneNode(true);
  const kept = document.dispatchEvent(new CustomEvent("session-ended", { cancelable: true }));
  if (kept) {
    told.querySelector("[data-kept]").remove();
  }
  document.getElementById("alert").replaceChildren(told);
}

function startPolling() {
  if (poll === null) {
    show("polling");
    poll = setInterval(() => {
      if (!document.hidden) {
        look();
      }
    }, POLL);
  }
}

function heard(message) {
  if (message === "bye") {
    show("stopping");
  } else {
    show("live");
    lookSoon();
  }
}

/** Reads the stream until the tab is hidden. */
function listen() {
  return new Promise((done) => {
    const stream = new EventSource("/api/v1/live");
    release = () => {
      stream.close();
      release = null;
      done();
    };
    stream.addEventListener("state", () => {
      failures = 0;
      clearInterval(poll);
      poll = null;
      channel.postMessage("state");
      heard("state");
    });
    stream.addEventListener("bye", () => {
      channel.postMessage("bye");
      heard("bye");
    });
    stream.addEventListener("error", async () => {
      // A stream does not say why it fails: the page is asked whether anybody is signed in.
      failures += 1;
      if (state !== "stopping") {
        show("paused");
      }
      if (await refreshAfterFailure() === "ended") {
        end();
        return;
      }
      if (failures >= FAILURES || stream.readyState === EventSource.CLOSED) {
        startPolling();
      }
    });
  });
}

async function refreshAfterFailure() {
  try {
    const answer = await fetch("/api/v1/session", { cache: "no-store" });
    return answer.status === 401 ? "ended" : "fresh";
  } catch {
    return "failed";
  }
}

async function lead() {
  if (document.hidden || state === "ended" || release) {
    return;
  }
  await navigator.locks.request("render-signal-live", { ifAvailable: false }, async () => {
    if (!document.hidden && state !== "ended") {
      await listen();
    }
  });
}

function stop() {
  release?.();
  clearInterval(poll);
  poll = null;
  clearTimeout(due);
  due = null;
}

export function goLive() {
  channel.addEventListener("message", (event) => {
    if (!document.hidden && state !== "ended") {
      heard(event.data);
    }
  });
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) {
      stop();
    } else if (state !== "ended") {
      look();
      lead();
    }
  });
  addEventListener("pagehide", stop);
  addEventListener("pageshow", (event) => {
    if (event.persisted) {
      lead();
    }
  });
  if (!("locks" in navigator)) {
    // Locks are there over TLS and on this machine only: each tab listens for itself.
    listen();
    return;
  }
  lead();
}
