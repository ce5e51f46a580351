//! Writes snapshots beside training, so that encoding PNGs does not hold it up.

use super::{RunError, RunFolder, Thumbnails};
use crate::picture::{Packing, Picture, save_png_packed};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Pictures waiting to be written. More would only fill memory: training waits then.
const QUEUE: usize = 2;

enum Message {
    Write(u64, PathBuf, Picture),
    /// Answered when everything before it is written.
    Flush(SyncSender<()>),
}

/// A thread that writes pictures in the order they come, and keeps those that are to be shown again.
#[derive(Debug)]
pub struct SnapshotWriter {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<Result<Thumbnails, RunError>>>,
}

impl SnapshotWriter {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub fn start(mut thumbnails: Thumbnails) -> Result<Self, RunError> {
        let (queue, incoming) = sync_channel(QUEUE);
        let write_all = move || {
            for message in incoming {
                match message {
                    Message::Write(epoch, path, picture) => {
                        let picture = picture.to_display();
                        save_png_packed(&picture, &path, Packing::Fast)?;
                        thumbnails.pass(epoch, &picture);
                    }
                    // Whoever asked may be gone: the run is then ending anyway.
                    Message::Flush(done) => _ = done.send(()),
                }
            }
            Ok(thumbnails)
        };
        let thread = std::thread::Builder::new()
            .name("snapshots".into())
            .spawn(write_all)
            .map_err(|e| RunError::write(&PathBuf::from("snapshots"), &e))?;
        Ok(Self { queue: Some(queue), thread: Some(thread) })
    }

    /// Hands over the picture of an epoch; waits while too many are queued.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn write(&mut self, folder: &RunFolder, epoch: u64, picture: Picture) -> Result<(), RunError> {
        let message = Message::Write(epoch, folder.snapshot(epoch), picture);
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(message).is_ok());
        // The thread only stops listening when a write has failed.
        if sent { Ok(()) } else { self.finish().map(|_| ()) }
    }

    /// Waits until the pictures handed over are on their way to the disk.
    ///
    /// # Errors
    /// When one could not be written.
    pub fn flush(&mut self) -> Result<(), RunError> {
        let (done, wait) = sync_channel(1);
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(Message::Flush(done)).is_ok());
        if sent && wait.recv().is_ok() { Ok(()) } else { self.finish().map(|_| ()) }
    }

    /// Waits until everything is written, ends the thread, and returns what it has kept.
    ///
    /// # Errors
    /// When a picture could not be written.
    pub fn finish(&mut self) -> Result<Thumbnails, RunError> {
        drop(self.queue.take());
        match self.thread.take() {
            Some(thread) => thread.join().expect("the snapshot thread does not panic"),
            None => Ok(Thumbnails::default()),
        }
    }
}
