//! The in-memory way from one stage to the next.
//!
//! What is handed on is in the store already, so a full channel is no reason to wait: the item is dropped, the
//! receiver is told once that it missed something, and it reads the store. The same news tells of items that another
//! verb of the store wrote.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Notify, mpsc};

/// The sending end; clones share the channel.
#[derive(Debug)]
pub struct Sender<T> {
    items: mpsc::Sender<T>,
    missed: Arc<Missed>,
}

/// The receiving end.
#[derive(Debug)]
pub struct Receiver<T> {
    items: mpsc::Receiver<T>,
    missed: Arc<Missed>,
}

/// What the receiver gets.
#[derive(Debug, PartialEq, Eq)]
pub enum Received<T> {
    /// An item.
    Item(T),
    /// Items were dropped since this was last said: the store has them.
    Missed,
    /// Every sender is gone.
    Closed,
}

#[derive(Debug, Default)]
struct Missed {
    happened: AtomicBool,
    wake: Notify,
}

/// A channel for at most `capacity` items.
#[must_use]
pub fn channel<T>(capacity: usize) -> (Sender<T>, Receiver<T>) {
    let (sender, receiver) = mpsc::channel(capacity);
    let missed = Arc::new(Missed::default());
    (Sender { items: sender, missed: Arc::clone(&missed) }, Receiver { items: receiver, missed })
}

impl<T> Sender<T> {
    /// Hands an item on, or notes that one was missed. Never waits.
    pub fn offer(&self, item: T) {
        if self.items.try_send(item).is_err() {
            self.note_missed();
        }
    }

    /// Says that the store has items that were not offered here. Never waits.
    pub fn note_missed(&self) {
        self.missed.happened.store(true, Ordering::Release);
        self.missed.wake.notify_one();
    }
}

impl<T> Clone for Sender<T> {
    fn clone(&self) -> Self {
        Self { items: self.items.clone(), missed: Arc::clone(&self.missed) }
    }
}

impl<T> Receiver<T> {
    /// The next item, or the news that some were missed. Safe to drop before it resolves.
    pub async fn receive(&mut self) -> Received<T> {
        loop {
            if self.missed.happened.swap(false, Ordering::AcqRel) {
                return Received::Missed;
            }
            tokio::select! {
                biased;
                () = self.missed.wake.notified() => {}
                item = self.items.recv() => return item.map_or(Received::Closed, Received::Item),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_channel_drops_and_says_so_once() {
        let (sender, mut receiver) = channel(1);
        for item in 1..=3 {
            sender.offer(item);
        }
        assert_eq!(receiver.receive().await, Received::Missed);
        assert_eq!(receiver.receive().await, Received::Item(1));
        sender.offer(4);
        assert_eq!(receiver.receive().await, Received::Item(4));
        sender.note_missed();
        sender.note_missed();
        assert_eq!(receiver.receive().await, Received::Missed);
        drop(sender);
        assert_eq!(receiver.receive().await, Received::Closed);
    }
}
