//! Waiting for the device; nothing else waits.
//!
//! Natively a wait blocks while it polls the device, so its future is ready at once. In a browser nothing may block:
//! there the future is ready when the event loop has called back.

use super::{Gpu, Staging, as_backend_error};
use crate::backend::{BackendError, Result};

/// No submission should run for much longer than a tenth of a second.
#[cfg(not(target_family = "wasm"))]
const DEVICE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(120);

#[derive(Debug)]
pub(crate) struct Submission {
    #[cfg(not(target_family = "wasm"))]
    index: wgpu::SubmissionIndex,
    #[cfg(target_family = "wasm")]
    done: futures_channel::oneshot::Receiver<()>,
}

impl Gpu {
    /// Submits `commands`. Once they are done, maps the first bytes of a staging buffer, as given by `read_back`.
    pub(crate) fn submit(
        &self,
        commands: Option<wgpu::CommandBuffer>,
        read_back: Option<(&Staging, u64)>,
    ) -> Submission {
        #[cfg(feature = "faults")]
        let commands = commands.filter(|_| !self.options.faults.drops_this());
        let index = self.queue.submit(commands);
        if let Some((staging, size_bytes)) = read_back {
            staging.request(size_bytes);
        }
        self.submission(index)
    }

    #[cfg(not(target_family = "wasm"))]
    fn submission(&self, index: wgpu::SubmissionIndex) -> Submission {
        Submission { index }
    }

    #[cfg(target_family = "wasm")]
    fn submission(&self, _: wgpu::SubmissionIndex) -> Submission {
        let (sender, done) = futures_channel::oneshot::channel();
        // Called after the mapping's own callback, which was registered before. The receiver may be gone.
        self.queue.on_submitted_work_done(move || _ = sender.send(()));
        Submission { done }
    }

    /// Waits until `submission` and all before it are done.
    ///
    /// # Errors
    /// When the device fails or does not answer, see [`crate::job::DeviceOptions::device_timeout`].
    #[cfg(not(target_family = "wasm"))]
    pub(crate) async fn wait(&self, submission: Submission) -> Result<()> {
        let timeout = Some(self.options.device_timeout.unwrap_or(DEVICE_TIMEOUT));
        let waiting = wgpu::PollType::Wait { submission_index: Some(submission.index), timeout };
        let polled = self.device.poll(waiting);
        self.check()?;
        polled.map(|_| ()).map_err(|error| BackendError::DeviceLost(error.to_string()))
    }

    /// Waits until `submission` and all before it are done.
    #[cfg(target_family = "wasm")]
    pub(crate) async fn wait(&self, submission: Submission) -> Result<()> {
        let done = submission.done.await;
        self.check()?;
        done.map_err(|_| BackendError::DeviceLost("it never called back".to_owned()))
    }

    /// Runs pending callbacks without waiting. A browser does that by itself.
    pub(crate) fn poll(&self) {
        // An error shows up in `check`, and in the next wait.
        let _ = self.device.poll(wgpu::PollType::Poll);
    }

    /// Runs `make`, which creates resources, immediately. Its result, or the error that wgpu caught, can be awaited
    /// on another thread.
    ///
    /// # Errors
    /// When wgpu refuses or memory runs out.
    pub fn scoped<T, F>(&self, make: F) -> impl Future<Output = Result<T>>
    where
        F: FnOnce(&wgpu::Device) -> T,
    {
        let filters =
            [wgpu::ErrorFilter::Internal, wgpu::ErrorFilter::OutOfMemory, wgpu::ErrorFilter::Validation];
        let [internal, memory, validation] = filters.map(|filter| self.device.push_error_scope(filter));
        let made = make(&self.device);
        // Innermost first.
        let caught = [validation.pop(), memory.pop(), internal.pop()];
        async move {
            let mut first = None;
            for error in caught {
                first = first.or(error.await);
            }
            match first {
                None => self.check().map(|()| made),
                Some(error) => Err(as_backend_error(&error)),
            }
        }
    }
}
