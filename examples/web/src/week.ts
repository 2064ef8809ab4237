// Weekly hours: wall-clock times of one weekday each.

import type { Availability, DayOfWeek } from './api/client'

/** Monday first, as they are shown; the API counts from Sunday. */
export const WEEK: { day: DayOfWeek; name: string }[] = [
  { day: 1, name: 'Monday' },
  { day: 2, name: 'Tuesday' },
  { day: 3, name: 'Wednesday' },
  { day: 4, name: 'Thursday' },
  { day: 5, name: 'Friday' },
  { day: 6, name: 'Saturday' },
  { day: 0, name: 'Sunday' },
]

export interface Hours {
  dayOfWeek: DayOfWeek
  startTime: string
  endTime: string
}

export function nameOfDay(day: DayOfWeek): string {
  return WEEK.find((one) => one.day === day)?.name ?? ''
}

/** Minutes since midnight, of `HH:MM`; `24:00` is the end of the day. */
export function minutesOf(time: string): number {
  const [hours = 0, minutes = 0] = time.split(':').map(Number)
  return hours * 60 + minutes
}

export function timeOf(minutes: number): string {
  return `${String(Math.floor(minutes / 60)).padStart(2, '0')}:${String(minutes % 60).padStart(2, '0')}`
}

/** `09:00–12:00` */
export function spanOf({ startTime, endTime }: Hours): string {
  return `${startTime}–${endTime}`
}

/** Those of the same day that these hours overlap; to touch is not to overlap. */
export function overlapping(hours: Hours, windows: Availability[], except: string | undefined): Availability[] {
  return windows.filter(
    (window) =>
      window.id !== except &&
      window.dayOfWeek === hours.dayOfWeek &&
      minutesOf(window.startTime) < minutesOf(hours.endTime) &&
      minutesOf(hours.startTime) < minutesOf(window.endTime),
  )
}

/** A conflict, as one would explain it to a colleague. */
export function explainOverlap(hours: Hours, others: Availability[]): string {
  const day = nameOfDay(hours.dayOfWeek)
  const named = others.map((other) => spanOf(other) + (other.isAvailable ? '' : ' (switched off)'))
  const off = others.some(({ isAvailable }) => !isAvailable)
  return (
    `${day} ${spanOf(hours)} overlaps ${list(named)}, which you have already. ` +
    'Change or delete that first, or choose hours that only touch it.' +
    (off ? ' Switched-off hours keep their place.' : '')
  )
}

function list(names: string[]): string {
  return new Intl.ListFormat('en-GB').format(names)
}
