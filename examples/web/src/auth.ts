// Who is signed in. This is the file to replace in an application of your own.
//
// With Clerk, all of it is:
//
//     import { getToken as clerkToken } from '@clerk/react'   // or useAuth().getToken in a component
//
//     export async function getToken(): Promise<string> {
//       const token = await clerkToken()
//       if (token === null) throw new Error('nobody is signed in')
//       return token
//     }
//
// and in place of the chooser in `App.tsx`, Clerk's <SignedOut><SignIn /></SignedOut>. Clerk hands out
// short-lived tokens and keeps them fresh, so ask for one with every request and keep none. The main
// README says, under "With Clerk", how the role gets into them: `client`, `therapist` or `admin`.
// Content-Security-Policy must then let the page talk to Clerk.
//
// Here, the `dev` server of this machine lets anybody be any of its demo users.

/** A demo user of the `dev` server. */
export interface DemoUser {
  id: string
  role: 'client' | 'therapist' | 'admin'
  firstName: string
  lastName: string
  /** IANA; for therapists, the zone of their hours. */
  timeZone: string
}

interface DemoUserWithToken extends DemoUser {
  token: string
}

/** The choice lasts as long as the tab, and another tab may be somebody else. */
const CHOSEN = 'booking.demo-user'
/** How long before its end a token is no longer used. */
const MARGIN_MILLIS = 60_000

let tokens: { of: Map<string, string>; until: number } | undefined

/** The demo users; none when the server is not a `dev` server. */
export async function demoUsers(): Promise<DemoUser[]> {
  const response = await fetch('/dev/users', { cache: 'no-store' })
  if (!response.ok) throw new Error(`/dev/users: HTTP ${response.status}`)
  const users = (await response.json()) as DemoUserWithToken[]
  tokens = {
    of: new Map(users.map((user) => [user.id, user.token])),
    until: Math.min(...users.map((user) => expiryOf(user.token))) - MARGIN_MILLIS,
  }
  return users.map(({ token: _token, ...user }) => user)
}

/** A token that is valid for a while, for the `Authorization` of one request. */
export async function getToken(): Promise<string> {
  const id = chosenUser()
  if (id === null) throw new Error('nobody is signed in')
  // By the machine's clock, as tokens always are, whatever time the `dev` server takes it to be.
  if (!tokens || Date.now() >= tokens.until) await demoUsers()
  const token = tokens?.of.get(id)
  if (token === undefined) throw new Error(`there is no demo user ${id}`)
  return token
}

export function chosenUser(): string | null {
  return sessionStorage.getItem(CHOSEN)
}

export function chooseUser(id: string | null): void {
  if (id === null) sessionStorage.removeItem(CHOSEN)
  else sessionStorage.setItem(CHOSEN, id)
}

/** When a token expires, in milliseconds since 1970. */
function expiryOf(token: string): number {
  const payload = (token.split('.')[1] ?? '').replaceAll('-', '+').replaceAll('_', '/')
  const { exp } = JSON.parse(atob(payload)) as { exp: number }
  return exp * 1_000
}
