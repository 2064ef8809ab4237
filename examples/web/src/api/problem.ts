// Errors of the API (RFC 9457), and how to tell people of them.

import type { components } from './schema'

export type Problem = components['schemas']['Problem']

/** An answer that is a problem. */
export class ProblemError extends Error {
  constructor(
    readonly problem: Problem,
    /** Seconds after which to try again, where the server said so. */
    readonly retryAfter: number | undefined,
  ) {
    super(problem.detail)
    this.name = 'ProblemError'
  }

  get code(): string {
    return this.problem.code
  }
}

/** Anything that an answer with an error status may hold, as an error. */
export function problemOf(body: unknown, response: Response): ProblemError {
  const seconds = Number(response.headers.get('retry-after') ?? Number.NaN)
  return new ProblemError(
    isProblem(body) ? body : unreadable(response.status),
    Number.isFinite(seconds) ? seconds : undefined,
  )
}

function isProblem(body: unknown): body is Problem {
  return typeof body === 'object' && body !== null && 'code' in body && 'detail' in body
}

/** What something between us and the server answered. */
function unreadable(status: number): Problem {
  const code = status >= 500 ? 'unavailable' : 'unknown'
  return { type: 'about:blank', title: 'Error', status, code, detail: `HTTP ${status}` }
}

const WORDS: Record<string, string> = {
  slot_conflict: 'Somebody was a moment faster: that time has just been taken. These are the times that are free now.',
  outside_availability: 'The therapist does not receive at that time any more. These are the times that are free now.',
  not_on_grid: 'Sessions cannot start at that time any more. These are the times that are free now.',
  in_the_past: 'That time has just passed. Please choose a later one.',
  no_relationship: 'You are not a client of this therapist yet, so you cannot book with them.',
  therapist_not_found: 'There is no therapist with this id.',
  meeting_closed: 'This session is over or cancelled, and can no longer be changed.',
  meeting_not_found: 'This session is no longer there.',
  version_mismatch: 'This session was changed in the meantime. Please look at it again.',
  invalid_transition: 'That is not possible any more: the session has begun or ended.',
  availability_overlap: 'These hours overlap others of the same day.',
  availability_limit: 'A day can have 48 windows at most. Please join some of them.',
  availability_not_found: 'These hours have been deleted in the meantime.',
  unauthenticated: 'You have been signed out. Please sign in again.',
  role_required: 'Your account may not do this.',
  forbidden: 'Your account may not do this.',
  idempotency_in_flight: 'Your booking is still under way. Please look again in a moment.',
  too_many_streams: 'You have this page open many times. Close some of them for live updates.',
  rate_limited: 'That was a little fast. Please try again in a moment.',
  outcome_unknown: 'We could not hear whether that was booked. Please look at your sessions before you try again.',
  unavailable: 'The booking service cannot be reached right now. Please try again in a moment.',
}

/** What went wrong, kindly. */
export function inWords(error: unknown): string {
  if (error instanceof ProblemError) {
    const field = error.problem.errors?.[0]
    if (error.code === 'invalid_request' && field) return `Please check: ${field.detail}.`
    return WORDS[error.code] ?? 'Something went wrong on our side. Please try again.'
  }
  return 'The booking service cannot be reached. Please check your connection, and try again.'
}

/** Whether the times that were shown were no longer true. */
export function wereTimesStale(error: unknown): boolean {
  const stale = ['slot_conflict', 'outside_availability', 'not_on_grid', 'in_the_past']
  return error instanceof ProblemError && stale.includes(error.code)
}
