//! Writes snapshots on another thread, so that encoding PNGs does not delay training.

use super::{RunError, RunFolder, Thumbnails};
use crate::picture::{IccProfile, Packing, Picture, save_png_packed};
use std::path::PathBuf;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread::JoinHandle;

/// Maximum pictures queued. More would only fill memory: training waits instead.
const QUEUE: usize = 2;

enum Message {
    Write(u64, PathBuf, Picture),
    /// Answered when everything queued before it is written.
    Flush(SyncSender<()>),
}

/// A thread that writes pictures in order, and keeps thumbnails of those that are shown again.
#[derive(Debug)]
pub struct SnapshotWriter {
    queue: Option<SyncSender<Message>>,
    thread: Option<JoinHandle<Result<Thumbnails, RunError>>>,
}

impl SnapshotWriter {
    /// Starts the thread. `profile` describes the pictures' values if they are not sRGB; `exposure` is for pictures in
    /// linear light.
    ///
    /// # Errors
    /// When the system cannot start a thread.
    pub fn start(
        mut thumbnails: Thumbnails,
        profile: Option<IccProfile>,
        exposure: f32,
    ) -> Result<Self, RunError> {
        let (queue, incoming) = sync_channel(QUEUE);
        let write_all = move || {
            for message in incoming {
                match message {
                    Message::Write(epoch, path, picture) => {
                        let picture = picture.shown(exposure).to_display();
                        save_png_packed(&picture, &path, Packing::Fast, profile.as_deref())?;
                        thumbnails.pass(epoch, &picture, profile.as_deref());
                    }
                    // The receiver may be gone if the run is ending.
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

    /// Queues the picture of an epoch; waits while the queue is full.
    ///
    /// # Errors
    /// When an earlier one could not be written.
    pub fn write(&mut self, folder: &RunFolder, epoch: u64, picture: Picture) -> Result<(), RunError> {
        let message = Message::Write(epoch, folder.snapshot(epoch), picture);
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(message).is_ok());
        // The thread only exits early when a write has failed.
        if sent { Ok(()) } else { self.finish().map(|_| ()) }
    }

    /// Waits until the queued pictures are written.
    ///
    /// # Errors
    /// When one could not be written.
    pub fn flush(&mut self) -> Result<(), RunError> {
        let (done, wait) = sync_channel(1);
        let sent = self.queue.as_ref().is_some_and(|queue| queue.send(Message::Flush(done)).is_ok());
        if sent && wait.recv().is_ok() { Ok(()) } else { self.finish().map(|_| ()) }
    }

    /// Waits until everything is written, ends the thread, and returns its thumbnails.
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
