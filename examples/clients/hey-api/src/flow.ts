// A therapist opens a day; a client looks, books, loses a race, moves, pages and cancels.
import assert from "node:assert/strict";
import { createClient } from "./client/client/index.js";
import * as booking from "./client/index.js";

const { BASE, CLIENT, THERAPIST } = process.env;
const therapistId = "therapist_456";

const caller = (token: string | undefined) =>
  createClient({
    baseUrl: `${BASE}/api`,
    ...(token && { headers: { Authorization: `Bearer ${token}` } }),
  });

/** The data of an answer that is not an error. */
function data<T>(answer: { data?: T; error?: unknown }): NonNullable<T> {
  assert.equal(answer.error, undefined);
  assert(answer.data != null);
  return answer.data;
}

/** The code of an answer that is one. */
function code(answer: { error?: booking.Problem | undefined }): string {
  assert(answer.error);
  return answer.error.code;
}

const anonymous = await booking.listMeetings({ client: caller(undefined) });
assert.equal(anonymous.response?.status, 401);
assert.equal(code(anonymous), "unauthenticated");

// A therapist's week.
const therapist = { client: caller(THERAPIST) };
const monday = { dayOfWeek: 1, startTime: "09:00", endTime: "16:00" } as const;
const window = data(await booking.createAvailability({ ...therapist, body: monday }));
assert.equal(window.notes, null);
const twice = await booking.createAvailability({ ...therapist, body: monday });
assert.equal(code(twice), "availability_overlap");
const byId = { ...therapist, path: { id: window.id } };
const changed = data(await booking.updateAvailability({ ...byId, body: { endTime: "17:00" } }));
assert.equal(changed.endTime, "17:00");
assert.deepEqual(data(await booking.listAvailability(therapist)), [changed]);

// A client's session.
const me = { client: caller(CLIENT) };
const slots = data(await booking.listSlots({ ...me, query: { therapistId, date: "2024-01-15" } }));
const [first, , third] = slots;
assert(first && third);
const session = { startTime: first.startTime, duration: 60, therapistId } as const;
const booked = await booking.createMeeting({ ...me, body: session });
const meeting = data(booked);
assert.equal(booked.response?.status, 201);
const conflict = await booking.createMeeting({ ...me, body: session });
assert.equal(conflict.response?.status, 400);
assert.equal(code(conflict), "slot_conflict");

const version = booked.response?.headers.get("etag");
assert(version);
const move = (startTime: string) =>
  booking.updateMeeting({
    ...me,
    path: { id: meeting.id },
    headers: { "If-Match": version },
    body: { startTime, reason: "The train is late" },
  });
assert.equal(data(await move(third.startTime)).startTime, third.startTime);
assert.equal(code(await move(first.startTime)), "version_mismatch");

// Pages of two.
for (const { startTime } of slots.slice(6, 10)) {
  data(await booking.createMeeting({ ...me, body: { startTime, duration: 30, therapistId } }));
}
const found: booking.Meeting[] = [];
let cursor: string | undefined;
do {
  const query = { status: "SCHEDULED", limit: 2, ...(cursor && { cursor }) };
  const page = await booking.listMeetings({ ...me, query });
  found.push(...data(page));
  const next = page.response?.headers.get("link")?.match(/<([^>]+)>; rel="next"/)?.[1];
  cursor = next && new URL(next, BASE).searchParams.get("cursor")!;
} while (cursor);
assert.equal(found.length, 5);

for (const { id } of found) {
  const cancelled = data(await booking.cancelMeeting({ ...me, path: { id } }));
  assert.equal(cancelled.status, "CANCELLED");
}
assert.deepEqual(data(await booking.deleteAvailability(byId)), { success: true });
console.log("hey-api: done");
