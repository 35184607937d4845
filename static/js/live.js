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
let retry = null;
let looking = false;
let last = 0;

function show(next) {
  state = next;
  document.body.dataset.liveState = next;
  const text = document.querySelector("[data-live-text]");
  text.textContent = text.dataset[next] ?? "";
}

/** Brings the page up to date. Never twice at a time: a slow server is asked more slowly. */
async function look() {
  due = null;
  if (looking) {
    lookSoon();
    return;
  }
  looking = true;
  const found = await refresh();
  looking = false;
  last = Date.now();
  if (found === "ended") {
    end();
  } else if (found === "failed") {
    // What is shown is of before: that is said.
    show("paused");
  } else if (state === "paused") {
    show(poll === null ? "live" : "polling");
  }
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
  show("ended");
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

function stopPolling() {
  clearInterval(poll);
  poll = null;
}

function heard(message) {
  if (message === "bye") {
    show("stopping");
  } else if (message === "down") {
    startPolling();
  } else {
    stopPolling();
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
      channel.postMessage("state");
      heard("state");
    });
    stream.addEventListener("bye", () => {
      channel.postMessage("bye");
      heard("bye");
    });
    stream.addEventListener("error", async () => {
      // A stream does not say why it fails: it is asked whether anybody is signed in.
      failures += 1;
      if (state !== "stopping" && state !== "polling") {
        show("paused");
      }
      if (await isEnded()) {
        end();
        return;
      }
      const closed = stream.readyState === EventSource.CLOSED;
      if (failures >= FAILURES || closed) {
        channel.postMessage("down");
        startPolling();
      }
      // An answer that is no stream ends it for good: a new one is tried after a while.
      if (closed && retry === null) {
        retry = setTimeout(() => {
          retry = null;
          release?.();
          lead();
        }, POLL + Math.random() * 5000);
      }
    });
  });
}

async function isEnded() {
  try {
    const answer = await fetch("/api/v1/session", { cache: "no-store" });
    return answer.status === 401;
  } catch {
    return false;
  }
}

async function lead() {
  if (document.hidden || state === "ended" || release) {
    return;
  }
  if (!("locks" in navigator)) {
    // Locks are there over TLS and on this machine only: each tab listens for itself.
    await listen();
    return;
  }
  await navigator.locks.request("render-signal-live", async () => {
    if (!document.hidden && state !== "ended") {
      await listen();
    }
  });
}

function stop() {
  release?.();
  stopPolling();
  clearTimeout(due);
  clearTimeout(retry);
  due = null;
  retry = null;
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
  lead();
}
