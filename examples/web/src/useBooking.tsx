// Meetings and slots, kept up to date: the hook of the API's documentation, and what is behind it.

import { createContext, useCallback, useContext, useEffect, useMemo, useRef, useState, type ReactNode } from 'react'

import { answered, client, type Duration, type Meeting, type MeetingCreate, type Slot } from './api/client'
import { listen } from './api/live'
import { ProblemError } from './api/problem'
import type { CivilDate } from './time'

/** What the API's documentation promises of `useBooking`. */
export interface Booking {
  /** All of the signed-in user's, soonest first. */
  meetings: Meeting[]
  /** What can be booked on the day that was last asked for, as it changes. */
  availableSlots: Slot[]
  /** Books, or throws a `ProblemError`. */
  bookMeeting: (meeting: MeetingCreate) => Promise<Meeting>
  /** Asks for a day, and keeps `availableSlots` up to date from then on. */
  getAvailableSlots: (therapistId: string, date: CivilDate) => Promise<Slot[]>
  /** Cancels, or throws a `ProblemError`. */
  cancelMeeting: (meetingId: string) => Promise<true>
}

/** What the pages need besides. */
export interface Sessions {
  /** Whether `meetings` has been read at all. */
  areLoaded: boolean
  /** Whether the streams are connected. */
  isLive: boolean
  /** Moves a session, unless it has changed since it was `seen`. */
  rescheduleMeeting: (seen: Meeting, startTime: string, duration: Duration) => Promise<Meeting>
}

const BookingContext = createContext<(Booking & Sessions) | undefined>(undefined)

/** The hook of the API's documentation: these five, and nothing else. */
export function useBooking(): Booking {
  const { meetings, availableSlots, bookMeeting, getAvailableSlots, cancelMeeting } = useEverything()
  return { meetings, availableSlots, bookMeeting, getAvailableSlots, cancelMeeting }
}

export function useSessions(): Sessions {
  const { areLoaded, isLive, rescheduleMeeting } = useEverything()
  return { areLoaded, isLive, rescheduleMeeting }
}

function useEverything(): Booking & Sessions {
  const context = useContext(BookingContext)
  if (!context) throw new Error('useBooking must be within <BookingProvider>')
  return context
}

/** Keeps one list of meetings, and one of slots, for all components below. */
export function BookingProvider({ children }: { children: ReactNode }) {
  const { meetings, areLoaded, isLive: areMeetingsLive, put } = useMeetings()
  const { availableSlots, isLive: areSlotsLive, getAvailableSlots } = useSlots()

  const bookMeeting = useCallback(
    async (meeting: MeetingCreate) => put(await book(meeting)),
    [put],
  )
  const cancelMeeting = useCallback(
    async (id: string) => {
      const path = { params: { path: { id } } }
      put((await answered(client.DELETE('/booking/meetings/{id}/cancel', path))).data)
      return true as const
    },
    [put],
  )
  const rescheduleMeeting = useCallback(
    async (seen: Meeting, startTime: string, duration: Duration) => {
      const { meeting, version } = await read(seen.id)
      if (meeting.updatedAt !== seen.updatedAt) {
        put(meeting)
        throw changedMeanwhile()
      }
      return put(await move(meeting.id, version, startTime, duration))
    },
    [put],
  )
  const isLive = areMeetingsLive && areSlotsLive
  const value = useMemo(
    () => ({
      meetings, availableSlots, bookMeeting, getAvailableSlots, cancelMeeting,
      areLoaded, isLive, rescheduleMeeting,
    }),
    [meetings, availableSlots, bookMeeting, getAvailableSlots, cancelMeeting, areLoaded, isLive, rescheduleMeeting],
  )
  return <BookingContext value={value}>{children}</BookingContext>
}

function useMeetings() {
  const [meetings, setMeetings] = useState<Meeting[]>([])
  const [areLoaded, setLoaded] = useState(false)
  const [isLive, setLive] = useState(true)

  useEffect(() => {
    const over = new AbortController()
    // One reading at a time: what happens meanwhile asks for one more.
    let reading = false
    let again = false
    const read = async () => {
      again = true
      if (reading) return
      reading = true
      while (again && !over.signal.aborted) {
        again = false
        const list = await answered(client.GET('/booking/meetings')).catch(() => undefined)
        if (list && !over.signal.aborted) {
          setMeetings(list.data)
          setLoaded(true)
        }
      }
      reading = false
    }
    const onConnected = (connected: boolean) => {
      setLive(connected)
      if (connected) void read()
    }
    void listen('/booking/events', { onMessage: () => void read(), onConnected }, over.signal)
    return () => over.abort()
  }, [])

  const put = useCallback((meeting: Meeting) => {
    setMeetings((known) =>
      [...known.filter(({ id }) => id !== meeting.id), meeting].sort((a, b) =>
        a.startTime.localeCompare(b.startTime),
      ),
    )
    return meeting
  }, [])
  return { meetings, areLoaded, isLive, put }
}

function useSlots() {
  const [asked, setAsked] = useState<{ therapistId: string; date: CivilDate }>()
  const [availableSlots, setSlots] = useState<Slot[]>([])
  const [isLive, setLive] = useState(true)
  const latest = useRef('')

  const getAvailableSlots = useCallback(async (therapistId: string, date: CivilDate) => {
    const key = `${therapistId} ${date}`
    if (latest.current !== key) {
      latest.current = key
      setAsked({ therapistId, date })
      setSlots([])
    }
    const params = { query: { therapistId, date } }
    const { data } = await answered(client.GET('/booking/slots', { params }))
    // The answer to an earlier question may arrive after that to a later one.
    if (latest.current === key) setSlots(data)
    return data
  }, [])

  useEffect(() => {
    if (!asked) return
    const over = new AbortController()
    const path = `/booking/slots/stream?${new URLSearchParams(asked)}`
    const listener = {
      onMessage: ({ data }: { data: string }) => setSlots(JSON.parse(data) as Slot[]),
      onConnected: setLive,
      onRefused: () => setLive(true),
    }
    void listen(path, listener, over.signal)
    return () => over.abort()
  }, [asked])

  return { availableSlots, isLive, getAvailableSlots }
}

const ATTEMPTS = 3
const BETWEEN_ATTEMPTS_MILLIS = 800

/** The keys of bookings of which nobody knows yet what became of them. */
const unsettled = new Map<string, string>()

/**
 * Books once, however often it takes to get an answer: the key tells the server that these requests
 * are the same one. Whoever tries again after there was none goes on under the same key.
 */
async function book(body: MeetingCreate): Promise<Meeting> {
  const what = JSON.stringify(body)
  const key = unsettled.get(what) ?? crypto.randomUUID()
  unsettled.set(what, key)
  const params = { header: { 'Idempotency-Key': key } }
  for (let attempt = 1; ; attempt += 1) {
    try {
      const { data } = await answered(client.POST('/booking/meetings', { body, params }))
      unsettled.delete(what)
      return data
    } catch (error) {
      if (!mayPass(error)) {
        unsettled.delete(what)
        throw error
      }
      if (attempt === ATTEMPTS) throw unknownOutcome()
      await new Promise((resolve) => setTimeout(resolve, BETWEEN_ATTEMPTS_MILLIS * attempt))
    }
  }
}

/** No answer, or one that says: again. */
function mayPass(error: unknown): boolean {
  return !(error instanceof ProblemError) || ['unavailable', 'idempotency_in_flight'].includes(error.code)
}

async function read(id: string): Promise<{ meeting: Meeting; version: string }> {
  const params = { path: { id } }
  const { data, response } = await answered(client.GET('/booking/meetings/{id}', { params }))
  return { meeting: data, version: response.headers.get('etag') ?? '*' }
}

/** Only that version: the server refuses if somebody has been faster since. */
async function move(id: string, version: string, startTime: string, duration: Duration): Promise<Meeting> {
  const params = { path: { id }, header: { 'If-Match': version } }
  const body = { startTime, duration }
  return (await answered(client.PUT('/booking/meetings/{id}', { params, body }))).data
}

function unknownOutcome(): ProblemError {
  const detail = 'no answer says whether the meeting was booked'
  return new ProblemError({ type: '', title: '', status: 503, code: 'outcome_unknown', detail }, undefined)
}

function changedMeanwhile(): ProblemError {
  const detail = 'the meeting has changed since it was shown'
  return new ProblemError({ type: '', title: '', status: 412, code: 'version_mismatch', detail }, undefined)
}
