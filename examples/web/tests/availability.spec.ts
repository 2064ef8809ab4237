import { CLIENT, expect, test, THERAPIST } from './fixtures'

const DAY = 'Wednesday 14 January 2026'

test('hours that are added, changed, switched off and deleted show for the client', async ({ arrive }) => {
  const jane = await arrive(THERAPIST)
  const john = await arrive(CLIENT)
  await john.day(DAY).click()
  await expect(john.page.getByText('Nothing is free on this day.')).toBeVisible()

  const { page } = jane
  await page.getByRole('button', { name: 'Add hours on Wednesday' }).click()
  await page.getByLabel('From').selectOption('10:00')
  await page.getByLabel('Until').selectOption('12:00')
  await page.getByLabel('Notes').fill('Room 2')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  const window = page.getByRole('button', { name: 'Wednesday 10:00–12:00: change' })
  await expect(window).toContainText('Room 2')
  await expect(john.times).toHaveText(['10:00', '10:30', '11:00', '11:30'])

  await window.click()
  await page.getByLabel('From').selectOption('11:00')
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(john.times).toHaveText(['11:00', '11:30'])

  await page.getByRole('button', { name: 'Wednesday 11:00–12:00: change' }).click()
  await page.getByLabel('Clients can book these hours').uncheck()
  await page.getByRole('button', { name: 'Save' }).click()
  await expect(page.getByRole('button', { name: 'Wednesday 11:00–12:00, switched off: change' })).toBeVisible()
  await expect(john.page.getByText('Nothing is free on this day.')).toBeVisible()

  await page.getByRole('button', { name: /switched off/ }).click()
  await page.getByRole('button', { name: 'Delete' }).click()
  await expect(page.locator('.window')).toHaveCount(0)
})

test('a conflict is explained in words', async ({ server, arrive }) => {
  await server.open(1, '09:00', '12:00')
  await server.open(1, '14:00', '24:00')
  const jane = await arrive(THERAPIST)
  const { page } = jane
  await page.getByRole('button', { name: 'Add hours on Monday' }).click()
  await page.getByLabel('From').selectOption('11:00')
  await page.getByLabel('Until').selectOption('15:00')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(page.getByRole('dialog').getByRole('alert')).toHaveText(
    'Monday 11:00–15:00 overlaps 09:00–12:00 and 14:00–24:00, which you have already. ' +
      'Change or delete that first, or choose hours that only touch it.',
  )
  jane.expectRefusal()
  await page.getByLabel('Until').selectOption('10:00')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(page.getByRole('dialog').getByRole('alert')).toHaveText('The end has to be after the start.')
  await page.getByLabel('From').selectOption('12:00')
  await page.getByLabel('Until').selectOption('14:00')
  await page.getByRole('button', { name: 'Add', exact: true }).click()
  await expect(page.locator('.window')).toHaveText([/09:00–12:00/, /12:00–14:00/, /14:00–24:00/])
})

test('the therapist cancels a session, and the client sees it', async ({ server, arrive }) => {
  await server.open(3, '09:00', '12:00')
  await server.book('client_123', '2026-01-14T09:00:00Z', 60)
  const jane = await arrive(THERAPIST)
  const john = await arrive(CLIENT)
  await expect(john.sessions).toHaveCount(1)
  await jane.page.getByRole('button', { name: /^Cancel/ }).click()
  await jane.page.getByRole('button', { name: 'Cancel session' }).click()
  await expect(john.sessions).toHaveCount(0)
})
