//! Server-sent events of the gateway, over interruptions: what was missed comes when the connection is there again.

use std::io::{BufRead, BufReader, Read};
use std::thread;
use std::time::Duration;

use crate::client::api::{Api, Route};
use crate::client::error::Error;
use crate::client::output::hint;

/// Before a connection that ended is made again.
const PAUSE: Duration = Duration::from_secs(1);
/// A gateway says that it is alive every 15 seconds.
const SILENCE: Duration = Duration::from_secs(45);

/// What is read from one connection after the other.
pub(super) struct Stream {
    route: Route,
    recent: usize,
    last_id: Option<String>,
    connection: Option<Box<dyn BufRead>>,
}

/// One event.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) event: String,
    pub(super) data: String,
}

impl Stream {
    /// Begins with at most `recent` of what is there already.
    pub(super) const fn new(route: Route, recent: usize) -> Self {
        Self { route, recent, last_id: None, connection: None }
    }

    /// The next event. Waits for it, and for the gateway if that was there before.
    pub(super) fn next(&mut self, api: &Api) -> Result<Message, Error> {
        loop {
            let Some(mut connection) = self.connection.take() else {
                self.connect(api)?;
                continue;
            };
            // However it ends: what was missed comes over the next connection.
            if let Ok(Some(message)) = read(&mut connection, &mut self.last_id) {
                self.connection = Some(connection);
                return Ok(message);
            }
            hint("the connection ended; connecting again");
            thread::sleep(PAUSE);
        }
    }

    fn connect(&mut self, api: &Api) -> Result<(), Error> {
        let is_first = self.last_id.is_none();
        let route = self.route.clone().with("recent", is_first.then_some(self.recent));
        match api.follow(&route, self.last_id.as_deref(), SILENCE) {
            Ok(body) => self.connection = Some(Box::new(BufReader::new(body))),
            Err(Error::Unreachable(_)) if !is_first => thread::sleep(PAUSE),
            Err(error) => return Err(error),
        }
        Ok(())
    }
}

/// Reads one event, and notes the last id on the way; `None` at the end of the answer.
fn read(lines: &mut impl BufRead, last_id: &mut Option<String>) -> std::io::Result<Option<Message>> {
    let mut message = Message::default();
    let mut line = String::new();
    loop {
        line.clear();
        // A line has one delivery at most.
        if lines.take(MAX_LINE).read_line(&mut line)? == 0 {
            return Ok(None);
        }
        let text = line.trim_end_matches(['\r', '\n']);
        if text.is_empty() {
            if message.data.is_empty() {
                message = Message::default();
                continue;
            }
            return Ok(Some(message));
        }
        let (field, value) = text.split_once(':').unwrap_or((text, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut message.event),
            "id" => *last_id = Some(value.to_owned()),
            "data" if message.data.is_empty() => value.clone_into(&mut message.data),
            "data" => {
                message.data.push('\n');
                message.data.push_str(value);
            }
            _ => {}
        }
    }
}

/// Far more than a delivery takes.
const MAX_LINE: u64 = 16 * 1024 * 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_are_read_between_comments_and_ids() {
        let mut text =
            ": hello\nretry: 2000\n\n: keep-alive\nid: 7\n\nevent: delivery\nid: 8\ndata: {\"a\": 1}\n\n\
                        event: gap\r\ndata: a\r\ndata:b\r\n\r\nevent: cut"
                .as_bytes();
        let mut last_id = None;
        let mut next = || (read(&mut text, &mut last_id).unwrap(), last_id.clone());
        let message =
            |event: &str, data: &str| Some(Message { event: event.to_owned(), data: data.to_owned() });
        assert_eq!(next(), (message("delivery", "{\"a\": 1}"), Some("8".to_owned())));
        assert_eq!(next(), (message("gap", "a\nb"), Some("8".to_owned())));
        assert_eq!(next().0, None, "an event without its end is none");
    }
}
