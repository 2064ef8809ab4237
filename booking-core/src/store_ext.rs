//! Comfort over the store port: decisions that answer with a type of their own.

use std::sync::{Mutex, PoisonError};

use crate::calendars::Calendars;
use crate::decide::Decision;
use crate::store::{ChangeError, Scope, Store, StoreError};

pub(crate) trait StoreExt: Store {
    /// [`Store::change`], with the answer of the decision that was applied.
    async fn decide<T: Send>(
        &self,
        scope: &Scope,
        decide: impl Fn(&Calendars) -> Decision<T> + Send + Sync,
    ) -> Result<T, ChangeError> {
        let answer = Mutex::new(None);
        let keep = |value: T| *answer.lock().unwrap_or_else(PoisonError::into_inner) = Some(value);
        self.change(scope, &|calendars| {
            let decided = decide(calendars)?;
            keep(decided.answer);
            Ok(decided.change)
        })
        .await?;
        let answer = answer.into_inner().unwrap_or_else(PoisonError::into_inner);
        let broken = || StoreError::Corrupt("the store applied a change nobody decided".into());
        Ok(answer.ok_or_else(broken)?)
    }
}

impl<S: Store + ?Sized> StoreExt for S {}
