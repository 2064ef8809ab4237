// Server-sent events with a bearer token, which the browser's own EventSource cannot send.

import { createParser, type EventSourceMessage } from 'eventsource-parser'

import { getToken } from '../auth'
import { BASE } from './client'
import { problemOf } from './problem'

/** The server says something every 15 seconds: a connection that is silent for longer is dead. */
const SILENCE_MILLIS = 40_000
const RETRY_MILLIS = 2_000
const MAX_RETRY_MILLIS = 30_000

export interface Listener {
  onMessage: (message: EventSourceMessage) => void
  /** Whether what is shown is kept up to date. */
  onConnected: (connected: boolean) => void
  /** The server will not have it: an answer that trying again does not change. */
  onRefused?: (error: unknown) => void
}

/**
 * Listens until `signal` is aborted, through broken connections, expired tokens and restarts. A page
 * that nobody looks at does not listen: browsers have six connections for all pages of a server.
 */
export async function listen(path: string, listener: Listener, signal: AbortSignal): Promise<void> {
  let lastId = ''
  let wait = RETRY_MILLIS
  let failures = 0
  while (!signal.aborted) {
    await visible(signal)
    if (signal.aborted) return
    const ended = endOf(signal)
    try {
      const response = await fetch(BASE + path, {
        headers: await headers(lastId),
        signal: ended.signal,
        cache: 'no-store',
      })
      if (!response.ok || !response.body) {
        throw problemOf(await response.json().catch(() => undefined), response)
      }
      failures = 0
      listener.onConnected(true)
      const parser = createParser({
        onEvent(message) {
          lastId = message.id ?? lastId
          listener.onMessage(message)
        },
        onRetry(millis) {
          wait = millis
        },
      })
      for await (const text of chunks(response.body, ended.heard)) {
        parser.feed(text)
        lastId = idIn(text) ?? lastId
      }
    } catch (error) {
      if (isFinal(error)) {
        listener.onRefused?.(error)
        return
      }
      failures += 1
    } finally {
      ended.stop()
    }
    if (signal.aborted) return
    listener.onConnected(false)
    await pause(Math.min(wait * 2 ** Math.max(0, failures - 1), MAX_RETRY_MILLIS), signal)
  }
}

/** What trying again does not change. A token may have expired on the way (401): the next is fresh. */
function isFinal(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    ['therapist_not_found', 'forbidden', 'role_required', 'invalid_request'].includes(String(error.code))
  )
}

async function headers(lastId: string): Promise<Record<string, string>> {
  const headers: Record<string, string> = {
    Accept: 'text/event-stream',
    Authorization: `Bearer ${await getToken()}`,
  }
  if (lastId !== '') headers['Last-Event-ID'] = lastId
  return headers
}

/** The parser tells of ids only with a message; the stream begins with an id that has none. */
function idIn(text: string): string | undefined {
  return [...text.matchAll(/^id: (\d+)\n/gm)].at(-1)?.[1]
}

async function* chunks(body: ReadableStream<Uint8Array>, heard: () => void): AsyncGenerator<string> {
  const reader = body.getReader()
  const decoder = new TextDecoder()
  try {
    for (;;) {
      const { done, value } = await reader.read()
      if (done) return
      heard()
      yield decoder.decode(value, { stream: true })
    }
  } finally {
    reader.releaseLock()
  }
}

/** Aborted with `signal`, when the page is hidden, or when nothing is heard for too long. */
function endOf(signal: AbortSignal): { signal: AbortSignal; heard: () => void; stop: () => void } {
  const controller = new AbortController()
  const abort = () => controller.abort()
  const whenHidden = () => document.visibilityState === 'hidden' && abort()
  let timer = window.setTimeout(abort, SILENCE_MILLIS)
  signal.addEventListener('abort', abort)
  document.addEventListener('visibilitychange', whenHidden)
  return {
    signal: controller.signal,
    heard() {
      window.clearTimeout(timer)
      timer = window.setTimeout(abort, SILENCE_MILLIS)
    },
    stop() {
      window.clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      document.removeEventListener('visibilitychange', whenHidden)
      abort()
    },
  }
}

function visible(signal: AbortSignal): Promise<void> {
  if (document.visibilityState === 'visible') return Promise.resolve()
  return once(document, 'visibilitychange', signal)
}

function pause(millis: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = window.setTimeout(resolve, millis)
    signal.addEventListener('abort', () => (window.clearTimeout(timer), resolve()), { once: true })
  })
}

function once(target: EventTarget, event: string, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    target.addEventListener(event, () => resolve(), { once: true, signal })
    signal.addEventListener('abort', () => resolve(), { once: true })
  })
}
