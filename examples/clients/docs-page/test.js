// The documentation page in a browser, as somebody uses it who tests by hand: sign in, look for slots,
// book with the example as it stands, and be told that the time is taken.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { BASE, CLIENT, CHROMIUM = "/usr/bin/chromium" } = process.env;

const browser = await chromium.launch({
  executablePath: CHROMIUM,
  args: [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    // Without a network but this machine's.
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
  ],
});

const requests = [];
const errors = [];
try {
  const page = await browser.newPage();
  page.setDefaultTimeout(30_000);
  page.on("request", (request) => requests.push(request.url()));
  page.on("pageerror", (error) => errors.push(String(error)));
  page.on("console", (message) => {
    if (message.type() !== "error" && message.type() !== "warning") return;
    errors.push(`${message.text()} (${message.location().url})`);
  });
  await page.goto(`${BASE}/docs`);

  await page.click(".auth-wrapper > .btn.authorize");
  await page.fill(".auth-container input", CLIENT);
  await page.click(".auth-btn-wrapper button[type=submit]");
  await page.click(".auth-btn-wrapper .btn-done");

  /** Sends an operation as the page has it filled in; returns status and body of the answer. */
  const send = async (id) => {
    const operation = page.locator(`[id$="-${id}"].opblock`);
    if (!(await operation.evaluate((block) => block.classList.contains("is-open")))) {
      await operation.locator(".opblock-summary-control").click();
      await operation.locator(".try-out__btn").click();
    }
    const answered = page.waitForResponse((response) => response.url().includes("/api/"));
    await operation.locator(".execute").click();
    const response = await answered;
    const shown = operation.locator(".live-responses-table");
    const status = String(response.status());
    await shown.locator(".response-col_status", { hasText: status }).waitFor();
    const body = shown.locator(".response .highlight-code").first();
    await body.waitFor();
    return { status: response.status(), body: await body.innerText() };
  };

  const slots = await send("listSlots");
  assert.equal(slots.status, 200);
  assert.match(slots.body, /"startTime"/);

  const booked = await send("createMeeting");
  assert.equal(booked.status, 201, booked.body);
  assert.match(booked.body, /"status": "SCHEDULED"/);
  assert.deepEqual(errors, []);

  const again = await send("createMeeting");
  assert.equal(again.status, 400);
  assert.match(again.body, /"code": "slot_conflict"/);
  // Chromium notes in the console whatever is answered with an error.
  const noted = errors.splice(0).map((error) => error.replace(BASE, ""));
  assert.equal(noted.length, 1, noted.join("\n"));
  assert.match(noted[0], /status of 400 .*\/api\/booking\/meetings/);

  const read = await send("getMeeting");
  assert.equal(read.status, 200, read.body);
  assert.deepEqual(errors, []);

  const elsewhere = requests.filter((url) => !url.startsWith(`${BASE}/`) && !url.startsWith("data:"));
  assert.deepEqual(elsewhere, []);
  assert(requests.length >= 5);
  console.log(`docs page: done, ${requests.length} requests, all to ${BASE}`);
} finally {
  await browser.close();
}
