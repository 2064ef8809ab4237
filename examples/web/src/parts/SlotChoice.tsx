import type { Slot } from '../api/client'
import { dateIn, dayIn, offsetName, sameTimes, timeIn, viewerZone } from '../time'

interface Props {
  slots: Slot[]
  /** The therapist's, where it is known. */
  zone: string | undefined
  place: string
  chosen: string | undefined
  onChoose: (startTime: string) => void
}

/** The times of a day, in the viewer's zone. It may be two days there. */
export function SlotChoice({ slots, zone, place, chosen, onChoose }: Props) {
  if (slots.length === 0) return null
  const instants = slots.map(({ startTime }) => new Date(startTime))
  const theirs = zone !== undefined && !sameTimes(instants, zone, viewerZone) ? zone : undefined
  const days = Map.groupBy(slots, ({ startTime }) => dateIn(new Date(startTime), viewerZone))
  const nameHere = repeated(instants, viewerZone)
  const nameThere = repeated(instants, theirs)
  return [...days].map(([day, slots]) => (
    <fieldset key={day} className="chips slots">
      <legend className={days.size > 1 ? undefined : 'unseen'}>
        {days.size > 1 ? `Your ${dayIn(first(slots), viewerZone)}` : 'Times'}
      </legend>
      {slots.map(({ startTime }) => {
        const at = new Date(startTime)
        return (
          <label key={startTime} className="chip">
            <input
              type="radio"
              name="start"
              value={startTime}
              checked={startTime === chosen}
              onChange={() => onChoose(startTime)}
            />
            <span>
              {timeIn(at, viewerZone)}
              {nameHere && <em> {offsetName(at, viewerZone)}</em>}
              {theirs && (
                <small>
                  <span className="unseen">, in {place} </span>
                  {timeIn(at, theirs)}
                  {nameThere && ` ${offsetName(at, theirs)}`}
                </small>
              )}
            </span>
          </label>
        )
      })}
    </fieldset>
  ))
}

/** Whether a zone shows some time twice: when clocks are put back. */
function repeated(instants: Date[], zone: string | undefined): boolean {
  if (zone === undefined) return false
  const shown = instants.map((at) => dateIn(at, zone) + timeIn(at, zone))
  return new Set(shown).size < shown.length
}

function first(slots: Slot[]): Date {
  return new Date(slots[0]?.startTime ?? 0)
}
