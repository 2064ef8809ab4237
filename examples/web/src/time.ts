// Dates and times. An instant is a `Date`; a civil date is `YYYY-MM-DD`, and belongs to no zone.

export type CivilDate = string

export const viewerZone: string = Intl.DateTimeFormat().resolvedOptions().timeZone

/** The civil date that an instant is in a zone. */
export function dateIn(instant: Date, zone: string): CivilDate {
  const parts = new Intl.DateTimeFormat('en-CA', { timeZone: zone, year: 'numeric', month: '2-digit', day: '2-digit' })
  return parts.format(instant)
}

/** `14:30` */
export function timeIn(instant: Date, zone: string): string {
  return formatter({ hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone: zone }).format(instant)
}

/** `EST`, `GMT+1`: which offset an instant has in a zone. Two hours of one night tell apart by it. */
export function offsetName(instant: Date, zone: string): string {
  const format = formatter({ timeZone: zone, timeZoneName: 'short', hour: '2-digit' })
  return format.formatToParts(instant).find(({ type }) => type === 'timeZoneName')?.value ?? ''
}

/** `Monday 9 March`, of an instant in a zone. */
export function dayIn(instant: Date, zone: string): string {
  return named(instant, { weekday: 'long', day: 'numeric', month: 'long', timeZone: zone })
}

/** `Mon 9 Mar`, of an instant in a zone. */
export function shortDayIn(instant: Date, zone: string): string {
  return named(instant, { weekday: 'short', day: 'numeric', month: 'short', timeZone: zone })
}

/** `Monday 9 March 2026`, of a civil date. */
export function dayName(date: CivilDate): string {
  return named(noon(date), { weekday: 'long', day: 'numeric', month: 'long', year: 'numeric', timeZone: 'UTC' })
}

/** `March 2026`, of the month of a civil date. */
export function monthName(date: CivilDate): string {
  return formatter({ month: 'long', year: 'numeric', timeZone: 'UTC' }).format(noon(date))
}

export function addDays(date: CivilDate, days: number): CivilDate {
  const moved = noon(date)
  moved.setUTCDate(moved.getUTCDate() + days)
  return moved.toISOString().slice(0, 10)
}

/** The same day of another month, or its last. */
export function addMonths(date: CivilDate, months: number): CivilDate {
  const [year = 1970, month = 1, day = 1] = date.split('-').map(Number)
  const last = new Date(Date.UTC(year, month + months, 0))
  last.setUTCDate(Math.min(day, last.getUTCDate()))
  return last.toISOString().slice(0, 10)
}

/** Monday is 0. */
export function weekdayOf(date: CivilDate): number {
  return (noon(date).getUTCDay() + 6) % 7
}

export function dayOfMonth(date: CivilDate): number {
  return Number(date.slice(8))
}

/** The weeks that a month is shown as, Monday first: whole ones, with days of its neighbours. */
export function weeksOf(date: CivilDate): CivilDate[][] {
  const first = `${date.slice(0, 8)}01`
  const start = addDays(first, -weekdayOf(first))
  const weeks: CivilDate[][] = []
  for (let week = start; week.slice(0, 7) <= date.slice(0, 7); week = addDays(week, 7)) {
    weeks.push(Array.from({ length: 7 }, (_, day) => addDays(week, day)))
  }
  return weeks
}

/** `New York`, of `America/New_York`. */
export function placeOf(zone: string): string {
  return (zone.split('/').at(-1) ?? zone).replaceAll('_', ' ')
}

/** Whether two zones show the same time at all of these instants. */
export function sameTimes(instants: Date[], one: string, other: string): boolean {
  return one === other || instants.every((at) => wall(at, one) === wall(at, other))
}

function wall(instant: Date, zone: string): string {
  return dateIn(instant, zone) + timeIn(instant, zone)
}

function noon(date: CivilDate): Date {
  return new Date(`${date}T12:00:00Z`)
}

/** Browsers differ in where they put a comma; here is none. */
function named(instant: Date, options: Intl.DateTimeFormatOptions): string {
  return formatter(options).format(instant).replaceAll(',', '')
}

const formatters = new Map<string, Intl.DateTimeFormat>()

/** They are dear to make. */
function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify(options)
  const known = formatters.get(key) ?? new Intl.DateTimeFormat('en-GB', options)
  formatters.set(key, known)
  return known
}
