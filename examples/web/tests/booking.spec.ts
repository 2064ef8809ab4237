import { CLIENT, expect, OTHER_CLIENT, test, THERAPIST } from './fixtures'

const DAY = 'Wednesday 14 January 2026'
const WEDNESDAY = 3

test('two race for one time: the loser is told kindly and sees what is free', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '12:00')
  const people = [await arrive(CLIENT), await arrive(OTHER_CLIENT)]
  // Neither request goes on before both are there.
  let waiting = 0
  let letGo = () => {}
  const both = new Promise<void>((resolve) => (letGo = resolve))
  for (const { page } of people) {
    await page.route('**/api/booking/meetings', async (route) => {
      if (route.request().method() === 'POST' && (waiting += 1) === people.length) letGo()
      if (route.request().method() === 'POST') await both
      await route.continue()
    })
  }
  for (const person of people) {
    await person.day(DAY).click()
    await person.book('09:30')
  }
  const outcomes = await Promise.all(
    people.map(async ({ page }) => {
      const told = page.locator('.notice')
      await expect(told).toHaveText(/Booked|faster/)
      return (await told.textContent()) ?? ''
    }),
  )
  const loser = people[outcomes.findIndex((text) => text.includes('faster'))]
  const winner = people[outcomes.findIndex((text) => text.includes('Booked'))]
  if (!loser || !winner) throw new Error(`one wins, one loses: ${outcomes}`)
  loser.expectRefusal()
  await expect(loser.page.locator('.notice')).toHaveText(
    'Somebody was a moment faster: that time has just been taken. These are the times that are free now.',
  )
  // One hour at 09:30 leaves half an hour before it, and what is after it.
  for (const person of people) {
    await expect(person.times).toHaveText(['09:00', '10:30', '11:00', '11:30'])
  }
  await expect(winner.sessions).toHaveCount(1)
  await expect(loser.sessions).toHaveCount(0)
  // And the loser goes on from there.
  await loser.book('10:30')
  await expect(loser.page.locator('.notice')).toContainText('Booked: Wednesday 14 January, 10:30')
})

test('a time that is taken elsewhere disappears, also from under the finger', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '11:00')
  const john = await arrive(CLIENT)
  await john.day(DAY).click()
  await expect(john.times).toHaveText(['09:00', '09:30', '10:00', '10:30'])
  await john.choose('09:30')
  await server.book('client_124', '2026-01-14T09:30:00Z', 60)
  await expect(john.times).toHaveText(['09:00', '10:30'])
  await expect(john.page.getByText('The time that you had chosen has just been taken.')).toBeVisible()
  await expect(john.page.getByRole('button', { name: 'Book session' })).toHaveCount(0)
})

test('times that pass disappear', async ({ server, arrive }) => {
  await server.open(1, '09:00', '15:00')
  const john = await arrive(CLIENT)
  await expect(john.times).toHaveText(['12:30', '13:00', '13:30', '14:00', '14:30'])
  await server.setClock('2026-01-12T13:59:00Z')
  await expect(john.times).toHaveText(['14:00', '14:30'])
})

test('a session is booked, seen, moved and cancelled', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '17:00')
  const john = await arrive(CLIENT)
  const jane = await arrive(THERAPIST)
  const { page } = john
  await expect(page.getByText('None to come.')).toBeVisible()

  await john.day(DAY).click()
  await john.choose('14:00')
  await page.getByRole('radio', { name: '90 minutes' }).check()
  await page.getByRole('combobox', { name: 'How' }).selectOption('Phone call')
  await page.getByRole('button', { name: 'Book session' }).click()
  await expect(page.locator('.notice')).toHaveText('Booked: Wednesday 14 January, 14:00, 90 minutes.')
  await expect(john.sessions).toHaveText([/14:00Wed,? 14 JanJane Smith90 minutes, phone callBooked/])
  await expect(jane.sessions, 'the therapist sees it without reloading').toHaveText([/14:00.*John Doe/])

  await page.getByRole('button', { name: 'Move Wednesday 14 January, 14:00' }).click()
  await expect(page.getByRole('heading', { name: 'Move your session' })).toBeFocused()
  await john.choose('10:30')
  await expect(page.getByRole('radio', { name: '90 minutes' })).toBeChecked()
  await page.getByRole('button', { name: 'Move session' }).click()
  await expect(page.locator('.notice')).toHaveText('Moved to Wednesday 14 January, 10:30, 90 minutes.')
  await expect(john.sessions).toHaveText([/10:30.*90 minutes/])
  await expect(jane.sessions).toHaveText([/10:30/])
  await expect(page.getByRole('heading', { name: 'Book a session' })).toBeVisible()

  await page.getByRole('button', { name: 'Cancel Wednesday 14 January, 10:30' }).click()
  await page.getByRole('button', { name: 'Keep it' }).click()
  await expect(john.sessions).toHaveCount(1)
  await page.getByRole('button', { name: 'Cancel Wednesday 14 January, 10:30' }).click()
  await page.getByRole('button', { name: 'Cancel session' }).click()
  await expect(john.sessions).toHaveCount(0)
  await expect(jane.sessions).toHaveCount(0)
  await expect(page.getByText('Past and cancelled (1)')).toBeVisible()
  await expect(john.times.filter({ hasText: '10:30' }), 'its time is free again').toHaveCount(1)
})

test('a session that has changed since it was seen is not moved', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '17:00')
  await server.book('client_123', '2026-01-14T14:00:00Z', 60)
  const john = await arrive(CLIENT)
  await john.page.getByRole('button', { name: /^Move/ }).click()
  await john.choose('10:30')
  const [meeting] = (await server.as('client_123', 'GET', '/meetings')) as { id: string }[]
  await server.as('therapist_456', 'PUT', `/meetings/${meeting?.id}`, { status: 'CONFIRMED' })
  await john.page.getByRole('button', { name: 'Move session' }).click()
  await expect(john.page.locator('.notice')).toHaveText(/was changed in the meantime/)
  await expect(john.sessions).toHaveText([/14:00.*Confirmed/])
  // Now they know, and may go on.
  await john.choose('10:30')
  await john.page.getByRole('button', { name: 'Move session' }).click()
  await expect(john.sessions).toHaveText([/10:30.*Booked/])
})

test('who is nobody’s client is told so', async ({ server, arrive }) => {
  await server.as('therapist_457', 'POST', '/availability', { dayOfWeek: 3, startTime: '09:00', endTime: '10:00' })
  const john = await arrive(CLIENT)
  await john.page.getByRole('combobox', { name: 'Therapist' }).selectOption('Amir Haddad')
  await john.day(DAY).click()
  await john.book('09:00')
  await expect(john.page.locator('.notice')).toHaveText(
    'You are not a client of this therapist yet, so you cannot book with them.',
  )
  john.expectRefusal()

  await john.page.getByRole('combobox', { name: 'Therapist' }).selectOption('Another, by id…')
  await john.page.getByLabel('Therapist’s id').fill('therapist_456')
  await john.page.getByRole('button', { name: 'Show' }).click()
  await expect(john.page.getByText('Nothing is free on this day.')).toBeVisible()
})

test('everything goes by keyboard', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '12:00')
  const john = await arrive('')
  // On a busy machine a frame comes before React has drawn: the focus may not count on it.
  await john.page.evaluate(() => {
    window.requestAnimationFrame = (callback) => {
      queueMicrotask(() => callback(performance.now()))
      return 0
    }
  })
  const { keyboard } = john.page
  const tabTo = async (name: RegExp) => {
    for (let presses = 0; presses < 30; presses += 1) {
      await keyboard.press('Tab')
      const text = await john.page.evaluate(() => {
        const element = document.activeElement
        // From the last one, Tab leads out of the page, and back in.
        if (element === null || element === document.body) return ''
        return [element.getAttribute('aria-label'), element.textContent, element.closest('label')?.textContent].join(' ')
      })
      if (name.test(text)) return
    }
    throw new Error(`Tab does not lead to ${name}`)
  }
  await tabTo(/John Doe/)
  await keyboard.press('Enter')
  await expect(john.page.getByRole('heading', { name: 'Book a session' })).toBeVisible()
  await tabTo(/Monday 12 January/)
  await keyboard.press('ArrowRight')
  await keyboard.press('ArrowRight')
  await expect(john.day(DAY)).toBeFocused()
  await keyboard.press('PageDown')
  await expect(john.day('Saturday 14 February 2026')).toBeFocused()
  await keyboard.press('PageUp')
  await keyboard.press('End')
  await expect(john.day('Sunday 18 January 2026')).toBeFocused()
  await keyboard.press('Home')
  await expect(john.day('Monday 12 January 2026')).toBeFocused()
  await keyboard.press('ArrowLeft')
  await expect(john.day('Monday 12 January 2026'), 'days before are over').toBeFocused()
  await keyboard.press('ArrowRight')
  await keyboard.press('ArrowRight')
  await expect(john.day(DAY)).toBeFocused()
  await keyboard.press('Enter')
  await expect(john.times).toHaveCount(6)
  await tabTo(/09:00/)
  await keyboard.press('Space')
  await keyboard.press('ArrowRight')
  await expect(john.time('09:30')).toBeChecked()
  await tabTo(/60 minutes/)
  await keyboard.press('ArrowLeft')
  await tabTo(/Book session/)
  await keyboard.press('Enter')
  await expect(john.page.locator('.notice.good'), 'one goes on from here').toBeFocused()
  await expect(john.page.getByRole('status').first()).toHaveText('Booked: Wednesday 14 January, 09:30, 30 minutes.')
  await tabTo(/^ *Cancel Wednesday/)
  await keyboard.press('Enter')
  await tabTo(/Cancel session/)
  await keyboard.press('Enter')
  await expect(john.sessions).toHaveCount(0)
  await expect(john.page.getByRole('heading', { name: 'Your sessions' })).toBeFocused()
})

test('a booking whose answer is lost is not made twice', async ({ server, arrive }) => {
  await server.open(WEDNESDAY, '09:00', '12:00')
  const john = await arrive(CLIENT)
  const keys = new Set<string | undefined>()
  await john.page.route('**/api/booking/meetings', async (route) => {
    if (route.request().method() !== 'POST') return route.continue()
    keys.add(route.request().headers()['idempotency-key'])
    await route.fetch()
    await route.abort()
  })
  await john.day(DAY).click()
  await john.book('09:30')
  await expect(john.page.locator('.notice')).toHaveText(
    'We could not hear whether that was booked. Please look at your sessions before you try again.',
  )
  expect([...keys]).toEqual([expect.any(String)])
  // It was, and is there to be seen; its time is not.
  await expect(john.sessions).toHaveCount(1)
  await expect(john.times).toHaveText(['09:00', '10:30', '11:00', '11:30'])
  john.expectLostAnswers()
})
