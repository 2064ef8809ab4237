import { useEffect, useRef, useState } from 'react'

import type { Duration, Meeting, MeetingCreate, Slot } from '../api/client'
import { inWords, wereTimesStale } from '../api/problem'
import { useNow } from '../clock'
import { dateIn, dayIn, dayName, placeOf, sameTimes, timeIn, viewerZone, type CivilDate } from '../time'
import { useBooking, useSessions } from '../useBooking'
import type { Therapist } from './BookingPage'
import { MonthGrid } from './MonthGrid'
import { SlotChoice } from './SlotChoice'

type MeetingType = NonNullable<MeetingCreate['meetingType']>

const TYPES: [MeetingType, string][] = [
  ['video', 'Video call'],
  ['audio', 'Phone call'],
  ['in_person', 'In person'],
  ['chat', 'Chat'],
]
const USUAL_DURATION: Duration = 60

interface Props {
  therapist: Therapist
  /** The session to find another time for; without one, the time is for a new session. */
  moving: Meeting | undefined
  onMoved: () => void
}

interface Notice {
  kind: 'good' | 'bad'
  text: string
}

/** A day, a time, a duration: and booked. */
export function BookingCalendar({ therapist, moving, onMoved }: Props) {
  const { availableSlots, getAvailableSlots, bookMeeting } = useBooking()
  const { rescheduleMeeting } = useSessions()
  const today = dateIn(useNow(), therapist.zone ?? viewerZone)
  const [date, setDate] = useState<CivilDate>(moving ? dateOf(moving, therapist) : today)
  const [start, setStart] = useState<string>()
  const [wantedDuration, setDuration] = useState<Duration>(moving?.duration ?? USUAL_DURATION)
  const [type, setType] = useState<MeetingType>('video')
  const [isBusy, setBusy] = useState(false)
  const [notice, setNotice] = useState<Notice>()
  const [loaded, setLoaded] = useState<string>()
  const told = useRef<HTMLDivElement>(null)

  const [movingSince, setMovingSince] = useState(moving?.id)
  if (moving?.id !== movingSince) {
    setMovingSince(moving?.id)
    if (moving) {
      setDate(dateOf(moving, therapist))
      setDuration(moving.duration)
      setStart(undefined)
      setNotice(undefined)
    }
  }

  const day = `${therapist.id} ${date}`
  useEffect(() => {
    let isOver = false
    getAvailableSlots(therapist.id, date).then(
      () => isOver || setLoaded(`${therapist.id} ${date}`),
      (error: unknown) => isOver || setNotice({ kind: 'bad', text: inWords(error) }),
    )
    return () => {
      isOver = true
    }
  }, [therapist.id, date, getAvailableSlots])

  const slot = availableSlots.find(({ startTime }) => startTime === start)
  const durations = slot?.availableDurations.map(({ duration }) => duration) ?? []
  const duration = durations.includes(wantedDuration) ? wantedDuration : durations.at(-1)
  // Chosen, and gone since: taken by somebody else, or no longer offered.
  const wasTaken = start !== undefined && loaded === day && !slot && !isBusy && !notice

  const submit = async () => {
    if (!slot || duration === undefined) return
    setBusy(true)
    setNotice(undefined)
    try {
      const at = when(slot.startTime)
      if (moving) {
        await rescheduleMeeting(moving, slot.startTime, duration)
        onMoved()
        setNotice({ kind: 'good', text: `Moved to ${at}, ${duration} minutes.` })
      } else {
        await bookMeeting({ startTime: slot.startTime, duration, therapistId: therapist.id, meetingType: type })
        setNotice({ kind: 'good', text: `Booked: ${at}, ${duration} minutes.` })
      }
    } catch (error) {
      setNotice({ kind: 'bad', text: inWords(error) })
      if (wereTimesStale(error)) await getAvailableSlots(therapist.id, date).catch(() => undefined)
    }
    setStart(undefined)
    setBusy(false)
    // The button is gone; without this, whoever goes by keyboard would start over.
    told.current?.focus()
  }

  return (
    <>
      <MonthGrid
        selected={date}
        today={today}
        onSelect={(date) => {
          setDate(date)
          setStart(undefined)
          setNotice(undefined)
        }}
      />
      <form
        className="times"
        aria-label="Time of the session"
        onSubmit={(event) => {
          event.preventDefault()
          void submit()
        }}
      >
        <h2>{dayName(date)}</h2>
        <ZoneHint therapist={therapist} slots={availableSlots} />
        <div role="status" ref={told} tabIndex={-1} className={notice ? `notice ${notice.kind}` : undefined}>
          {notice?.text ?? (wasTaken ? 'The time that you had chosen has just been taken.' : '')}
        </div>
        {loaded === day && availableSlots.length === 0 && (
          <p className="empty">Nothing is free on this day. Times appear here by themselves when there are some.</p>
        )}
        <SlotChoice
          slots={availableSlots}
          zone={therapist.zone}
          place={therapist.zone ? placeOf(therapist.zone) : ''}
          chosen={slot?.startTime}
          onChoose={(start) => {
            setStart(start)
            setNotice(undefined)
          }}
        />
        {slot && (
          <div className="details">
            <fieldset className="chips">
              <legend>How long</legend>
              {slot.availableDurations.map((one) => (
                <label key={one.id} className="chip">
                  <input
                    type="radio"
                    name="duration"
                    checked={one.duration === duration}
                    onChange={() => setDuration(one.duration)}
                  />
                  <span>{one.name}</span>
                </label>
              ))}
            </fieldset>
            {!moving && (
              <label className="how">
                How
                <select value={type} onChange={({ target }) => setType(target.value as MeetingType)}>
                  {TYPES.map(([type, name]) => (
                    <option key={type} value={type}>
                      {name}
                    </option>
                  ))}
                </select>
              </label>
            )}
            <button type="submit" className="main" disabled={isBusy}>
              {moving ? 'Move session' : 'Book session'}
              <small>{when(slot.startTime)}</small>
            </button>
          </div>
        )}
      </form>
    </>
  )
}

/** Whose dates and whose times these are, where it makes a difference. */
function ZoneHint({ therapist, slots }: { therapist: Therapist; slots: Slot[] }) {
  if (therapist.zone === undefined) {
    return <p className="hint">The date is the therapist’s, where they are; the times are yours.</p>
  }
  const instants = slots.map(({ startTime }) => new Date(startTime))
  if (sameTimes(instants, therapist.zone, viewerZone)) return null
  return (
    <p className="hint">
      Your times ({placeOf(viewerZone)}), with those of {therapist.name} ({placeOf(therapist.zone)}) below.
    </p>
  )
}

/** The day that the therapist finds it on. */
function dateOf(meeting: Meeting, therapist: Therapist): CivilDate {
  return dateIn(new Date(meeting.startTime), therapist.zone ?? viewerZone)
}

function when(startTime: string): string {
  const instant = new Date(startTime)
  return `${dayIn(instant, viewerZone)}, ${timeIn(instant, viewerZone)}`
}
