// One connection: a row for every account, and what is new of the chosen one. Nothing while the page is hidden.

const SILENCE_MS = 6000, POINTS = 2000, FILLS = 300, EVENTS = 100;
let stream = null, heardAt = 0, query = new URLSearchParams(), told = {}, hear = () => {};

export function follow(selected, listener) {
  query = new URLSearchParams(selected);
  hear = listener;
  connect();
}

function connect() {
  stream?.close();
  told = {};
  heardAt = Date.now();
  const mine = stream = new EventSource(`/events?${query}`);
  mine.addEventListener("portfolio", event => { beat(mine); hear({ portfolio: JSON.parse(event.data) }); });
  mine.addEventListener("news", event => { beat(mine); hear(merged(JSON.parse(event.data))); });
  mine.addEventListener("beat", () => beat(mine));
  mine.onopen = () => { told = {}; };
  mine.onerror = () => hear({ lost: true });
}

function beat(from) {
  if (from !== stream) return;
  heardAt = Date.now();
  hear({ lost: false });
}

// Rows are added to those that are there; every other part replaces its forerunner.
function merged(news) {
  const changed = { ...news };
  if (news.series) changed.series = told.series = thinned(added(told.series, news.series), POINTS);
  if (news.fills) changed.fills = told.fills = last(added(told.fills, news.fills), FILLS);
  if (news.events) {
    const texts = new Set(news.events.map(event => event.kind + event.text));
    changed.events = told.events = [...(told.events || []).filter(event => !texts.has(event.kind + event.text)), ...news.events].slice(-EVENTS);
  }
  return changed;
}

function added(columns, rows) {
  if (!columns) return rows;
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, [...values, ...rows[name]]]));
}

const last = (columns, count) => Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.slice(-count)]));

// The older half loses every second row: the whole time stays in sight.
function thinned(columns, limit) {
  const length = columns.ts.length;
  if (length <= limit) return columns;
  const keep = index => index > length / 2 || index % 2 === 0;
  return Object.fromEntries(Object.entries(columns).map(([name, values]) => [name, values.filter((_, index) => keep(index))]));
}

setInterval(() => {
  if (document.hidden || !stream || Date.now() - heardAt < SILENCE_MS) return;
  hear({ lost: true });
  connect();
}, 1000);

document.addEventListener("visibilitychange", () => {
  if (document.hidden) { stream?.close(); stream = null; }
  else if (!stream) connect();
});
