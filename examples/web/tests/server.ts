// The real `booking-api dev`, started for one test.

import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'

const COMMAND = process.env['BOOKING_API_COMMAND'] ?? '../../target/debug/booking-api'
const THERAPIST = 'therapist_456'

export class Server {
  private constructor(
    private readonly child: ChildProcess,
    private readonly folder: string,
    readonly origin: string,
    private readonly tokens: Map<string, string>,
  ) {}

  static async start(now: string): Promise<Server> {
    const folder = mkdtempSync(join(tmpdir(), 'booking-web-'))
    const flags = ['dev', '--port', '0', '--database-url', 'memory:', '--data-dir', folder, '--now', now]
    const child = spawn(COMMAND, flags, { stdio: ['ignore', 'pipe', 'ignore'] })
    const origin = await originOf(child)
    const response = await fetch(`${origin}/dev/users`)
    const users = (await response.json()) as { id: string; token: string }[]
    return new Server(child, folder, origin, new Map(users.map(({ id, token }) => [id, token])))
  }

  async stop(): Promise<void> {
    const ended = once(this.child, 'exit')
    this.child.kill('SIGKILL')
    await ended
    rmSync(this.folder, { recursive: true })
  }

  /** Asks the API as a demo user, and expects that it does what is asked. */
  async as(user: string, method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await fetch(`${this.origin}/api/booking${path}`, {
      method,
      headers: { Authorization: `Bearer ${this.tokens.get(user)}`, 'Content-Type': 'application/json' },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    })
    const text = await response.text()
    if (!response.ok) throw new Error(`${method} ${path}: ${response.status} ${text}`)
    return text === '' ? undefined : JSON.parse(text)
  }

  /** The therapist receives at these hours. */
  async open(dayOfWeek: number, startTime: string, endTime: string): Promise<void> {
    await this.as(THERAPIST, 'POST', '/availability', { dayOfWeek, startTime, endTime })
  }

  async book(client: string, startTime: string, duration: number): Promise<void> {
    await this.as(client, 'POST', '/meetings', { startTime, duration, therapistId: THERAPIST })
  }

  /** Moves the therapist. */
  async live(timeZone: string): Promise<void> {
    const user = { role: 'therapist', firstName: 'Jane', lastName: 'Smith', email: 'jane.smith@example.com', timeZone }
    await this.as('admin_1', 'PUT', `/directory/users/${THERAPIST}`, user)
  }

  async setClock(now: string): Promise<void> {
    const headers = { 'Content-Type': 'application/json' }
    await fetch(`${this.origin}/dev/clock`, { method: 'PUT', headers, body: JSON.stringify({ now }) })
  }
}

/** The address that it prints. */
async function originOf(child: ChildProcess): Promise<string> {
  if (!child.stdout) throw new Error('standard output is piped')
  for await (const line of createInterface(child.stdout)) {
    const found = /^ +docs +(http\S+)\/docs$/.exec(line)
    if (found?.[1]) {
      child.stdout.resume()
      return found[1]
    }
  }
  throw new Error(`${COMMAND} did not start`)
}
