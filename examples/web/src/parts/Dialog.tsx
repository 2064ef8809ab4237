import { useId, useLayoutEffect, useRef, type ReactNode } from 'react'

/** A modal dialog: the browser keeps the focus in it and gives it back. */
export function Dialog({ title, onClose, children }: { title: string; onClose: () => void; children: ReactNode }) {
  const dialog = useRef<HTMLDialogElement>(null)
  const name = useId()
  // Before the element goes: only then does the browser know where the focus was.
  useLayoutEffect(() => {
    const element = dialog.current
    if (!element?.open) element?.showModal()
    return () => element?.close()
  }, [])
  return (
    <dialog ref={dialog} aria-labelledby={name} onCancel={(event) => (event.preventDefault(), onClose())}>
      <h2 id={name}>{title}</h2>
      {children}
    </dialog>
  )
}
