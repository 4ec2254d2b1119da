//! What the gateway keeps.

use super::bindings::kv_world::hookway::plugin::kv as host;
use crate::kv::Error;

pub(crate) fn get(key: &str) -> Result<Option<Vec<u8>>, Error> {
    host::get(key).map_err(Error::from)
}

pub(crate) fn set(key: &str, value: &[u8], ttl_s: Option<u64>) -> Result<(), Error> {
    host::set(key, value, ttl_s).map_err(Error::from)
}

pub(crate) fn delete(key: &str) -> Result<(), Error> {
    host::delete(key).map_err(Error::from)
}

pub(crate) fn increment(key: &str, delta: i64, ttl_s: Option<u64>) -> Result<i64, Error> {
    host::increment(key, delta, ttl_s).map_err(Error::from)
}

impl From<host::Error> for Error {
    fn from(error: host::Error) -> Self {
        match error {
            host::Error::Invalid(why) => Self::Invalid(why),
            host::Error::Full(why) => Self::Full(why),
            host::Error::Unavailable(why) => Self::Unavailable(why),
        }
    }
}
