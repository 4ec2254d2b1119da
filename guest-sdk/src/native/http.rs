//! No network in unit tests: a test answers what is asked, or it is denied.

use std::cell::RefCell;

use crate::http::{Answer, Error, Request};

type Answering = Box<dyn Fn(&Request) -> Result<Answer, Error>>;

thread_local! {
    static ANSWERING: RefCell<Option<Answering>> = RefCell::default();
}

pub(crate) fn answer(answering: Answering) {
    ANSWERING.set(Some(answering));
}

pub(crate) fn send(request: &Request) -> Result<Answer, Error> {
    ANSWERING.with_borrow(|answering| match answering {
        Some(answering) => answering(request),
        None => {
            let Request { method, url, .. } = request;
            Err(Error::Denied(format!("{method} {url}: no network in unit tests, see `testing::answer`")))
        }
    })
}
