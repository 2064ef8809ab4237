// Calendar feeds as ical.js reads them: sessions that are booked, moved and cancelled, titles that mean
// something to iCalendar, and a week across changes of the clocks. What it was, and what it has to be,
// goes to a folder, for other parsers.
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import ICAL from "ical.js";

// What ical.js does not know it leaves escaped: names of calendars are text (RFC 7986).
const known = ICAL.design.icalendar.property;
known.name = known["x-wr-calname"] = known.summary;

const { BASE, CLIENT, THERAPIST, ADMIN } = process.env;
const [, , folder] = process.argv;
const therapistId = "therapist_456";

async function ask(token, method, path, body) {
  const headers = { "content-type": "application/json" };
  if (token) headers.authorization = `Bearer ${token}`;
  const answer = await fetch(BASE + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text.startsWith("BEGIN:") ? text : JSON.parse(text);
}

const booking = (token, method, path, body) => ask(token, method, `/api/booking${path}`, body);
const feed = async (token, body) => (await booking(token, "POST", "/calendar/feeds", body)).path;

/** What the clocks of a therapist in New York say of two Sundays and of those around them. */
const weeks = [
  ["2024-03-03T06:00:00Z", "2024-03-03T09:00:00Z"],
  ["2024-03-04T14:00:00Z", "2024-03-04T22:00:00Z"],
  ["2024-03-10T06:00:00Z", "2024-03-10T08:00:00Z"], // No 02:00: two hours.
  ["2024-03-11T13:00:00Z", "2024-03-11T21:00:00Z"],
  ["2024-03-17T05:00:00Z", "2024-03-17T08:00:00Z"],
  ["2024-10-27T05:00:00Z", "2024-10-27T08:00:00Z"],
  ["2024-10-28T13:00:00Z", "2024-10-28T21:00:00Z"],
  ["2024-11-03T05:00:00Z", "2024-11-03T09:00:00Z"], // 01:00 comes twice: four hours.
  ["2024-11-04T14:00:00Z", "2024-11-04T22:00:00Z"],
  ["2024-11-10T06:00:00Z", "2024-11-10T09:00:00Z"],
];
const spans = [
  ["2024-03-01T00:00:00Z", "2024-03-18T00:00:00Z"],
  ["2024-10-25T00:00:00Z", "2024-11-11T00:00:00Z"],
];

await booking(ADMIN, "PUT", `/directory/users/${therapistId}`, {
  role: "therapist",
  firstName: "Jane",
  lastName: "Smith",
  email: "jane.smith@example.com",
  timeZone: "America/New_York",
});
for (const [dayOfWeek, startTime, endTime] of [
  [0, "01:00", "04:00"],
  [1, "09:00", "17:00"],
]) {
  await booking(THERAPIST, "POST", "/availability", { dayOfWeek, startTime, endTime });
}

const name = "Sessions; of \"John\", at C:\\new";
const [titles, times, week] = [
  await feed(CLIENT, { shows: "titles", name }),
  await feed(CLIENT, {}),
  await feed(THERAPIST, { shows: "availability" }),
];

const sessions = [];
async function book(startTime, title) {
  const body = { startTime, duration: 60, title, therapistId };
  const { id } = await booking(CLIENT, "POST", "/meetings", body);
  const session = { id, start: startTime, end: later(startTime), title, status: "CONFIRMED" };
  sessions.push(session);
  return session;
}
const later = (start) => new Date(Date.parse(start) + 3_600_000).toISOString().replace(".000", "");
await book("2024-01-15T14:00:00Z", "Plain");
await book("2024-01-15T15:00:00Z", 'A, "B"; C:\\n\nnext line\ttab');
// Of four bytes each, so that lines would end within one of them.
for (const shift of [0, 1, 2, 3]) {
  await book(`2024-01-15T${16 + shift}:00:00Z`, "x".repeat(shift) + "🧑".repeat(100));
}
await book("2024-01-22T14:00:00Z", "é".repeat(200));
const moved = await book("2024-01-22T15:00:00Z", "Moved");
const cancelled = await book("2024-01-22T16:00:00Z", "Cancelled");

function read(text) {
  for (const line of text.split("\r\n")) {
    assert(Buffer.byteLength(line) <= 75, line);
  }
  const calendar = new ICAL.Component(ICAL.parse(text));
  assert.equal(calendar.getFirstPropertyValue("version"), "2.0");
  return calendar;
}

const events = (text) =>
  new Map(
    read(text)
      .getAllSubcomponents("vevent")
      .map((component) => new ICAL.Event(component))
      .map((event) => [event.uid, event]),
  );

const before = events(await ask(undefined, "GET", titles));
moved.start = "2024-01-29T15:00:00Z";
moved.end = later(moved.start);
await booking(CLIENT, "PUT", `/meetings/${moved.id}`, { startTime: moved.start });
await booking(CLIENT, "DELETE", `/meetings/${cancelled.id}/cancel`);
cancelled.status = "CANCELLED";

const calendar = await ask(undefined, "GET", titles);
assert.equal(read(calendar).getFirstPropertyValue("name"), name);
assert.equal(read(calendar).getFirstPropertyValue("x-wr-calname"), name);
assert.equal(read(calendar).getFirstPropertyValue("refresh-interval").toSeconds(), 3600);
const after = events(calendar);
assert.equal(after.size, sessions.length);
for (const { id, start, end, title, status } of sessions) {
  const event = after.get(`${id}@booking`);
  assert.equal(event.summary, title);
  assert.equal(event.startDate.toJSDate().getTime(), Date.parse(start));
  assert.equal(event.endDate.toJSDate().getTime(), Date.parse(end));
  assert.equal(event.component.getFirstPropertyValue("status"), status);
  const grown = event.sequence - before.get(`${id}@booking`).sequence;
  assert.equal(grown, id === moved.id || id === cancelled.id ? 1 : 0);
}
const plain = events(await ask(undefined, "GET", times));
assert.deepEqual(new Set([...plain.values()].map((event) => event.summary)), new Set(["Session"]));

const availability = await ask(undefined, "GET", week);
const [weekly] = read(availability).getAllSubcomponents("vavailability");
const open = weekly.getAllSubcomponents("available").flatMap((component) => {
  const [start, end] = ["dtstart", "dtend"].map((name) => component.getFirstPropertyValue(name));
  const length = end.toJSDate() - start.toJSDate();
  const starts = [];
  const each = new ICAL.RecurExpansion({ component, dtstart: start });
  for (let next = each.next(); next && next.year < 2025; next = each.next()) {
    starts.push(next.toJSDate().getTime());
  }
  return starts.map((start) => [start, start + length]);
});
const within = (start) =>
  spans.some(([from, to]) => Date.parse(from) <= start && start < Date.parse(to));
assert.deepEqual(
  open.filter(([start]) => within(start)).sort(([one], [other]) => one - other),
  weeks.map((span) => span.map((instant) => Date.parse(instant))),
);

mkdirSync(folder, { recursive: true });
writeFileSync(`${folder}/titles.ics`, calendar);
writeFileSync(`${folder}/week.ics`, availability);
writeFileSync(`${folder}/expected.json`, JSON.stringify({ sessions, spans, weeks }));
console.log(`ical.js: ${after.size} sessions, ${open.length} windows`);
