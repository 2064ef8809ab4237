import { useState } from 'react'

import type { Meeting } from '../api/client'
import { inWords } from '../api/problem'
import { useNow } from '../clock'
import { focusAfter } from '../focus'
import { dayIn, shortDayIn, timeIn, viewerZone } from '../time'
import { useBooking, useSessions } from '../useBooking'
import { Dialog } from './Dialog'

const STATUS: Record<Meeting['status'], string> = {
  SCHEDULED: 'Booked',
  CONFIRMED: 'Confirmed',
  COMPLETED: 'Took place',
  CANCELLED: 'Cancelled',
  NO_SHOW: 'Missed',
}
const TYPE: Record<Meeting['meetingType'], string> = {
  video: 'video call',
  audio: 'phone call',
  in_person: 'in person',
  chat: 'chat',
}

interface Props {
  viewer: 'client' | 'therapist'
  /** Finding another time; without it, sessions can only be cancelled here. */
  onMove?: (meeting: Meeting) => void
}

/** The sessions of whoever is signed in: those to come, and below them the rest. */
export function SessionList({ viewer, onMove }: Props) {
  const { meetings } = useBooking()
  const { areLoaded } = useSessions()
  const now = useNow()
  const [cancelling, setCancelling] = useState<Meeting>()
  const isToCome = (meeting: Meeting) => isOpen(meeting) && endOf(meeting) > now
  const toCome = meetings.filter(isToCome)
  const rest = meetings.filter((meeting) => !isToCome(meeting)).reverse()
  return (
    <section className="card sessions" aria-labelledby="sessions-title">
      <h2 id="sessions-title" tabIndex={-1}>{viewer === 'client' ? 'Your sessions' : 'Sessions with you'}</h2>
      {areLoaded && toCome.length === 0 && <p className="empty">None to come.</p>}
      <ul>
        {toCome.map((meeting) => (
          <Session key={meeting.id} meeting={meeting} viewer={viewer}>
            {new Date(meeting.startTime) > now && onMove && (
              <button type="button" className="quiet" onClick={() => onMove(meeting)}>
                Move <span className="unseen">{spoken(meeting)}</span>
              </button>
            )}
            <button type="button" className="quiet" onClick={() => setCancelling(meeting)}>
              Cancel <span className="unseen">{spoken(meeting)}</span>
            </button>
          </Session>
        ))}
      </ul>
      {rest.length > 0 && (
        <details>
          <summary>Past and cancelled ({rest.length})</summary>
          <ul>
            {rest.map((meeting) => (
              <Session key={meeting.id} meeting={meeting} viewer={viewer} />
            ))}
          </ul>
        </details>
      )}
      {cancelling && <CancelDialog meeting={cancelling} viewer={viewer} onClose={() => setCancelling(undefined)} />}
    </section>
  )
}

interface SessionProps {
  meeting: Meeting
  viewer: Props['viewer']
  children?: React.ReactNode
}

function Session({ meeting, viewer, children }: SessionProps) {
  const start = new Date(meeting.startTime)
  return (
    <li className={`session ${meeting.status.toLowerCase()}`}>
      <time dateTime={meeting.startTime}>
        <strong>{timeIn(start, viewerZone)}</strong>
        {shortDayIn(start, viewerZone)}
      </time>
      <div>
        <span className="with">{nameOf(meeting, viewer)}</span>
        <small>
          {meeting.duration} minutes, {TYPE[meeting.meetingType]}
        </small>
        <span className="status">{STATUS[meeting.status]}</span>
      </div>
      {children && <div className="actions">{children}</div>}
    </li>
  )
}

function CancelDialog({ meeting, viewer, onClose }: { meeting: Meeting; viewer: Props['viewer']; onClose: () => void }) {
  const { cancelMeeting } = useBooking()
  const [isBusy, setBusy] = useState(false)
  const [problem, setProblem] = useState('')
  const cancel = async () => {
    setBusy(true)
    try {
      await cancelMeeting(meeting.id)
      // The button that led here is gone with the session.
      focusAfter(onClose, () => document.getElementById('sessions-title'))
    } catch (error) {
      setProblem(inWords(error))
      setBusy(false)
    }
  }
  return (
    <Dialog title="Cancel this session?" onClose={onClose}>
      <p>
        {spoken(meeting)}, with {nameOf(meeting, viewer)}. The time becomes free for others at once.
      </p>
      <p role="alert" className={problem ? 'notice bad' : undefined}>
        {problem}
      </p>
      <div className="actions">
        <button type="button" className="quiet" onClick={onClose}>
          Keep it
        </button>
        <button type="button" className="danger" disabled={isBusy} onClick={() => void cancel()}>
          Cancel session
        </button>
      </div>
    </Dialog>
  )
}

function isOpen({ status }: Meeting): boolean {
  return status === 'SCHEDULED' || status === 'CONFIRMED'
}

function endOf({ startTime, duration }: Meeting): Date {
  return new Date(Date.parse(startTime) + duration * 60_000)
}

function nameOf(meeting: Meeting, viewer: Props['viewer']): string {
  const { user } = viewer === 'client' ? meeting.therapist : meeting.client
  return `${user.firstName} ${user.lastName}`.trim() || 'Somebody who has left'
}

function spoken({ startTime }: Meeting): string {
  const start = new Date(startTime)
  return `${dayIn(start, viewerZone)}, ${timeIn(start, viewerZone)}`
}
