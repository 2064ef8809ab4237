// What time it is for the server. A `dev` server's clock can be set; elsewhere it is the machine's.

import { useEffect, useState } from 'react'

const MINUTE_MILLIS = 60_000
/** How often to look; anybody may set the clock of a `dev` server at any time. */
const LOOK_MILLIS = 10_000

let ahead = 0
let isDev = false

/** The present, for the server. */
export function now(): Date {
  return new Date(Date.now() + ahead)
}

/** Learns how far the clock of the `dev` server is from the machine's. */
export async function readDevClock(): Promise<void> {
  const response = await fetch('/dev/clock', { cache: 'no-store' }).catch(() => undefined)
  if (!response?.ok) return
  const { now } = (await response.json()) as { now: string }
  ahead = Date.parse(now) - Date.now()
  isDev = true
}

/** The present, to the minute. */
export function useNow(): Date {
  const minute = () => Math.floor(now().getTime() / MINUTE_MILLIS)
  const [minutes, setMinutes] = useState(minute)
  useEffect(() => {
    const look = () => {
      if (document.visibilityState === 'hidden') return
      void (isDev ? readDevClock() : Promise.resolve()).then(() => setMinutes(minute()))
    }
    const timer = window.setInterval(look, LOOK_MILLIS)
    return () => window.clearInterval(timer)
  }, [])
  return new Date(minutes * MINUTE_MILLIS)
}
