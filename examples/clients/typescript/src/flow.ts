// A therapist opens a day; a client looks, books, loses a race, moves, pages and cancels.
import assert from "node:assert/strict";
import createClient from "openapi-fetch";
import type { components, paths } from "./schema.js";

const { BASE, CLIENT, THERAPIST } = process.env;
const therapistId = "therapist_456";

const client = (token: string | undefined) =>
  createClient<paths>({
    baseUrl: `${BASE}/api`,
    headers: token ? { Authorization: `Bearer ${token}` } : {},
  });

/** The data of an answer that is not an error. */
function data<T>(answer: { data?: T; error?: components["schemas"]["Problem"] }): T {
  assert.equal(answer.error, undefined);
  assert(answer.data !== undefined);
  return answer.data;
}

/** The code of an answer that is one. */
function code(answer: { error?: components["schemas"]["Problem"] }): string {
  assert(answer.error);
  return answer.error.code;
}

const anonymous = await client(undefined).GET("/booking/meetings");
assert.equal(anonymous.response.status, 401);
assert.equal(code(anonymous), "unauthenticated");

// A therapist's week.
const therapist = client(THERAPIST);
const monday = { dayOfWeek: 1, startTime: "09:00", endTime: "16:00" } as const;
const window = data(await therapist.POST("/booking/availability", { body: monday }));
assert.equal(window.notes, null);
const twice = await therapist.POST("/booking/availability", { body: monday });
assert.equal(code(twice), "availability_overlap");
const byId = { params: { path: { id: window.id } } };
const changed = data(
  await therapist.PUT("/booking/availability/{id}", { ...byId, body: { endTime: "17:00" } }),
);
assert.equal(changed.endTime, "17:00");
assert.deepEqual(data(await therapist.GET("/booking/availability")), [changed]);

// A client's session.
const me = client(CLIENT);
const query = { therapistId, date: "2024-01-15" };
const slots = data(await me.GET("/booking/slots", { params: { query } }));
const [first, , third] = slots;
assert(first && third);
const session = { startTime: first.startTime, duration: 60, therapistId } as const;
const booked = await me.POST("/booking/meetings", { body: session });
const meeting = data(booked);
assert.equal(booked.response.status, 201);
const conflict = await me.POST("/booking/meetings", { body: session });
assert.equal(conflict.response.status, 400);
assert.equal(code(conflict), "slot_conflict");

const version = booked.response.headers.get("etag");
assert(version);
const move = (startTime: string) =>
  me.PUT("/booking/meetings/{id}", {
    params: { path: { id: meeting.id }, header: { "If-Match": version } },
    body: { startTime, reason: "The train is late" },
  });
assert.equal(data(await move(third.startTime)).startTime, third.startTime);
assert.equal(code(await move(first.startTime)), "version_mismatch");

// Pages of two.
for (const { startTime } of slots.slice(6, 10)) {
  data(await me.POST("/booking/meetings", { body: { startTime, duration: 30, therapistId } }));
}
const found: components["schemas"]["Meeting"][] = [];
let cursor: string | undefined;
do {
  const query = { status: "SCHEDULED", limit: 2, ...(cursor && { cursor }) };
  const page = await me.GET("/booking/meetings", { params: { query } });
  found.push(...data(page));
  const next = page.response.headers.get("link")?.match(/<([^>]+)>; rel="next"/)?.[1];
  cursor = next && new URL(next, BASE).searchParams.get("cursor")!;
} while (cursor);
assert.equal(found.length, 5);

for (const { id } of found) {
  const path = { params: { path: { id } } };
  const cancelled = data(await me.DELETE("/booking/meetings/{id}/cancel", path));
  assert.equal(cancelled.status, "CANCELLED");
}
assert.deepEqual(data(await therapist.DELETE("/booking/availability/{id}", byId)), {
  success: true,
});
console.log("openapi-typescript: done");
