// Around the nights when clocks change, for people who are elsewhere.

import { CLIENT, expect, test } from './fixtures'

const SUNDAY = 0

test.describe('clocks are put forward in New York', () => {
  test.use({ now: '2026-03-06T12:00:00Z' })

  test('an hour is missing, and Berlin sees the rest five hours ahead', async ({ server, arrive }) => {
    await server.live('America/New_York')
    await server.open(SUNDAY, '01:00', '04:00')
    const john = await arrive(CLIENT, { timezoneId: 'Europe/Berlin' })
    await john.day('Sunday 8 March 2026').click()
    // 06:00Z to 08:00Z: no 02:00 there, and Berlin still on winter time.
    await expect(john.times).toHaveText([
      '07:00, in New York 01:00',
      '07:30, in New York 01:30',
      '08:00, in New York 03:00',
      '08:30, in New York 03:30',
    ])
    await expect(john.page.getByText('Your times (Berlin), with those of Jane Smith (New York) below.')).toBeVisible()
    await john.choose('07:30')
    await john.page.getByRole('radio', { name: '90 minutes' }).check()
    await john.page.getByRole('button', { name: 'Book session' }).click()
    await expect(john.page.locator('.notice')).toContainText('Booked: Sunday 8 March, 07:30, 90 minutes')
    const [meeting] = (await server.as('client_123', 'GET', '/meetings')) as { startTime: string }[]
    expect(meeting?.startTime).toBe('2026-03-08T06:30:00.000Z')
    // A week later, the same hours are an hour earlier for Berlin, and all there.
    await john.day('Sunday 15 March 2026').click()
    await expect(john.times.first()).toHaveText('06:00, in New York 01:00')
    await expect(john.times).toHaveCount(6)
  })
})

test.describe('clocks are put back in New York', () => {
  test.use({ now: '2026-10-30T12:00:00Z' })

  test('an hour comes twice, and says which it is', async ({ server, arrive }) => {
    await server.live('America/New_York')
    await server.open(SUNDAY, '00:00', '03:00')
    const john = await arrive(CLIENT, { timezoneId: 'Asia/Tokyo' })
    await john.page.getByRole('button', { name: 'Next month' }).click()
    await john.day('Sunday 1 November 2026').click()
    // 04:00Z to 08:00Z: four hours by any clock that stands still.
    await expect(john.times).toHaveText([
      '13:00, in New York 00:00 GMT-4',
      '13:30, in New York 00:30 GMT-4',
      '14:00, in New York 01:00 GMT-4',
      '14:30, in New York 01:30 GMT-4',
      '15:00, in New York 01:00 GMT-5',
      '15:30, in New York 01:30 GMT-5',
      '16:00, in New York 02:00 GMT-5',
      '16:30, in New York 02:30 GMT-5',
    ])
  })

  test('who lives there too sees the hour twice, and books the second', async ({ server, arrive }) => {
    await server.live('America/New_York')
    await server.open(SUNDAY, '01:00', '02:00')
    const john = await arrive(CLIENT, { timezoneId: 'America/New_York' })
    await john.page.getByRole('button', { name: 'Next month' }).click()
    await john.day('Sunday 1 November 2026').click()
    await expect(john.times).toHaveText(['01:00 GMT-4', '01:30 GMT-4', '01:00 GMT-5', '01:30 GMT-5'])
    await john.book('01:00 GMT-5')
    await expect(john.sessions).toHaveText([/01:00/])
    const [meeting] = (await server.as('client_123', 'GET', '/meetings')) as { startTime: string }[]
    expect(meeting?.startTime).toBe('2026-11-01T06:00:00.000Z')
  })
})

test('one day of a therapist far away is two days here', async ({ server, arrive }) => {
  await server.live('America/Los_Angeles')
  await server.open(3, '14:00', '17:00')
  const john = await arrive(CLIENT, { timezoneId: 'Europe/Berlin' })
  await john.day('Wednesday 14 January 2026').click()
  await expect(john.page.getByRole('group', { name: 'Your Wednesday 14 January' }).locator('.chip')).toHaveCount(2)
  await expect(john.page.getByRole('group', { name: 'Your Thursday 15 January' }).locator('.chip')).toHaveText([
    '00:00, in Los Angeles 15:00',
    /00:30/,
    /01:00/,
    /01:30/,
  ])
})
