import { useCallback, useEffect, useState } from 'react'

import { answered, client, type Availability, type AvailabilityCreate, type AvailabilityUpdate } from '../api/client'
import { inWords } from '../api/problem'
import { placeOf } from '../time'
import { WeekGrid } from './WeekGrid'
import { WindowForm, type Draft } from './WindowForm'

/** When a therapist receives, week by week: seen, added, changed, switched off and deleted. */
export function AvailabilityManager({ zone }: { zone: string }) {
  const [windows, setWindows] = useState<Availability[]>()
  const [draft, setDraft] = useState<Draft>()
  const [problem, setProblem] = useState('')

  const read = useCallback(async () => {
    try {
      setWindows((await answered(client.GET('/booking/availability'))).data)
      setProblem('')
    } catch (error) {
      setProblem(inWords(error))
    }
  }, [])
  useEffect(() => {
    void read()
    // There is no stream of it: another device's changes show when one comes back to this.
    const onFocus = () => void read()
    window.addEventListener('focus', onFocus)
    return () => window.removeEventListener('focus', onFocus)
  }, [read])

  const close = () => setDraft(undefined)
  const done = async (asked: Promise<unknown>) => {
    await asked
    close()
    await read()
  }
  return (
    <section className="card" aria-labelledby="availability-title">
      <h1 id="availability-title">When you receive</h1>
      <p className="hint">
        Every week, on the clock of {placeOf(zone)} ({zone}). Clients see changes at once; sessions that are booked stay.
      </p>
      <p role="alert" className={problem ? 'notice bad' : undefined}>
        {problem}
      </p>
      {windows && (
        <WeekGrid
          windows={windows}
          onOpen={(window) => setDraft({ window })}
          onAdd={(dayOfWeek) => setDraft({ dayOfWeek })}
        />
      )}
      {windows && draft && (
        <WindowForm
          draft={draft}
          windows={windows}
          onClose={close}
          onAdd={(body) => done(add(body))}
          onChange={(id, body) => done(change(id, body))}
          onDelete={(id) => done(remove(id))}
        />
      )}
    </section>
  )
}

/** A repeat of the same request, after a broken connection, adds nothing. */
function add(body: AvailabilityCreate): Promise<unknown> {
  const params = { header: { 'Idempotency-Key': crypto.randomUUID() } }
  return answered(client.POST('/booking/availability', { body, params }))
}

function change(id: string, body: AvailabilityUpdate): Promise<unknown> {
  return answered(client.PUT('/booking/availability/{id}', { params: { path: { id } }, body }))
}

function remove(id: string): Promise<unknown> {
  return answered(client.DELETE('/booking/availability/{id}', { params: { path: { id } } }))
}
