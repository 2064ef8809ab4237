// The generated client, with a token for every request and every error thrown.

import createClient, { type Middleware } from 'openapi-fetch'

import { getToken } from '../auth'
import { problemOf } from './problem'
import type { components, paths } from './schema'

export type Meeting = components['schemas']['Meeting']
export type MeetingCreate = components['schemas']['MeetingCreateDto']
export type Slot = components['schemas']['Slot']
export type Availability = components['schemas']['AvailabilitySlot']
export type AvailabilityCreate = components['schemas']['TherapistAvailabilityCreateDto']
export type AvailabilityUpdate = components['schemas']['TherapistAvailabilityUpdateDto']
export type Duration = components['schemas']['SessionDuration']
export type DayOfWeek = components['schemas']['DayOfWeek']

/** Where the operations are. */
export const BASE = '/api'

const signed: Middleware = {
  async onRequest({ request }) {
    request.headers.set('Authorization', `Bearer ${await getToken()}`)
    return request
  },
}

export const client = createClient<paths>({ baseUrl: BASE })
client.use(signed)

/** The data of an answer; throws a `ProblemError` where there is none. */
export async function answered<T>(
  asked: Promise<{ data?: T; error?: unknown; response: Response }>,
): Promise<{ data: T; response: Response }> {
  const { data, error, response } = await asked
  if (data === undefined) throw problemOf(error, response)
  return { data, response }
}
