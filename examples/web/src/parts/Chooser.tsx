import type { DemoUser } from '../auth'

const ABOUT: Record<DemoUser['role'], string> = {
  client: 'Client: books, moves and cancels sessions',
  therapist: 'Therapist: says when they receive',
  admin: 'Keeps the directory',
}

/** Who to be: only a `dev` server lets one choose. */
export function Chooser({ users, onChoose }: { users: DemoUser[]; onChoose: (id: string) => void }) {
  return (
    <main className="chooser">
      <p className="brand">Sessions</p>
      <h1>Who would you like to be?</h1>
      <p className="hint">
        Demo users of this machine. Open a second tab and be somebody else: what one does, the other sees.
      </p>
      <ul className="people">
        {users
          .filter(({ role }) => role !== 'admin')
          .map(({ id, role, firstName, lastName }) => (
            <li key={id}>
              <button type="button" className="person" onClick={() => onChoose(id)}>
                <span className={`face ${role}`} aria-hidden="true">
                  {firstName.slice(0, 1)}
                  {lastName.slice(0, 1)}
                </span>
                <span>
                  <strong>
                    {firstName} {lastName}
                  </strong>
                  <small>{ABOUT[role]}</small>
                </span>
              </button>
            </li>
          ))}
      </ul>
      <p className="hint">
        The API behind it: <a href="/docs">documentation</a>
      </p>
    </main>
  )
}
