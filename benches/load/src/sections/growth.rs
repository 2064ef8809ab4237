//! More meetings against fewer.

use super::{Bench, asked, dates};
use crate::Fallible;
use crate::fill::Filled;
use crate::scripts::{self, Book};
use crate::serving::Cache;
use crate::table::{Against, Part};

/// So few that nobody waits behind others: it is the store that is looked at.
const CLIENTS: u32 = 8;

impl Bench<'_> {
    /// Slots and bookings where there are few meetings and many, in turns.
    pub(crate) async fn growth(&self, few: &Filled, many: &Filled) -> Fallible<Part> {
        let at_few = self.serve(few, Cache::Off).await?;
        let at_many = self.serve(many, Cache::Off).await?;
        let tokens = &self.tokens;
        let mut subjects = vec![];
        for (number, (server, on)) in [(&at_few, few), (&at_many, many)].into_iter().enumerate() {
            let any = scripts::slots(tokens, on.therapists, dates(on.monday));
            let name = format!("GET slots, any therapist, no cache, {} meetings", on.meetings);
            let against = if number == 0 { None } else { Against::p99(0, 1.3) };
            subjects.push((asked(name, &[server], CLIENTS, any), against));
        }
        let starts_of_few = self.starts(few).await?;
        let starts_of_many =
            if std::ptr::eq(few, many) { starts_of_few.clone() } else { self.starts(many).await? };
        let bookable = [(&at_few, few, starts_of_few), (&at_many, many, starts_of_many)];
        for (number, (server, on, starts)) in bookable.into_iter().enumerate() {
            let book = Book { starts, tokens: tokens.clone() };
            let name = format!("POST meetings, {} meetings", on.meetings);
            let against = if number == 0 { None } else { Against::p99(2, 1.3) };
            subjects.push((asked(name, &[server], CLIENTS, book), against));
        }
        let title =
            format!("{} meetings against {}, {CLIENTS} clients", many.meetings, few.meetings);
        self.turns(title, subjects).await
    }
}
