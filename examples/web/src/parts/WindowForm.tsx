import { useState } from 'react'

import type { Availability, AvailabilityCreate, AvailabilityUpdate, DayOfWeek } from '../api/client'
import { inWords, ProblemError } from '../api/problem'
import { explainOverlap, minutesOf, nameOfDay, overlapping, spanOf, timeOf, WEEK } from '../week'
import { Dialog } from './Dialog'

/** Hours that are there already, or a day to add some to. */
export type Draft = { window: Availability } | { dayOfWeek: DayOfWeek }

interface Props {
  draft: Draft
  windows: Availability[]
  onClose: () => void
  onAdd: (body: AvailabilityCreate) => Promise<void>
  onChange: (id: string, body: AvailabilityUpdate) => Promise<void>
  onDelete: (id: string) => Promise<void>
}

const STEP_MINUTES = 15
const DAY_MINUTES = 24 * 60
const MAX_NOTES = 2_000

/** A dialog with everything that can be said about a window of availability. */
export function WindowForm({ draft, windows, onClose, onAdd, onChange, onDelete }: Props) {
  const window = 'window' in draft ? draft.window : undefined
  const [dayOfWeek, setDay] = useState<DayOfWeek>('window' in draft ? draft.window.dayOfWeek : draft.dayOfWeek)
  const [startTime, setStart] = useState(window?.startTime ?? '09:00')
  const [endTime, setEnd] = useState(window?.endTime ?? '17:00')
  const [notes, setNotes] = useState(window?.notes ?? '')
  const [isAvailable, setAvailable] = useState(window?.isAvailable ?? true)
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')

  const hours = { dayOfWeek, startTime, endTime }
  const explain = (error: unknown) => {
    const others = overlapping(hours, windows, window?.id)
    const isOverlap = error instanceof ProblemError && error.code === 'availability_overlap'
    return isOverlap && others.length > 0 ? explainOverlap(hours, others) : inWords(error)
  }
  const attempt = async (asked: () => Promise<void>) => {
    setBusy(true)
    setProblem('')
    try {
      await asked()
    } catch (error) {
      setProblem(explain(error))
      setBusy(false)
    }
  }
  const save = () => {
    if (minutesOf(startTime) >= minutesOf(endTime)) {
      setProblem('The end has to be after the start.')
      return
    }
    const body = { ...hours, notes: notes.trim() === '' ? null : notes.trim() }
    void attempt(() => (window ? onChange(window.id, { ...body, isAvailable }) : onAdd(body)))
  }

  return (
    <Dialog title={window ? `${nameOfDay(window.dayOfWeek)} ${spanOf(window)}` : 'Add hours'} onClose={onClose}>
      <form
        onSubmit={(event) => {
          event.preventDefault()
          save()
        }}
      >
        <div className="fields">
          <label>
            Day
            <select value={dayOfWeek} onChange={({ target }) => setDay(Number(target.value) as DayOfWeek)}>
              {WEEK.map(({ day, name }) => (
                <option key={day} value={day}>
                  {name}
                </option>
              ))}
            </select>
          </label>
          <TimeField label="From" value={startTime} first={0} last={DAY_MINUTES - STEP_MINUTES} onChange={setStart} />
          <TimeField label="Until" value={endTime} first={STEP_MINUTES} last={DAY_MINUTES} onChange={setEnd} />
        </div>
        <label>
          Notes
          <textarea
            value={notes}
            rows={2}
            maxLength={MAX_NOTES}
            placeholder="For yourself; clients do not see them"
            onChange={({ target }) => setNotes(target.value)}
          />
        </label>
        {window && (
          <label className="switch">
            <input type="checkbox" checked={isAvailable} onChange={({ target }) => setAvailable(target.checked)} />
            Clients can book these hours
          </label>
        )}
        <p role="alert" className={problem ? 'notice bad' : undefined}>
          {problem}
        </p>
        <div className="actions">
          {window && (
            <button
              type="button"
              className="danger first"
              disabled={isBusy}
              onClick={() => void attempt(() => onDelete(window.id))}
            >
              Delete
            </button>
          )}
          <button type="button" className="quiet" onClick={onClose}>
            Close
          </button>
          <button type="submit" className="main" disabled={isBusy}>
            {window ? 'Save' : 'Add'}
          </button>
        </div>
      </form>
    </Dialog>
  )
}

interface TimeFieldProps {
  label: string
  value: string
  first: number
  last: number
  onChange: (time: string) => void
}

/** Not `<input type="time">`, which cannot say 24:00. */
function TimeField({ label, value, first, last, onChange }: TimeFieldProps) {
  const steps = Array.from({ length: (last - first) / STEP_MINUTES + 1 }, (_, step) => timeOf(first + step * STEP_MINUTES))
  // Another program may have set any minute.
  const times = steps.includes(value) ? steps : [...steps, value].sort()
  return (
    <label>
      {label}
      <select value={value} onChange={({ target }) => onChange(target.value)}>
        {times.map((time) => (
          <option key={time}>{time}</option>
        ))}
      </select>
    </label>
  )
}
