import { useEffect, useState } from 'react'

import { chooseUser, chosenUser, demoUsers, type DemoUser } from './auth'
import { readDevClock } from './clock'
import { AvailabilityManager } from './parts/AvailabilityManager'
import { BookingPage } from './parts/BookingPage'
import { Chooser } from './parts/Chooser'
import { SessionList } from './parts/SessionList'
import { viewerZone } from './time'
import { BookingProvider, useSessions } from './useBooking'

export function App() {
  const [users, setUsers] = useState<DemoUser[]>()
  const [failed, setFailed] = useState(false)
  const [chosen, setChosen] = useState(chosenUser)

  useEffect(() => {
    Promise.all([demoUsers(), readDevClock()]).then(
      ([users]) => setUsers(users),
      () => setFailed(true),
    )
  }, [])

  const choose = (id: string | null) => {
    chooseUser(id)
    setChosen(id)
  }
  if (failed) return <Away />
  if (!users) return null
  const user = users.find(({ id }) => id === chosen)
  if (!user) return <Chooser users={users} onChoose={choose} />
  return (
    <BookingProvider key={user.id}>
      <Header user={user} onLeave={() => choose(null)} />
      <main>{user.role === 'therapist' ? <TherapistPage user={user} /> : <ClientPage users={users} />}</main>
      <footer>
        Times are yours, {viewerZone}. <LiveState />
      </footer>
    </BookingProvider>
  )
}

function ClientPage({ users }: { users: DemoUser[] }) {
  // In an application of your own: the therapists that your platform says this client has.
  return <BookingPage therapists={users.filter(({ role }) => role === 'therapist')} />
}

function TherapistPage({ user }: { user: DemoUser }) {
  return (
    <>
      <AvailabilityManager zone={user.timeZone} />
      <SessionList viewer="therapist" />
    </>
  )
}

function Header({ user, onLeave }: { user: DemoUser; onLeave: () => void }) {
  return (
    <header className="bar">
      <span className="brand">Sessions</span>
      <span className="who">
        {user.firstName} {user.lastName}
      </span>
      <button type="button" className="quiet" onClick={onLeave}>
        Sign out
      </button>
    </header>
  )
}

function LiveState() {
  const { isLive } = useSessions()
  return (
    <span role="status" className={isLive ? 'live' : 'live lost'}>
      {isLive ? 'Live' : 'Reconnecting…'}
    </span>
  )
}

function Away() {
  return (
    <main className="chooser">
      <h1>Nobody there</h1>
      <p>
        The server could not be reached, or it is not a <code>booking-api dev</code> server: there is nobody to sign in
        as.
      </p>
      <button type="button" onClick={() => window.location.reload()}>
        Try again
      </button>
    </main>
  )
}
