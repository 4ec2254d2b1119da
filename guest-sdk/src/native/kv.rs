//! What a unit test keeps: in the memory of its thread, for as long as it runs.

use std::cell::RefCell;
use std::collections::HashMap;

use crate::kv::Error;

thread_local! {
    static VALUES: RefCell<HashMap<String, Vec<u8>>> = RefCell::default();
}

/// The limits of the contract that a test can meet.
const MAX_KEY_BYTES: usize = 256;
const MAX_VALUE_BYTES: usize = 64 << 10;

pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    check(key, None)?;
    Ok(VALUES.with_borrow(|values| values.get(key).cloned()))
}

pub(crate) fn set(key: &str, value: &[u8], ttl_s: Option<u64>) -> Result<(), Error> {
    check(key, ttl_s)?;
    if value.len() > MAX_VALUE_BYTES {
        return Err(Error::Invalid(format!("a value has at most {MAX_VALUE_BYTES} bytes")));
    }
    VALUES.with_borrow_mut(|values| values.insert(key.to_owned(), value.to_vec()));
    Ok(())
}

pub(crate) fn delete(key: &str) -> Result<(), Error> {
    check(key, None)?;
    VALUES.with_borrow_mut(|values| values.remove(key));
    Ok(())
}

pub(crate) fn increment(key: &str, delta: i64, ttl_s: Option<u64>) -> Result<i64, Error> {
    check(key, ttl_s)?;
    VALUES.with_borrow_mut(|values| {
        let number = match values.get(key) {
            Some(value) => std::str::from_utf8(value).ok().and_then(|text| text.parse::<i64>().ok()),
            None => Some(0),
        };
        let sum = number.and_then(|number| number.checked_add(delta));
        let sum = sum.ok_or_else(|| Error::Invalid("there is no number, or the sum is none".to_owned()))?;
        values.insert(key.to_owned(), sum.to_string().into_bytes());
        Ok(sum)
    })
}

fn check(key: &str, ttl_s: Option<u64>) -> Result<(), Error> {
    if key.is_empty() || key.len() > MAX_KEY_BYTES {
        return Err(Error::Invalid(format!("a key has 1 to {MAX_KEY_BYTES} bytes")));
    }
    if ttl_s == Some(0) {
        return Err(Error::Invalid("a key is kept for at least 1 second".to_owned()));
    }
    Ok(())
}
