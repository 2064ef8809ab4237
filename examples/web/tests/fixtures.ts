// A server for each test, and people who look at its pages, each with a browser window of their own.

import { expect, test as base, type BrowserContextOptions, type Locator, type Page } from '@playwright/test'

import { Server } from './server'

export const CLIENT = 'John Doe'
export const OTHER_CLIENT = 'Maria Garcia'
export const THERAPIST = 'Jane Smith'

/** A Monday at noon, with the winter's longest stretch of equal days before it. */
export const NOW = '2026-01-12T12:00:00Z'

export class Person {
  /** What the browser complained of. */
  readonly complaints: string[] = []
  /** Requests to anybody but the server. */
  readonly strays: string[] = []

  constructor(readonly page: Page, origin: string) {
    page.on('pageerror', (error) => this.complaints.push(String(error)))
    page.on('console', (message) => {
      if (message.type() === 'error' || message.type() === 'warning') this.complaints.push(message.text())
    })
    page.context().on('request', (request) => {
      const url = request.url()
      if (!url.startsWith(`${origin}/`) && !url.startsWith('data:')) this.strays.push(url)
    })
  }

  /** The browser itself complains of every answer that is an error; one of these is meant to come. */
  expectRefusal(): void {
    const at = this.complaints.findIndex((text) => /^Failed to load resource: .* 40[034] /.test(text))
    expect(at, `a refusal among ${this.complaints}`).toBeGreaterThanOrEqual(0)
    this.complaints.splice(at, 1)
  }

  /** Nor can it know that answers are lost on purpose. */
  expectLostAnswers(): void {
    const others = this.complaints.filter((text) => !/^Failed to load resource: net::ERR_FAILED/.test(text))
    this.complaints.splice(0, Infinity, ...others)
  }

  day(name: string): Locator {
    return this.page.getByRole('grid').getByRole('button', { name, exact: true })
  }

  /** The times that are offered, as they are read out. */
  get times(): Locator {
    return this.page.locator('.slots .chip')
  }

  time(name: string): Locator {
    return this.page.locator('.slots').getByRole('radio', { name, exact: true })
  }

  /** Those to come. */
  get sessions(): Locator {
    return this.page.locator('.sessions > ul > li')
  }

  async choose(time: string): Promise<void> {
    await this.page.locator('.slots .chip').filter({ hasText: time }).first().click()
  }

  async book(time: string): Promise<void> {
    await this.choose(time)
    await this.page.getByRole('button', { name: 'Book session' }).click()
  }
}

interface Fixtures {
  /** What time the server takes it to be. */
  now: string
  server: Server
  /** Opens a window and signs in. */
  arrive: (name: string, options?: BrowserContextOptions) => Promise<Person>
}

export const test = base.extend<Fixtures>({
  now: [NOW, { option: true }],
  server: async ({ now }, use) => {
    const server = await Server.start(now)
    await use(server)
    await server.stop()
  },
  arrive: async ({ server, browser }, use) => {
    const people: Person[] = []
    await use(async (name, options = {}) => {
      const context = await browser.newContext({ locale: 'en-GB', timezoneId: 'Europe/London', ...options })
      const person = new Person(await context.newPage(), server.origin)
      people.push(person)
      await person.page.goto(`${server.origin}/`)
      if (name !== '') await person.page.getByRole('button', { name }).click()
      return person
    })
    for (const { complaints, strays, page } of people) {
      expect(complaints, 'the browser has nothing to complain of').toEqual([])
      expect(strays, 'no request leaves the machine').toEqual([])
      await page.context().close()
    }
  },
})

export { expect }
