import { useRef, useState, type KeyboardEvent } from 'react'

import { focusAfter } from '../focus'
import { addDays, addMonths, dayName, dayOfMonth, monthName, weekdayOf, weeksOf, type CivilDate } from '../time'

const WEEKDAYS = ['Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday', 'Sunday']

interface Props {
  selected: CivilDate
  /** Where the therapist is. Days before are over. */
  today: CivilDate
  onSelect: (date: CivilDate) => void
}

/** A month to choose a day of, by mouse, touch or keyboard (ARIA Authoring Practices, "Grid"). */
export function MonthGrid({ selected, today, onSelect }: Props) {
  const [shown, setShown] = useState(selected)
  const [shownFor, setShownFor] = useState(selected)
  const grid = useRef<HTMLTableElement>(null)
  if (shownFor !== selected) {
    setShownFor(selected)
    setShown(selected)
  }
  const clamp = (date: CivilDate) => (date < today ? today : date)
  const focusOn = (date: CivilDate) => {
    focusAfter(
      () => setShown(date),
      () => grid.current?.querySelector<HTMLElement>(`[data-date="${date}"]`),
    )
  }
  const onKeyDown = (event: KeyboardEvent) => {
    const to = target(event.key, shown)
    if (!to) return
    event.preventDefault()
    focusOn(clamp(to))
  }
  const isFirst = shown.slice(0, 7) <= today.slice(0, 7)
  return (
    <div className="month">
      <div className="month-head">
        <button
          type="button"
          className="quiet"
          aria-label="Previous month"
          disabled={isFirst}
          onClick={() => setShown(clamp(addMonths(shown, -1)))}
        >
          ‹
        </button>
        <h2 id="month-name" aria-live="polite">
          {monthName(shown)}
        </h2>
        <button type="button" className="quiet" aria-label="Next month" onClick={() => setShown(addMonths(shown, 1))}>
          ›
        </button>
      </div>
      <table role="grid" aria-labelledby="month-name" ref={grid} onKeyDown={onKeyDown}>
        <thead>
          <tr>
            {WEEKDAYS.map((day) => (
              <th key={day} scope="col" abbr={day}>
                {day.slice(0, 2)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {weeksOf(shown).map((week) => (
            <tr key={week[0]}>
              {week.map((date) => (
                <td key={date} role="gridcell" aria-selected={date === selected}>
                  {date.slice(0, 7) === shown.slice(0, 7) && (
                    <button
                      type="button"
                      data-date={date}
                      tabIndex={date === shown ? 0 : -1}
                      disabled={date < today}
                      aria-label={dayName(date)}
                      aria-current={date === today ? 'date' : undefined}
                      onClick={() => onSelect(date)}
                    >
                      {dayOfMonth(date)}
                    </button>
                  )}
                </td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function target(key: string, from: CivilDate): CivilDate | undefined {
  switch (key) {
    case 'ArrowLeft':
      return addDays(from, -1)
    case 'ArrowRight':
      return addDays(from, 1)
    case 'ArrowUp':
      return addDays(from, -7)
    case 'ArrowDown':
      return addDays(from, 7)
    case 'Home':
      return addDays(from, -weekdayOf(from))
    case 'End':
      return addDays(from, 6 - weekdayOf(from))
    case 'PageUp':
      return addMonths(from, -1)
    case 'PageDown':
      return addMonths(from, 1)
    default:
      return undefined
  }
}
