// What the generated types must be. Nothing of this runs: it compiles, or the check fails.
import type { components, operations } from "./schema.js";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;
type IsAny<T> = 0 extends 1 & T ? true : false;
/** Whether there is an `any` somewhere in a type. */
type HasAny<T> =
  IsAny<T> extends true ? true
  : T extends readonly (infer Element)[] ? HasAny<Element>
  : T extends object ? (true extends { [K in keyof T]-?: HasAny<T[K]> }[keyof T] ? true : false)
  : false;

type Schemas = components["schemas"];
type Meeting = Schemas["Meeting"];
type Conflict = operations["createMeeting"]["responses"][400]["content"]["application/problem+json"];

export type Checks = [
  Expect<Equal<Meeting["duration"], 30 | 60 | 90 | 120>>,
  Expect<Equal<Schemas["AvailabilitySlot"]["dayOfWeek"], 0 | 1 | 2 | 3 | 4 | 5 | 6>>,
  Expect<Equal<Meeting["meetingType"], "video" | "audio" | "in_person" | "chat">>,
  Expect<
    Equal<Meeting["status"], "SCHEDULED" | "CONFIRMED" | "COMPLETED" | "CANCELLED" | "NO_SHOW">
  >,
  // Null, and always there; or never null, and perhaps not there.
  Expect<Equal<Meeting["description"], string | null>>,
  Expect<Equal<Pick<Meeting, "sessionNotes">, { sessionNotes?: string }>>,
  Expect<Equal<Schemas["MeetingUpdateDto"]["description"], string | null | undefined>>,
  Expect<Equal<Conflict, Schemas["Problem"]>>,
  Expect<Equal<HasAny<Schemas>, false>>,
  Expect<Equal<HasAny<operations>, false>>,
  // The test for `any` finds one.
  Expect<Equal<HasAny<{ deep: { in: (string | { an: any })[] } }>, true>>,
];
