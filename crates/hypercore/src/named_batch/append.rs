//! Appending to a batch.

use super::open::OpenBatch;
use crate::batch::Batch;
use crate::error::Result;
use crate::info::Appended;
use crate::session::Session;
use crate::shared::Manner;

impl OpenBatch {
    /// Appends few small blocks on this thread; `None` when that could take long.
    pub(crate) fn append_inline<B: AsRef<[u8]>>(
        &self,
        manner: &Manner,
        blocks: &[B],
    ) -> Option<Result<Appended>> {
        let append = |log: &_, branch: &_| {
            manner.cipher.append_to_branch(log, branch, blocks, manner.options())
        };
        self.write_inline(blocks.len(), append)
    }
}

impl Session {
    /// Appends blocks to the batch on a blocking thread, behind those that wait.
    pub(crate) async fn append_to_branch(
        &self,
        blocks: Batch,
        options: hypercore_log::AppendOptions,
    ) -> Result<Appended> {
        let append = self.blocking_write(move |view, cipher| {
            let mut slices = Vec::with_capacity(blocks.count());
            blocks.push_slices(&mut slices);
            cipher.append_to_branch(view.log(), view.branch()?, &slices, &options)
        });
        append.await
    }
}
