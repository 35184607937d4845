// "4 min ago" stays true while the page is open.
const units = [
  [86400, "day"],
  [3600, "hour"],
  [60, "minute"],
  [1, "second"],
];

function ago(format, seconds) {
  for (const [size, unit] of units) {
    if (Math.abs(seconds) >= size) {
      return format.format(Math.trunc(seconds / size), unit);
    }
  }
  return format.format(0, "second");
}

export function keepTimesTrue() {
  const format = new Intl.RelativeTimeFormat(document.documentElement.lang, { numeric: "auto", style: "short" });
  const tick = () => {
    if (document.hidden) {
      return;
    }
    for (const time of document.querySelectorAll("time[data-ago]")) {
      const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
      // Below a minute a number that changes disturbs more than it tells.
      if (Math.abs(seconds) >= 60) {
        const text = ago(format, seconds);
        if (time.textContent !== text) {
          time.textContent = text;
        }
      }
    }
  };
  setInterval(tick, 20000);
  document.addEventListener("visibilitychange", tick);
}
