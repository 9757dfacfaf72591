//! Answers to requests, many at a time.

use hypercore_log::LogError;
use hypercore_merkle::{Data, Proof, ProveError, Request, TreeError};

use super::queue::Queue;
use super::{Outlet, UploadContext, UploadReport};
use crate::fault::PeerFault;
use crate::message::{Message, NoData, NoDataReason};

/// Requests that are answered together: they share one look into the log. The answers go out before the next are made,
/// so that the peer has something to do.
const BATCH_MAX: usize = 64;

/// Answers what waits, as much as there is room for and one batch at most.
///
/// # Source
/// wire.md sections 6.2 and 7.6.
pub(super) fn run(
    queue: &mut Queue,
    context: &UploadContext<'_>,
    out: &mut Outlet<'_>,
    report: &mut UploadReport,
) -> Result<(), PeerFault> {
    if !context.enabled {
        refuse_all(queue, out);
    } else if out.has_room() && queue.is_waiting() {
        answer(queue, context, out, report)?;
    }
    queue.rest();
    Ok(())
}

/// Answers one batch.
fn answer(
    queue: &mut Queue,
    context: &UploadContext<'_>,
    out: &mut Outlet<'_>,
    report: &mut UploadReport,
) -> Result<(), PeerFault> {
    let mut batch = Vec::new();
    for request in queue.next().take(BATCH_MAX) {
        batch.push(*request);
        // A manifest may be long, and no peer needs it twice.
        if request.manifest {
            break;
        }
    }
    let proofs = context.log.create_proofs(&batch, *out.room);
    for (request, proof) in batch.iter().zip(proofs) {
        queue.pop();
        match verdict(proof) {
            Verdict::Proven(proof) => {
                let data = finish(request, *proof, context);
                if let Some(block) = &data.proof.block {
                    report.blocks.push((block.index, block.value.len() as u64));
                }
                out.send(Message::Data(Box::new(data)));
            }
            Verdict::Unavailable => out.send(unavailable(request, context)),
            Verdict::Invalid => queue.refuse(request.id, context.now)?,
            Verdict::Failed(error) => {
                out.send(unavailable(request, context));
                report.failure = Some(error);
            }
        }
    }
    Ok(())
}

fn refuse_all(queue: &mut Queue, out: &mut Outlet<'_>) {
    while out.has_room()
        && let Some(request) = queue.pop()
    {
        out.send(no_data(&request));
    }
}

enum Verdict {
    Proven(Box<Proof>),
    /// Not here, or not of this fork.
    Unavailable,
    /// Nobody could answer that.
    Invalid,
    /// The own log is at fault.
    Failed(LogError),
}

fn verdict(proof: Result<Option<Proof>, LogError>) -> Verdict {
    match proof {
        Ok(Some(proof)) => Verdict::Proven(Box::new(proof)),
        Ok(None) => Verdict::Unavailable,
        Err(LogError::Request(error)) => match *error {
            // A node that is missing is this side's lack.
            ProveError::OtherFork { .. } | ProveError::Tree(TreeError::MissingNode(_)) => {
                Verdict::Unavailable
            }
            _ => Verdict::Invalid,
        },
        Err(error) => Verdict::Failed(error),
    }
}

/// The manifest goes with the answer when it was asked for and others need it, also from an empty log.
fn finish(request: &Request, mut proof: Proof, context: &UploadContext<'_>) -> Data {
    if !context.view.needs_manifest {
        proof.manifest = None;
    } else if request.manifest && proof.manifest.is_none() {
        proof.manifest = context.log.manifest();
    }
    Data { request_id: request.id, proof }
}

/// The manifest alone if it was asked for, and else nothing.
fn unavailable(request: &Request, context: &UploadContext<'_>) -> Message {
    if request.manifest
        && context.view.needs_manifest
        && let Some(manifest) = context.log.manifest()
    {
        let proof = Proof { fork: context.view.fork, manifest: Some(manifest), ..Proof::default() };
        return Message::Data(Box::new(Data { request_id: request.id, proof }));
    }
    no_data(request)
}

const fn no_data(request: &Request) -> Message {
    let reason = Some(NoDataReason::NotAvailable);
    Message::NoData(NoData { request_id: request.id, reason })
}
