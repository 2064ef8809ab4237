import type { Availability, DayOfWeek } from '../api/client'
import { minutesOf, spanOf, timeOf, WEEK } from '../week'

interface Props {
  windows: Availability[]
  onOpen: (window: Availability) => void
  onAdd: (day: DayOfWeek) => void
}

const HOUR = 60
/** Shown even when nobody receives then. */
const USUAL = { from: 8 * HOUR, until: 18 * HOUR }

/** A column per day, with windows where their hours are; on a phone, one list after the other. */
export function WeekGrid({ windows, onOpen, onAdd }: Props) {
  const from = floor(Math.min(USUAL.from, ...windows.map(({ startTime }) => minutesOf(startTime))))
  const until = -floor(-Math.max(USUAL.until, ...windows.map(({ endTime }) => minutesOf(endTime))))
  const hours = Array.from({ length: (until - from) / HOUR + 1 }, (_, hour) => from + hour * HOUR)
  const place = (minutes: number) => `${((minutes - from) / (until - from)) * 100}%`
  return (
    <div className="week" style={{ '--hours': hours.length - 1 } as React.CSSProperties}>
      <div className="hours" aria-hidden="true">
        {hours.map((hour) => (
          <span key={hour} style={{ top: place(hour) }}>
            {timeOf(hour)}
          </span>
        ))}
      </div>
      {WEEK.map(({ day, name }) => (
        <section key={day} className="day" aria-label={name}>
          <h2>
            {name}
            <button type="button" className="quiet" aria-label={`Add hours on ${name}`} onClick={() => onAdd(day)}>
              +
            </button>
          </h2>
          <ul>
            {windows
              .filter(({ dayOfWeek }) => dayOfWeek === day)
              .sort((a, b) => a.startTime.localeCompare(b.startTime))
              .map((window) => (
                <li
                  key={window.id}
                  style={{
                    top: place(minutesOf(window.startTime)),
                    height: `calc(${place(from + minutesOf(window.endTime) - minutesOf(window.startTime))} - 2px)`,
                  }}
                >
                  <button
                    type="button"
                    className={window.isAvailable ? 'window' : 'window off'}
                    aria-label={`${name} ${spanOf(window)}${window.isAvailable ? '' : ', switched off'}: change`}
                    onClick={() => onOpen(window)}
                  >
                    <span>{spanOf(window)}</span>
                    {!window.isAvailable && <small>Switched off</small>}
                    {window.notes !== null && <small className="notes">{window.notes}</small>}
                  </button>
                </li>
              ))}
          </ul>
        </section>
      ))}
    </div>
  )
}

function floor(minutes: number): number {
  return Math.floor(minutes / HOUR) * HOUR
}
