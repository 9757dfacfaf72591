//! The core that the targets attack: 13 blocks of known bytes, signed by known keys.
//!
//! Everything follows from constants, so that a crashing input crashes everywhere.

mod allocation;
mod conversation;
mod directory;
mod model;
mod paged;
mod pages;
mod script;
mod sleep;
mod source;
mod stream;
mod truth;

pub use self::sleep::{
    EditedFeed, SLEEP_CONSTANT, SleepDisk, SleepFiles, check_feed, edited_feed, extend_feed,
    recorded_feeds, repair_feed,
};
pub use allocation::{DECODE_CONSTANT, FACTOR, OPEN_CONSTANT, bounded, live, peak_of};
pub use conversation::Conversation;
pub use directory::{
    Disk, Files, contents, edited, framed, oplog_file, recorded, recorded_oplog, with_oplog,
};
pub use model::Model;
pub use paged::{
    PAGED_CONSTANT, Positioned, Value, container, edited_container, use_container, use_plain,
};
pub use pages::{Memory, PAGE_LEN, PAGES_CONSTANT, edited_pages, recorded_pages, use_pages};
pub use script::Script;
pub use source::{Source, readers, request, sources, spoil};
pub use stream::StreamSide;
pub use truth::check;

use std::collections::HashMap;
use std::sync::OnceLock;

use flat_tree::Index;
use hypercore_crypto::{CoreKey, KeyPair, Manifest, ManifestSigner, PartialSignature, Verifier};
use hypercore_merkle::{Authority, BlockRequest, Leaf, Node, Request, Tree, UpgradeRequest};

/// Blocks of the core.
pub const LENGTH: u64 = 13;

/// What the writer has.
#[derive(Debug)]
pub struct Core {
    /// The tree over all blocks.
    pub tree: Tree,
    /// Its nodes.
    pub nodes: HashMap<Index, Node>,
    /// Who signs: the first of [`signers`].
    pub manifest: Manifest,
    /// The key of the core.
    pub key: CoreKey,
    /// The signature of [`tree`](Self::tree).
    pub signature: Vec<u8>,
}

/// The bytes of a block: as many as its number, times five.
#[must_use]
pub fn block(index: u64) -> Vec<u8> {
    let byte = u8::try_from(index).unwrap_or(u8::MAX);
    vec![byte; usize::from(byte) * 5]
}

/// The key pairs that sign.
pub fn signers() -> &'static [KeyPair; 3] {
    static SIGNERS: OnceLock<[KeyPair; 3]> = OnceLock::new();
    SIGNERS.get_or_init(|| [1, 2, 3].map(|byte| KeyPair::from_seed(&[byte; 32])))
}

/// The core.
pub fn core() -> &'static Core {
    static CORE: OnceLock<Core> = OnceLock::new();
    CORE.get_or_init(|| {
        let blocks: Vec<Vec<u8>> = (0..LENGTH).map(block).collect();
        let blocks: Vec<&[u8]> = blocks.iter().map(Vec::as_slice).collect();
        let mut tree = Tree::empty(0);
        let nodes = tree.append(&Leaf::hash_all(&blocks)).expect("thirteen blocks are few");
        let nodes = nodes.into_iter().map(|node| (node.index, node)).collect();
        let [writer, ..] = signers();
        let manifest = Manifest::single(writer.public());
        let key = manifest.key();
        let signature = manifest
            .sign(&key, writer, &tree.hash(), LENGTH, 0)
            .expect("the pair is the only signer");
        Core { tree, nodes, manifest, key, signature }
    })
}

/// The nodes of the core.
#[must_use]
pub fn nodes() -> &'static HashMap<Index, Node> {
    &core().nodes
}

/// A reader that followed the core to its full length and has the nodes of block 3 only.
pub fn reader() -> &'static (Tree, HashMap<Index, Node>) {
    static READER: OnceLock<(Tree, HashMap<Index, Node>)> = OnceLock::new();
    READER.get_or_init(|| {
        let core = core();
        let request = Request {
            block: Some(BlockRequest { index: 3, nodes: 0 }),
            upgrade: Some(UpgradeRequest { start: 0, length: LENGTH }),
            ..Request::default()
        };
        let mut proof = core
            .tree
            .prove(nodes(), &request, Some(&core.signature), None)
            .expect("the core has its own nodes");
        if let Some(part) = &mut proof.block {
            part.value = block(3).into();
        }
        let authority = Authority { key: &core.key, manifest: Some(&core.manifest) };
        let verified = Tree::empty(0)
            .verify(&HashMap::new(), &proof, &authority)
            .expect("the core's own proof is true");
        let nodes = verified.nodes.iter().map(|node| (node.index, *node)).collect();
        (verified.tree, nodes)
    })
}

/// Manifests of every kind of signature, each with the key of its core.
pub fn manifests() -> &'static [(Manifest, CoreKey)] {
    static MANIFESTS: OnceLock<Vec<(Manifest, CoreKey)>> = OnceLock::new();
    MANIFESTS.get_or_init(|| {
        let single = Manifest::single(signers()[0].public());
        let compat = CoreKey::from_bytes(*signers()[0].public().as_bytes());
        let mut all = vec![(single.clone(), single.key()), (single, compat)];
        for version in [0, 1, 2] {
            let signers = signers().iter().map(|pair| ManifestSigner::new(pair.public()));
            let manifest = Manifest::builder()
                .version(version)
                .quorum(2)
                .allow_patch()
                .signers(signers)
                .build()
                .expect("two of three is a quorum");
            let key = manifest.key();
            all.push((manifest, key));
        }
        all
    })
}

/// A valid signature of the core's tree under each of [`manifests`].
#[must_use]
pub fn signatures() -> Vec<Vec<u8>> {
    let hash = core().tree.hash();
    let sign = |(manifest, key): &(Manifest, CoreKey)| {
        let verifier = Verifier::new(manifest, key).expect("the key is the manifest's");
        let needed = if manifest.signers().len() == 1 { 1 } else { 2 };
        let parts: Vec<PartialSignature> = signers()
            .iter()
            .take(needed)
            .map(|pair| verifier.sign_partial(pair, &hash, LENGTH, 0).expect("a signer signs"))
            .collect();
        verifier.assemble(LENGTH, &parts).expect("the parts are of one length")
    };
    manifests().iter().map(sign).collect()
}
