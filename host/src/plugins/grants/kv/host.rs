//! The imports of `kv`, and what may be said to them.

use std::collections::HashMap;
use std::time::Duration;

use super::spaces::Before;
use super::{KvAccess, KvFailure, KvGuest, MAX_CALLS, MAX_KEY_BYTES, MAX_TTL, MAX_VALUE_BYTES};
use crate::json::{Rehearsal, Subject};
use crate::model::{KvEntry, KvSpace, UnixMs};
use crate::plugins::bindings::kv::{Error, Host};
use crate::plugins::state::State;

/// What a function of the contract returns.
type Answer<T> = Result<T, Error>;

impl Host for State {
    async fn get(&mut self, key: String) -> wasmtime::Result<Answer<Option<Vec<u8>>>> {
        Ok(match self.kv_call(&key) {
            Ok(call) => call.get(&key).await,
            Err(error) => Err(error),
        })
    }

    async fn set(&mut self, key: String, value: Vec<u8>, ttl_s: Option<u64>) -> wasmtime::Result<Answer<()>> {
        Ok(match self.kv_call(&key) {
            Ok(call) => call.set(&key, value, ttl_s).await,
            Err(error) => Err(error),
        })
    }

    async fn delete(&mut self, key: String) -> wasmtime::Result<Answer<()>> {
        Ok(match self.kv_call(&key) {
            Ok(call) => call.delete(&key).await,
            Err(error) => Err(error),
        })
    }

    async fn increment(
        &mut self,
        key: String,
        delta: i64,
        ttl_s: Option<u64>,
    ) -> wasmtime::Result<Answer<i64>> {
        Ok(match self.kv_call(&key) {
            Ok(call) => call.increment(&key, delta, ttl_s).await,
            Err(error) => Err(error),
        })
    }
}

/// One call of a function, in the space that it is about.
pub(super) struct Call<'a> {
    access: &'a KvAccess,
    space: KvSpace,
    rehearsal: Option<Rehearsal>,
    scratch: &'a mut HashMap<String, Option<KvEntry>>,
}

impl State {
    fn kv_call(&mut self, key: &str) -> Answer<Call<'_>> {
        self.kv.call(self.current.as_ref().map(|current| &current.subject), key)
    }
}

impl KvGuest {
    /// The call, if one may be made.
    pub(super) fn call(&mut self, subject: Option<&Subject>, key: &str) -> Answer<Call<'_>> {
        let unavailable = |why: &str| Error::Unavailable(why.to_owned());
        let access = self.access.as_deref().ok_or_else(|| unavailable("the plugin has no grant for `kv`"))?;
        let subject = subject.ok_or_else(|| unavailable("`kv` answers only while an event is judged"))?;
        self.calls_left = self
            .calls_left
            .checked_sub(1)
            .ok_or_else(|| unavailable(&format!("one call of a plugin may call `kv` {MAX_CALLS} times")))?;
        if key.is_empty() || key.len() > MAX_KEY_BYTES {
            let is = key.len();
            return Err(Error::Invalid(format!("a key has 1 to {MAX_KEY_BYTES} bytes; this one has {is}")));
        }
        let space = KvSpace { tenant: subject.event().tenant.clone(), plugin: access.plugin.clone() };
        Ok(Call { access, space, rehearsal: subject.rehearsal(), scratch: &mut self.scratch })
    }
}

impl Call<'_> {
    pub(super) async fn get(&self, key: &str) -> Answer<Option<Vec<u8>>> {
        let now = self.now();
        let entry = self.read(key).await?;
        Ok(entry.filter(|entry| entry.is_live(now)).map(|entry| entry.value.to_vec()))
    }

    pub(super) async fn set(self, key: &str, value: Vec<u8>, ttl_s: Option<u64>) -> Answer<()> {
        if value.len() > MAX_VALUE_BYTES {
            let is = value.len();
            return Err(Error::Invalid(format!(
                "a value has at most {MAX_VALUE_BYTES} bytes; this one has {is}"
            )));
        }
        let (expires_at, max) = (Some(self.expiry(ttl_s)?), self.access.max_bytes);
        let set = |before: Before| {
            let entry = KvEntry { value: value.into(), expires_at };
            check_room(max, key, &before, &entry)?;
            Ok((Some(Some(entry)), ()))
        };
        self.change(key, set).await
    }

    pub(super) async fn delete(self, key: &str) -> Answer<()> {
        let delete = |before: Before| Ok((before.entry.map(|_| None), ()));
        self.change(key, delete).await
    }

    pub(super) async fn increment(self, key: &str, delta: i64, ttl_s: Option<u64>) -> Answer<i64> {
        let (now, new_expiry, max) = (self.now(), self.expiry(ttl_s)?, self.access.max_bytes);
        let increment = |before: Before| {
            let live = before.entry.as_ref().filter(|entry| entry.is_live(now));
            let number = live.map_or(Ok(0), |entry| number(&entry.value))?;
            let sum = number.checked_add(delta).ok_or_else(|| {
                Error::Invalid(format!("{number} and {delta} do not add up to a number of 64 bits"))
            })?;
            let expires_at = live.map_or(Some(new_expiry), |entry| entry.expires_at);
            let entry = KvEntry { value: sum.to_string().into(), expires_at };
            check_room(max, key, &before, &entry)?;
            Ok((Some(Some(entry)), sum))
        };
        self.change(key, increment).await
    }

    /// What is under the key, expired or not.
    async fn read(&self, key: &str) -> Answer<Option<KvEntry>> {
        if self.rehearsal.is_some()
            && let Some(entry) = self.scratch.get(key)
        {
            return Ok(entry.clone());
        }
        match self.rehearsal {
            Some(Rehearsal::Sample) => Ok(None),
            Some(Rehearsal::Preview) | None => Ok(self.access.spaces.get(&self.space, key).await?),
        }
    }

    async fn change<T>(
        self,
        key: &str,
        change: impl FnOnce(Before) -> Answer<(Option<Option<KvEntry>>, T)>,
    ) -> Answer<T> {
        if self.rehearsal.is_none() {
            return self.access.spaces.change(&self.space, key, change).await;
        }
        let entry = self.read(key).await?;
        let of_key = |(key, entry): (&String, &Option<KvEntry>)| entry.as_ref().map_or(0, |it| it.cost(key));
        let used_bytes = self.scratch.iter().map(of_key).sum();
        let (after, answer) = change(Before { entry, used_bytes })?;
        if let Some(after) = after {
            self.scratch.insert(key.to_owned(), after);
        }
        Ok(answer)
    }

    fn expiry(&self, ttl_s: Option<u64>) -> Answer<UnixMs> {
        let ttl = ttl_s.map_or(self.access.ttl, Duration::from_secs);
        if ttl.is_zero() || ttl > MAX_TTL {
            let most = MAX_TTL.as_secs();
            return Err(Error::Invalid(format!(
                "a key is kept for 1 to {most} seconds, not {}",
                ttl.as_secs()
            )));
        }
        Ok(self.now().after(ttl))
    }

    fn now(&self) -> UnixMs {
        self.access.spaces.clock.now()
    }
}

/// Whether the quota has room for what is to be there. What takes no more than before always fits.
fn check_room(max: u64, key: &str, before: &Before, after: &KvEntry) -> Answer<()> {
    let cost = after.cost(key);
    let old = before.entry.as_ref().map_or(0, |entry| entry.cost(key));
    let used = before.used_bytes.saturating_sub(old).saturating_add(cost);
    if used <= max || cost <= old {
        return Ok(());
    }
    let taken = before.used_bytes;
    Err(Error::Full(format!("this takes {cost} bytes, and {taken} of {max} are taken")))
}

fn number(value: &[u8]) -> Answer<i64> {
    let number = std::str::from_utf8(value).ok().and_then(|text| text.parse().ok());
    number.ok_or_else(|| Error::Invalid("what is kept under the key is no number of 64 bits".to_owned()))
}

impl From<KvFailure> for Error {
    fn from(failure: KvFailure) -> Self {
        Self::Unavailable(failure.0)
    }
}
