//! What lists of slots are made of, as both databases answer: rows of several kinds.

use booking_core::{DiariesDraft, DiaryOwner};
use chrono_tz::Tz;
use sqlx::FromRow;

use crate::error::{Failure, Malformed};
use crate::rows::{self, there};
use crate::terms_rows::{self, SettingsRow};
use crate::{hold_rows, link_rows};

/// One of the things that the statement for diaries finds; what the columns mean is said there.
#[derive(Debug, FromRow)]
pub(crate) struct DiaryRow {
    pub(crate) kind: i8,
    pub(crate) person: String,
    pub(crate) role: Option<String>,
    pub(crate) zone: Option<String>,
    pub(crate) number: Option<i64>,
    pub(crate) begin: Option<i64>,
    pub(crate) end: Option<i64>,
    pub(crate) at_ms: Option<i64>,
    pub(crate) json: Option<String>,
}

impl DiaryRow {
    pub(crate) fn add_to(self, draft: &mut DiariesDraft<'_>) -> Result<(), Failure> {
        let person = rows::user(&self.person)?;
        match self.kind.cast_unsigned() {
            b'p' => {
                if let Some(number) = self.number {
                    draft.revision(person.clone(), rows::count(number)?);
                }
                if let Some(role) = self.role {
                    let zone = rows::zone(self.zone)?.unwrap_or(Tz::UTC);
                    draft.user(&person, DiaryOwner { role: rows::word("role", &role)?, zone });
                }
                if let Some(json) = self.json {
                    let settings = rows::from_json::<SettingsRow>("settings", &json)?;
                    draft.settings(settings.updated_at(rows::instant(there(self.at_ms)?)?)?);
                }
            }
            b'h' => {
                let window = rows::window(there(self.begin)?, there(self.end)?)?;
                draft.open(&person, rows::weekday(there(self.number)?)?, window);
            }
            b'b' => {
                let start = rows::instant(there(self.at_ms)?)?;
                let span = rows::duration(there(self.number)?)?.span_from(start);
                let buffers = self.begin.zip(self.end);
                let buffers = buffers.map(|(before, after)| rows::buffers(before, after));
                draft.busy(&person, span.ok_or(Malformed::new("span"))?, buffers.transpose()?);
            }
            b'o' => {
                let dates = terms_rows::dates(there(self.number)?, there(self.begin)?)?;
                draft.overridden(&person, dates, rows::from_json("windows", &there(self.json)?)?);
            }
            b'l' => draft.hold(hold_rows::from_json(&there(self.json)?)?),
            b'q' => {
                let start = rows::instant(there(self.at_ms)?)?;
                draft.external(&person, link_rows::busy(start, there(self.number)?)?);
            }
            b'd' => draft.counted(&person, rows::instant(there(self.at_ms)?)?),
            kind => return Err(Failure::corrupt(format!("rows of no kind {kind}"))),
        }
        Ok(())
    }
}
