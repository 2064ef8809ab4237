// Every view, light and dark, on a desk and on a phone: nothing that axe-core finds, nothing wider than
// the screen, and a picture of each in target/web/screenshots.

import { copyFileSync } from 'node:fs'

import AxeBuilder from '@axe-core/playwright'
import type { Page } from '@playwright/test'

import { CLIENT, expect, test, THERAPIST, type Person } from './fixtures'
import type { Server } from './server'

const SCREENSHOTS = '../../target/web/screenshots'
/** Where to put those of the README, when they are to be made anew. */
const PICTURES = process.env['PICTURES']
const PICTURED: Record<string, string> = {
  'booking-light-desk': 'booking',
  'week-light-desk': 'week',
  'moving-dark-phone': 'phone',
}
const SCREENS = { desk: { width: 1120, height: 880 }, phone: { width: 360, height: 740 } }

async function fill(server: Server): Promise<void> {
  await server.live('America/New_York')
  for (const day of [1, 3, 4]) await server.open(day, '09:00', '12:00')
  await server.open(2, '13:00', '17:30')
  await server.open(3, '14:00', '18:00')
  const friday = { dayOfWeek: 5, startTime: '09:00', endTime: '13:00', notes: 'Only until Easter' }
  const { id } = (await server.as('therapist_456', 'POST', '/availability', friday)) as { id: string }
  await server.as('therapist_456', 'PUT', `/availability/${id}`, { isAvailable: false })
  await server.book('client_123', '2026-01-13T19:00:00Z', 60)
  await server.book('client_123', '2026-01-21T15:00:00Z', 90)
  await server.book('client_124', '2026-01-14T15:00:00Z', 60)
  await server.book('client_123', '2026-01-19T14:00:00Z', 30)
  const meetings = (await server.as('client_123', 'GET', '/meetings')) as { id: string }[]
  await server.as('client_123', 'DELETE', `/meetings/${meetings[1]?.id}/cancel`)
  await server.as('therapist_456', 'PUT', `/meetings/${meetings[0]?.id}`, { status: 'CONFIRMED' })
}

async function looksRight(page: Page, name: string): Promise<void> {
  // Colours change gradually; what is between them is not meant to be read.
  await page.waitForFunction(() => document.getAnimations().length === 0)
  await page.evaluate(() => document.fonts.ready)
  // Legacy: without frames from elsewhere, there is nothing for its second page to do.
  const { violations } = await new AxeBuilder({ page }).setLegacyMode().analyze()
  const found = violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  expect(found, name).toEqual([])
  const wider = await page.evaluate(() => document.documentElement.scrollWidth - window.innerWidth)
  expect(wider, `${name} is not wider than the screen`).toBeLessThanOrEqual(0)
  await page.screenshot({ path: `${SCREENSHOTS}/${name}.png`, fullPage: name.includes('phone') })
  const picture = PICTURED[name]
  if (PICTURES && picture) copyFileSync(`${SCREENSHOTS}/${name}.png`, `${PICTURES}/${picture}.png`)
}

/** The views, each by what leads to it. */
async function look(john: Person, jane: Person, nobody: Person, as: string): Promise<void> {
  await looksRight(nobody.page, `chooser-${as}`)
  await john.day('Wednesday 14 January 2026').click()
  await expect(john.times).not.toHaveCount(0)
  await looksRight(john.page, `day-${as}`)
  await john.choose('15:00')
  await looksRight(john.page, `booking-${as}`)
  await john.page.getByText('Past and cancelled').click()
  await looksRight(john.page, `past-${as}`)
  await john.page.getByText('Past and cancelled').click()
  await john.page.getByRole('button', { name: /^Move/ }).last().click()
  await expect(john.times).not.toHaveCount(0)
  await looksRight(john.page, `moving-${as}`)
  await john.page.getByRole('button', { name: /^Cancel/ }).first().click()
  await looksRight(john.page, `cancelling-${as}`)
  await expect(jane.page.locator('.window')).toHaveCount(6)
  await looksRight(jane.page, `week-${as}`)
  await jane.page.getByRole('button', { name: 'Add hours on Monday' }).click()
  await jane.page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(jane.page.getByRole('dialog').getByRole('alert')).toContainText('overlaps')
  jane.expectRefusal()
  await looksRight(jane.page, `conflict-${as}`)
}

for (const colorScheme of ['light', 'dark'] as const) {
  for (const [screen, viewport] of Object.entries(SCREENS)) {
    test(`every view, ${colorScheme}, on a ${screen}`, async ({ server, arrive }) => {
      test.setTimeout(120_000)
      await fill(server)
      const options = { colorScheme, viewport, timezoneId: 'Europe/London' }
      const john = await arrive(CLIENT, options)
      const jane = await arrive(THERAPIST, { ...options, timezoneId: 'America/New_York' })
      await look(john, jane, await arrive('', options), `${colorScheme}-${screen}`)
    })
  }
}
