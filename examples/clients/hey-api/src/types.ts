// What the generated types must be. Nothing of this runs: it compiles, or the check fails.
import type { AvailabilitySlot, CreateMeetingErrors, Meeting, Problem } from "./client/index.js";
import type * as all from "./client/types.gen.js";

type Equal<A, B> =
  (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
type Expect<T extends true> = T;

export type Checks = [
  Expect<Equal<Meeting["duration"], 30 | 60 | 90 | 120>>,
  Expect<Equal<AvailabilitySlot["dayOfWeek"], 0 | 1 | 2 | 3 | 4 | 5 | 6>>,
  Expect<Equal<Meeting["meetingType"], "video" | "audio" | "in_person" | "chat">>,
  // Null, and always there; or never null, and perhaps not there.
  Expect<Equal<Meeting["description"], string | null>>,
  Expect<Equal<Meeting["sessionNotes"], string | undefined>>,
  Expect<Equal<all.MeetingUpdateDto["description"], string | null | undefined>>,
  Expect<Equal<CreateMeetingErrors[400], Problem>>,
];
