//! Which thread gets a processor where more want one than there are.
//!
//! Only on Linux has a thread a niceness of its own; elsewhere all threads are alike.

/// How much work that nobody waits for gives way.
const NICER: i32 = 10;
/// How much what everyone waits for goes before the rest.
const LESS_NICE: i32 = -10;

/// This thread does what nobody waits for: what serves events goes before it. `what` names it in the log.
pub fn give_way(what: &str) {
    change(NICER, what);
}

/// This thread does what every event waits for, and little else: it goes before all others, if the process has the right to say so
/// (root's, `CAP_SYS_NICE`, or a limit for niceness that lets it). `what` names it in the log.
pub fn go_first(what: &str) {
    change(LESS_NICE, what);
}

fn change(by: i32, what: &str) {
    if !cfg!(target_os = "linux") {
        return;
    }
    if let Err(error) = rustix::process::nice(by) {
        tracing::debug!(%error, "{what} has the priority of everything else");
    }
}

#[cfg(test)]
mod tests {
    use rustix::process::getpriority_process;

    use super::*;

    /// The niceness of a thread that does this first, compared to the others.
    fn niceness_after(work: impl FnOnce() + Send + 'static) -> i32 {
        let of_others = getpriority_process(None).unwrap();
        let thread = std::thread::spawn(move || {
            work();
            getpriority_process(None).unwrap()
        });
        let niceness = thread.join().unwrap() - of_others;
        assert_eq!(getpriority_process(None).unwrap(), of_others, "others stay as they were");
        niceness
    }

    #[test]
    fn one_thread_gives_way_or_goes_first_if_it_may() {
        if !cfg!(target_os = "linux") {
            return;
        }
        assert!(niceness_after(|| give_way("a test")) > 0);
        let first = niceness_after(|| go_first("a test"));
        assert!(first == LESS_NICE || first == 0, "{first}");
    }
}
