//! The thread that writes the log: while the disk works, the writer goes on with what need not be in the log.
//!
//! - One frame is on its way at a time, and the log goes to the thread and comes back with it: nobody else touches it meanwhile.
//! - Whoever waits for a frame is answered here, as soon as it is on stable storage.
//! - When the log cannot be written, the store takes nothing more before anyone is told.

use std::io;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvError, Sender, channel};
use std::thread::JoinHandle;

use tokio::runtime::Handle;
use tokio::time::Instant;

use super::counts::Counts;
use super::failure::Failure;
use super::queue::Queue;
use super::wal::{Records, Wal};
use super::writer::{Command, answer};
use crate::priority;
use crate::store::Error;

/// The writer's end.
pub(super) struct LogWriter {
    /// `None` while the thread has it.
    here: Option<Idle>,
    out: Option<Sender<Frame>>,
    back: Receiver<Done>,
    thread: Option<JoinHandle<()>>,
}

/// The log, and memory for the next frame.
struct Idle {
    wal: Wal,
    spare: Records,
}

/// What is to be written, and who waits for it.
struct Frame {
    wal: Wal,
    records: Records,
    commands: Vec<Box<dyn Command>>,
}

/// What comes back.
struct Done {
    idle: Idle,
    written: Result<(), Error>,
}

/// The thread's end.
struct Thread {
    frames: Receiver<Frame>,
    done: Sender<Done>,
    queue: Arc<Queue>,
    counts: Counts,
    runtime: Option<Handle>,
}

impl LogWriter {
    /// Starts the thread for this log. When it cannot be written, `queue` is closed.
    ///
    /// # Errors
    /// There are no more threads.
    pub(super) fn start(
        wal: Wal,
        queue: Arc<Queue>,
        counts: Counts,
        runtime: Option<Handle>,
    ) -> io::Result<Self> {
        let (out, frames) = channel();
        let (done, back) = channel();
        let thread = Thread { frames, done, queue, counts, runtime };
        let thread = std::thread::Builder::new().name("store-log".to_owned()).spawn(move || {
            priority::go_first("what writes the store's log");
            thread.run();
        })?;
        let here = Some(Idle { wal, spare: Records::kept(true) });
        Ok(Self { here, out: Some(out), back, thread: Some(thread) })
    }

    /// Has these records appended as a frame, once the one before is written, and these commands answered then. What is added
    /// to `records` from now on is for the next frame.
    ///
    /// # Errors
    /// The frame before could not be written.
    pub(super) fn append(
        &mut self,
        records: &mut Records,
        commands: Vec<Box<dyn Command>>,
    ) -> Result<(), Failure> {
        let Idle { wal, spare } = self.take()?;
        let frame = Frame { wal, records: records.hand_over(spare), commands };
        let sent = self.out.as_ref().map(|out| out.send(frame));
        if matches!(sent, Some(Ok(()))) { Ok(()) } else { Err(gone()) }
    }

    /// Waits until all that was appended is on stable storage.
    ///
    /// # Errors
    /// It could not be written.
    pub(super) fn finished(&mut self) -> Result<&mut Wal, Failure> {
        let idle = self.take()?;
        Ok(&mut self.here.insert(idle).wal)
    }

    fn take(&mut self) -> Result<Idle, Failure> {
        if let Some(idle) = self.here.take() {
            return Ok(idle);
        }
        let Done { idle, written } = self.back.recv().map_err(|RecvError| gone())?;
        written.map_err(Failure::Broken)?;
        Ok(idle)
    }
}

impl Drop for LogWriter {
    /// Whatever ended the writer: what is on its way is written and answered first.
    fn drop(&mut self) {
        self.out = None;
        if self.thread.take().is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread that writes the store's log panicked");
        }
    }
}

impl Thread {
    fn run(self) {
        while let Ok(Frame { mut wal, mut records, commands }) = self.frames.recv() {
            let (count, bytes, begun) = (commands.len(), records.bytes(), Instant::now());
            let written = wal.append(&mut records).map_err(|error| Error::Storage(Arc::new(error)));
            if written.is_ok() {
                self.counts.appended(count, bytes, begun);
            } else {
                self.queue.close();
            }
            answer(self.runtime.as_ref(), commands, written.clone());
            // A writer that has failed waits for nothing any more.
            let _ = self.done.send(Done { idle: Idle { wal, spare: records }, written });
        }
    }
}

/// It panicked, and said so.
fn gone() -> Failure {
    io::Error::other("the thread that writes the log is gone").into()
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use redb::StorageBackend;

    use super::*;
    use crate::store::redb::faults::{Disk, Kind};
    use crate::store::redb::wal::Record;
    use crate::store::redb::writer::{Awaited, Batch};

    /// A disk whose syncs take until they are let go.
    #[derive(Debug)]
    struct Slow {
        disk: Disk,
        let_go: Mutex<Receiver<()>>,
    }

    impl StorageBackend for Slow {
        fn len(&self) -> io::Result<u64> {
            self.disk.len()
        }

        fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
            self.disk.read(offset, out)
        }

        fn set_len(&self, len: u64) -> io::Result<()> {
            self.disk.set_len(len)
        }

        fn sync_data(&self) -> io::Result<()> {
            self.let_go.lock().unwrap().recv().unwrap();
            self.disk.sync_data()
        }

        fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
            self.disk.write(offset, data)
        }
    }

    /// A command that is applied, and passes its answer on.
    struct Told(Sender<Result<(), Error>>);

    impl Command for Told {
        fn awaited(&self) -> Awaited {
            Awaited::Log
        }

        fn bytes(&self) -> usize {
            0
        }

        fn apply(&mut self, _: &mut Batch<'_>) -> Result<(), Error> {
            Ok(())
        }

        fn answer(self: Box<Self>, committed: Result<(), Error>) {
            self.0.send(committed).unwrap();
        }
    }

    fn start(disk: impl StorageBackend) -> (LogWriter, Arc<Queue>) {
        let queue = Arc::new(Queue::default());
        let wal = Wal::new(disk).unwrap();
        (LogWriter::start(wal, Arc::clone(&queue), Counts::default(), None).unwrap(), queue)
    }

    /// What a caller is told.
    type Answer = Receiver<Result<(), Error>>;

    fn command() -> (Vec<Box<dyn Command>>, Answer) {
        let (told, answer) = channel();
        (vec![Box::new(Told(told))], answer)
    }

    fn add(records: &mut Records, number: u128) {
        records.add(|| Record::Reserved(number));
    }

    #[test]
    fn whoever_waits_is_answered_when_it_is_on_stable_storage_and_the_next_frame_is_begun_meanwhile() {
        let (go, let_go) = channel();
        let disk = Disk::default();
        let (mut log, _) = start(Slow { disk: disk.clone(), let_go: Mutex::new(let_go) });
        let mut records = Records::kept(true);
        let [(first, told_first), (second, told_second)] = [command(), command()];
        add(&mut records, 1);
        log.append(&mut records, first).unwrap();
        add(&mut records, 2);
        assert!(told_first.try_recv().is_err(), "its sync has not ended");
        go.send(()).unwrap();
        told_first.recv().unwrap().unwrap();
        log.append(&mut records, second).unwrap();
        go.send(()).unwrap();
        log.finished().unwrap();
        told_second.try_recv().expect("it was told before the log came back").unwrap();
        let logged = Wal::new(Disk::holding(disk.after_power_loss())).unwrap().read(0).unwrap();
        assert_eq!(logged.records, [Record::Reserved(1), Record::Reserved(2)]);
        assert_eq!(logged.frames, 2);
    }

    #[test]
    fn whoever_waits_for_what_cannot_be_written_finds_the_store_closed() {
        let disk = Disk::default();
        disk.fail_once_after(Kind::Sync, 0);
        let (mut log, queue) = start(disk);
        let mut records = Records::kept(true);
        add(&mut records, 1);
        let (commands, told) = command();
        log.append(&mut records, commands).unwrap();
        let refused = told.recv().unwrap().unwrap_err();
        assert!(queue.is_closed());
        assert!(refused.to_string().contains("storage"), "{refused}");
        assert!(matches!(log.finished(), Err(Failure::Broken(_))));
    }

    #[test]
    fn what_is_on_its_way_when_the_writer_ends_is_written_and_answered() {
        let (mut log, _) = start(Disk::default());
        let mut records = Records::kept(true);
        add(&mut records, 1);
        let (commands, told) = command();
        log.append(&mut records, commands).unwrap();
        drop(log);
        told.try_recv().unwrap().unwrap();
    }
}
