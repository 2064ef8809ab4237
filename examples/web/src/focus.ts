import { flushSync } from 'react-dom'

/**
 * Draws a change, and moves the focus to what it has brought or left over. At once: the next frame may
 * come before React has drawn anything, and a dialog that is still there holds the focus.
 */
export function focusAfter(change: () => void, find: () => HTMLElement | null | undefined): void {
  flushSync(change)
  find()?.focus()
}
