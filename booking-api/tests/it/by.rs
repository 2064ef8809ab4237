//! On whose behalf tests change what is beside the service.

use booking_core::{By, Clock, RandomIds, SystemClock, SystemName};

pub(crate) fn by() -> By {
    By::system(SystemName::of("test"), SystemClock.now(), &RandomIds)
}
