import { useState } from 'react'

import type { Meeting } from '../api/client'
import type { DemoUser } from '../auth'
import { viewerZone, dayIn, timeIn } from '../time'
import { useBooking } from '../useBooking'
import { BookingCalendar } from './BookingCalendar'
import { SessionList } from './SessionList'

/** A therapist, as far as the page knows them. */
export interface Therapist {
  id: string
  name: string
  /** The API does not tell clients; whoever names the therapist may. */
  zone: string | undefined
}

/** What a client sees: the calendar, and their sessions. */
export function BookingPage({ therapists }: { therapists: DemoUser[] }) {
  const known = therapists.map(({ id, firstName, lastName, timeZone }) => ({
    id,
    name: `${firstName} ${lastName}`,
    zone: timeZone,
  }))
  const { meetings } = useBooking()
  const [id, setId] = useState<string>()
  const [movingId, setMovingId] = useState<string>()
  const moving = meetings.find((meeting) => meeting.id === movingId && meeting.status !== 'CANCELLED')
  const usual = meetings.at(-1)?.therapistId ?? known[0]?.id ?? ''
  const wanted = moving?.therapistId ?? id ?? usual
  const therapist = known.find((one) => one.id === wanted) ?? { id: wanted, name: wanted, zone: undefined }
  const startMoving = (meeting: Meeting) => {
    setMovingId(meeting.id)
    document.getElementById('calendar')?.scrollIntoView({ block: 'start' })
    document.getElementById('calendar-title')?.focus()
  }
  return (
    <div className="columns">
      <section id="calendar" className="card" aria-labelledby="calendar-title">
        <h1 id="calendar-title" tabIndex={-1}>
          {moving ? 'Move your session' : 'Book a session'}
        </h1>
        {moving ? (
          <p className="moving">
            It is now on {dayIn(new Date(moving.startTime), viewerZone)} at{' '}
            {timeIn(new Date(moving.startTime), viewerZone)}.{' '}
            <button type="button" className="link" onClick={() => setMovingId(undefined)}>
              Keep it there
            </button>
          </p>
        ) : (
          <TherapistChoice known={known} chosen={wanted} onChoose={setId} />
        )}
        {therapist.id !== '' && (
          <BookingCalendar
            key={therapist.id}
            therapist={therapist}
            moving={moving}
            onMoved={() => setMovingId(undefined)}
          />
        )}
      </section>
      <SessionList viewer="client" onMove={startMoving} />
    </div>
  )
}

const ANOTHER = ''

interface ChoiceProps {
  known: Therapist[]
  chosen: string
  onChoose: (id: string) => void
}

function TherapistChoice({ known, chosen, onChoose }: ChoiceProps) {
  const [typing, setTyping] = useState(false)
  const isListed = !typing && known.some(({ id }) => id === chosen)
  return (
    <div className="fields">
      <label>
        Therapist
        <select
          value={isListed ? chosen : ANOTHER}
          onChange={({ target }) => {
            setTyping(target.value === ANOTHER)
            if (target.value !== ANOTHER) onChoose(target.value)
          }}
        >
          {known.map(({ id, name }) => (
            <option key={id} value={id}>
              {name}
            </option>
          ))}
          <option value={ANOTHER}>Another, by id…</option>
        </select>
      </label>
      {!isListed && (
        <form
          onSubmit={(event) => {
            event.preventDefault()
            const id = new FormData(event.currentTarget).get('id')
            if (typeof id === 'string' && id.trim() !== '') onChoose(id.trim())
          }}
        >
          <label>
            Therapist’s id
            <span className="with-button">
              <input name="id" required maxLength={128} defaultValue={typing ? '' : chosen} autoComplete="off" />
              <button type="submit">Show</button>
            </span>
          </label>
        </form>
      )}
    </div>
  )
}
