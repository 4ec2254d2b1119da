//! How many files and connections the process may have open: as many as the system lets it.

use std::io;

use hookway::config::Settings;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Idle connections to receivers, the store, the log, plugins and what the system has open itself.
const BESIDE: u64 = 1_200;

/// Raises the limit as far as it goes, and says whether that is enough for these settings.
pub(crate) fn provide(settings: &Settings) {
    let needed =
        u64::from(settings.http.max_connections.get()) + settings.lanes.max_in_flight as u64 + BESIDE;
    match raise() {
        Ok(Some(limit)) if limit < needed => tracing::warn!(
            limit,
            needed,
            "fewer files may be open than connections are allowed; raise the hard limit (`LimitNOFILE=` of systemd, \
             `ulimit -Hn`), or lower `http.max_connections` and `lanes.max_in_flight`"
        ),
        Ok(limit) => tracing::info!(limit, "files that may be open"),
        Err(error) => {
            tracing::warn!(%error, "the limit of open files cannot be raised to what the system allows");
        }
    }
}

/// Raises the soft limit of open files to the hard one, which needs no privilege: the soft one is low for programs that
/// use `select(2)`. Returns the limit; `None` = there is none.
///
/// # Errors
/// The system does not allow it.
fn raise() -> io::Result<Option<u64>> {
    let limit = getrlimit(Resource::Nofile);
    if limit.current != limit.maximum {
        setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum })?;
    }
    Ok(limit.maximum)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_soft_limit_becomes_the_hard_one() {
        let hard = getrlimit(Resource::Nofile).maximum;
        let low = Rlimit { current: Some(256), maximum: hard };
        setrlimit(Resource::Nofile, low).unwrap();
        assert_eq!(raise().unwrap(), hard);
        assert_eq!(getrlimit(Resource::Nofile).current, hard);
    }
}
