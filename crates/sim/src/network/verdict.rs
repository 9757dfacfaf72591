//! What must be so at the end: the network has healed, time has passed, and nobody has anything left to do.
//!
//! Among honest peers everybody has the writer's head, every block that was wished for and that somebody gives, and
//! no request is open. Where two histories were signed, the readers have proof of it.

use std::collections::HashMap;

use flat_tree::Index;
use hypercore_merkle::{Authority, Node as TreeNode, Proof, Tree};

use super::node::{Want, core_key};
use super::world::World;

impl World<'_> {
    /// Judges the end of a run.
    pub(super) fn judge(&mut self) -> Result<(), String> {
        for peer in 0..self.nodes.len() {
            self.check_content(peer).map_err(|error| format!("peer {peer}: {error}"))?;
        }
        if self.scenario.is_dishonest() {
            let unconvinced = (0..self.nodes.len()).find(|peer| self.is_unconvinced(*peer));
            if let Some(peer) = unconvinced {
                return Err(format!("peer {peer} has no proof that two histories were signed"));
            }
            if !self.nodes.iter().any(|node| node.has_conflict) {
                return Err("nobody has proof that two histories were signed".to_owned());
            }
            self.totals.proven_forks += 1;
            return Ok(());
        }
        let missing = self.missing();
        if !missing.is_empty() {
            return Err(format!("it is quiet, and not all is well: {missing}"));
        }
        self.totals.converged += 1;
        Ok(())
    }

    /// Whether a peer has no proof of two histories, although others show one that its log can be compared with: it is
    /// as long, and has the roots of that length.
    fn is_unconvinced(&self, peer: usize) -> bool {
        let node = &self.nodes[peer];
        let Some(running) = &node.running else { return false };
        let others = self.nodes.iter().filter_map(|node| node.running.as_ref());
        let mut shown = others.filter_map(|other| other.replicator.conflict());
        let log = &running.log;
        let is_comparable =
            |length| length <= log.length() && log.has_roots(length).unwrap_or(false);
        !node.has_conflict && shown.any(|evidence| is_comparable(evidence.length))
    }

    /// Everything that is stored is true, and the audit says so.
    fn check_content(&self, peer: usize) -> Result<(), String> {
        let Some(running) = &self.nodes[peer].running else {
            return Err("has no power".to_owned());
        };
        let log = &running.log;
        (0..log.length()).try_for_each(|index| self.check_block(peer, index))?;
        match log.audit(&mut |_| {}) {
            Ok(report) if report.is_ok() => Ok(()),
            Ok(report) => Err(format!("the audit finds {:?}", report.findings)),
            Err(error) => Err(format!("the audit fails: {error:?}")),
        }
    }

    /// What is not as it should be at the end, for people.
    pub(super) fn missing(&self) -> String {
        let mut missing = Vec::new();
        let truth = &self.histories[0];
        let head = (truth.fork(), truth.length(), truth.hash());
        for (peer, node) in self.nodes.iter().enumerate() {
            let Some(running) = &node.running else {
                missing.push(format!("{peer} has no power"));
                continue;
            };
            let log = &running.log;
            let found = log.head();
            // Nobody signs that there is nothing.
            if (found.fork, found.length, found.tree_hash) != head && head.1 > 0 {
                let (fork, length) = (found.fork, found.length);
                missing.push(format!(
                    "{peer} is at fork {fork}, length {length} and not {}, {}",
                    head.0, head.1
                ));
                continue;
            }
            for wish in &node.wishes {
                let wanted = match &wish.want {
                    Want::Everything => 0..head.1,
                    Want::Blocks(range) => range.start..range.end.min(head.1),
                    // One past the end may come when the log grows.
                    Want::Byte(byte) if *byte >= found.byte_length => continue,
                    // Who has no block near it is not asked where it is.
                    Want::Byte(byte) if !self.is_given(truth.block_with(*byte), peer) => continue,
                    Want::Byte(byte) => {
                        missing.push(format!("{peer} does not know where byte {byte} is"));
                        continue;
                    }
                };
                let absent: Vec<u64> = wanted
                    .clone()
                    .filter(|index| !log.has(*index) && self.is_given(*index, peer))
                    .collect();
                if let Some(first) = absent.first() {
                    let count = absent.len();
                    missing
                        .push(format!("{peer} lacks {count} blocks from {first} on of {wanted:?}"));
                } else if matches!(&wish.want, Want::Blocks(range) if log.has_range(range.clone()))
                {
                    missing.push(format!("{peer} is not told that it has {:?}", wish.want));
                }
            }
        }
        for (at, link) in self.links.iter().enumerate() {
            let Some(connected) = &link.connected else {
                missing.push(format!("link {at} is not connected"));
                continue;
            };
            for (end, peer) in connected.ends.iter().zip(link.plan.ends) {
                if !end.asked.open().is_empty() {
                    missing.push(format!("{peer} waits on link {at} for {:?}", end.asked.open()));
                }
                if !end.answering.open().is_empty() {
                    let open = end.answering.open();
                    missing.push(format!("{peer} owes on link {at} {open:?}"));
                }
            }
        }
        missing.join("; ")
    }

    /// Whether somebody else has a block and gives it.
    fn is_given(&self, index: u64, not: usize) -> bool {
        self.nodes.iter().enumerate().any(|(peer, node)| {
            let has = |running: &super::node::Running| running.log.has(index);
            peer != not && node.cast.uploads && node.running.as_ref().is_some_and(has)
        })
    }

    /// Both proofs of the evidence hold, and no one history has both.
    pub(super) fn check_evidence(&self, peer: usize) -> Result<(), String> {
        if !self.scenario.is_dishonest() {
            return Err("two histories are proven, and there is one".to_owned());
        }
        let Some(running) = &self.nodes[peer].running else { return Ok(()) };
        let evidence = running.replicator.conflict().ok_or("a conflict without evidence")?;
        let manifest = running.log.manifest();
        let verify = |proof: &Proof| -> Result<Vec<bool>, String> {
            let key = core_key();
            let authority = Authority { key: &key, manifest: manifest.as_ref() };
            let nothing: HashMap<Index, TreeNode> = HashMap::new();
            let verified = Tree::empty(evidence.fork).verify(&nothing, proof, &authority);
            let tree =
                verified.map_err(|error| format!("the evidence does not hold: {error:?}"))?.tree;
            let histories = self.histories.iter();
            let checks =
                histories.map(|of| of.check(tree.fork(), tree.length(), tree.hash()).is_ok());
            Ok(checks.collect())
        };
        let (own, other) = (verify(&evidence.own)?, verify(&evidence.other)?);
        let both = own.iter().zip(&other).any(|(own, other)| *own && *other);
        if both || !own.contains(&true) || !other.contains(&true) {
            return Err("the evidence is of one history, or of none that was signed".to_owned());
        }
        Ok(())
    }
}
